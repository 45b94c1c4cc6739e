"""The staff service on Kafka and PostgreSQL."""
