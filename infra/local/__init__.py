"""
The local stack: one Kafka broker and one PostgreSQL server on loopback, for `make run` and tests.

Never for production: connections are plaintext, and both servers stand on one disk.
"""
