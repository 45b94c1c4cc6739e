"""What Twofold runs on: Apache Kafka and PostgreSQL, on this machine."""
