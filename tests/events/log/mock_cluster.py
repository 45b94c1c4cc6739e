"""
A broker that fails on demand: librdkafka's mock cluster, which comes inside confluent-kafka.

It stands for the outside where the real broker can't be told to fail in just this way.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import confluent_kafka

PRODUCE: Final = 0
"""Kafka's number of the produce request."""

_P = ctypes.c_void_p


class MockCluster:
    """One broker, listening on loopback."""

    def __init__(self, topic: str, partitions: int) -> None:
        self._lib = lib = _library()
        error = ctypes.create_string_buffer(512)
        conf = lib.rd_kafka_conf_new()
        lib.rd_kafka_conf_set(conf, b"log_level", b"0", error, 512)
        self._client = lib.rd_kafka_new(0, conf, error, 512)
        self._cluster = lib.rd_kafka_mock_cluster_new(self._client, 1)
        lib.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, 1)
        self.address: str = lib.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()

    def fail(self, api: int, *errors: int) -> None:
        """Answer the next requests of kind *api* with these of Kafka's error codes."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._lib.rd_kafka_mock_push_request_errors_array(self._cluster, api, len(errors), codes)

    def answer_after(self, milliseconds: int) -> None:
        """Take so long for each answer."""
        self._lib.rd_kafka_mock_broker_set_rtt(self._cluster, 1, milliseconds)

    def go_down(self) -> None:
        """Drop connections, and accept none."""
        self._lib.rd_kafka_mock_broker_set_down(self._cluster, 1)

    def come_up(self) -> None:
        """Accept them again."""
        self._lib.rd_kafka_mock_broker_set_up(self._cluster, 1)

    def close(self) -> None:
        """Stop listening."""
        self._lib.rd_kafka_mock_cluster_destroy(self._cluster)
        self._lib.rd_kafka_destroy(self._client)


@contextmanager
def mock_cluster(topic: str, partitions: int = 1) -> Iterator[MockCluster]:
    """A cluster with one topic."""
    cluster = MockCluster(topic, partitions)
    try:
        yield cluster
    finally:
        cluster.close()


def _library() -> ctypes.CDLL:
    folder = Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
    lib = ctypes.CDLL(str(next(folder.glob("librdkafka*.so*"))))
    lib.rd_kafka_conf_new.restype = _P
    lib.rd_kafka_conf_set.argtypes = [_P, *[ctypes.c_char_p] * 3, ctypes.c_size_t]
    lib.rd_kafka_new.restype = _P
    lib.rd_kafka_new.argtypes = [ctypes.c_int, _P, ctypes.c_char_p, ctypes.c_size_t]
    lib.rd_kafka_destroy.argtypes = [_P]
    lib.rd_kafka_mock_cluster_new.restype = _P
    lib.rd_kafka_mock_cluster_new.argtypes = [_P, ctypes.c_int]
    lib.rd_kafka_mock_cluster_destroy.argtypes = [_P]
    lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    lib.rd_kafka_mock_cluster_bootstraps.argtypes = [_P]
    lib.rd_kafka_mock_topic_create.argtypes = [_P, ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
    lib.rd_kafka_mock_push_request_errors_array.argtypes = [
        _P, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int),
    ]  # fmt: skip
    lib.rd_kafka_mock_broker_set_rtt.argtypes = [_P, ctypes.c_int32, ctypes.c_int]
    lib.rd_kafka_mock_broker_set_down.argtypes = [_P, ctypes.c_int32]
    lib.rd_kafka_mock_broker_set_up.argtypes = [_P, ctypes.c_int32]
    return lib
