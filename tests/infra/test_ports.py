import socket

import pytest

from infra.local import ports
from infra.local.errors import PortTakenError


class TestClaim:
    def test_says_in_one_sentence_which_port_is_taken_and_what_to_do(self) -> None:
        with socket.socket() as other:
            other.bind((ports.LOOPBACK, 0))
            other.listen()
            taken = other.getsockname()[1]
            with pytest.raises(PortTakenError) as refused:
                ports.claim(taken, "Kafka", "TWOFOLD_KAFKA_PORT")
        assert str(refused.value) == (
            f"Port {taken} on 127.0.0.1, wanted by Kafka, is taken by another program: "
            "stop that program, or choose another port with TWOFOLD_KAFKA_PORT."
        )

    def test_gives_back_a_port_that_is_free(self) -> None:
        port = ports.free_port()
        assert ports.claim(port, "Kafka", "TWOFOLD_KAFKA_PORT") == port


class TestFreePort:
    def test_stays_below_the_ports_that_clients_are_given(self) -> None:
        """Else a client that redials a stopped server can be connected to itself."""
        assert all(ports.free_port() < 32_768 for _ in range(50))
