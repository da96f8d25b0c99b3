"""Real Apache Kafka and real PostgreSQL, brought by pip alone, for the demo and the tests."""

from demo.embedded.errors import EmbeddedError
from demo.embedded.kafka import EmbeddedKafka
from demo.embedded.postgres import EmbeddedPostgres

__all__ = ["EmbeddedError", "EmbeddedKafka", "EmbeddedPostgres"]
