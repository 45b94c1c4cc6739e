"""
What a connection may take: time, room and places, so that nobody needs a proxy to survive.

uvicorn has no limit for how slowly a request may come, nor for how long a connection may say
nothing: its keep-alive timer first starts after an answer. Here each phase of a connection has its
time, and where all places are taken, whoever holds the most loses one.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final, Literal

from prometheus_client import Counter, Gauge
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from services.shares import Party, Shares, at

Why = Literal["idle", "request", "answer", "head", "ahead", "crowd"]

OPEN: Final = Gauge("twofold_connections", "Open HTTP connections")
CUT: Final = Counter(
    "twofold_connections_cut_total", "Cut off by us, for what was exceeded", ["why"]
)


_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"retry-after: 2\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What each connection, and all of them, may take.

    Attributes:
        idle_s: Seconds without a request: after connecting, and after an answer.
        request_s: From a request's first byte to its last; bodies have 64 KiB at most.
        answer_s: From then until the answer is sent. The longest that anything takes is a verdict
            that isn't learnt (15 s), so that only who doesn't read the answer comes near it.
        head_bytes: Of a request, without its body.
        ahead: Requests that may come before the ones in front of them are answered. No browser and
            no proxy sends any; 13,000 fit into one read, and would each be kept.
        connections: How many may be open.
    """

    idle_s: float = 10
    request_s: float = 15
    answer_s: float = 60
    head_bytes: int = 32 * 1024
    ahead: int = 8
    connections: int = 500


class _TooFarAheadError(Exception):
    """Stops the parser in the middle of what was read."""


class Crowd:
    """All connections of a listener, shared fairly between the addresses that they come from."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._inside: Shares[Connection] = Shares()

    def enter(self, connection: "Connection") -> None:
        """
        Let a connection in.

        Where there is no place left, whoever has the most connections loses one that isn't being
        answered, the oldest; if all are, the newest, which may be this one. Behind a proxy all
        come from one address: its idle connections make room, and then it is refused.
        """
        self._inside.add(connection.party, connection)
        if len(self._inside) <= self.limits.connections:
            return
        _, theirs = self._inside.heaviest()
        going = next((one for one in theirs if not one.answering), theirs[-1])
        self._inside.discard(going.party, going)
        going.make_room(refused=going is connection)

    def leave(self, connection: "Connection") -> None:
        """It is gone."""
        self._inside.discard(connection.party, connection)


class Connection(HttpToolsProtocol):
    """uvicorn's connection, within limits."""

    def __init__(self, crowd: Crowd, **told: Any) -> None:
        super().__init__(**told)
        self._crowd, self._limits = crowd, crowd.limits
        self._timer: asyncio.TimerHandle | None = None
        self._arriving = False
        self._head_bytes = 0
        self.party: Party = ()

    @property
    def answering(self) -> bool:
        """Whether a whole request is here, and not yet answered."""
        asked: RequestResponseCycle | None = self.cycle  # None before the first.
        return asked is not None and not asked.response_complete and not self._arriving

    def make_room(self, *, refused: bool) -> None:
        """Go, because others come; *refused*: having just come."""
        if refused:
            self.transport.write(_FULL)
            self.transport.close()
            CUT.labels("crowd").inc()
        else:
            self._cut("crowd")

    # ---- as asyncio calls it --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        OPEN.inc()
        self.party = at(self.client[0] if self.client else "")
        self._within(self._limits.idle_s, "idle")
        self._crowd.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        OPEN.dec()
        self._crowd.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._head_bytes += len(data)
        super().data_received(data)
        if self._arriving and self._head_bytes > self._limits.head_bytes:
            self._cut("head")

    # ---- as the parser calls it -----------------------------------------------------------------

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= self._limits.ahead:
            self._cut("ahead")
            raise _TooFarAheadError
        super().on_message_begin()
        self._arriving = True
        self._within(self._limits.request_s, "request")

    def on_body(self, body: bytes) -> None:
        self._head_bytes -= len(body)  # What is left are lines, chunk sizes and trailers, too.
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._arriving, self._head_bytes = False, 0
        self._await_next()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._arriving:
            self._await_next()

    # ---- time -----------------------------------------------------------------------------------

    def _await_next(self) -> None:
        if self.answering:
            self._within(self._limits.answer_s, "answer")
        else:
            self._within(self._limits.idle_s, "idle")

    def _within(self, seconds: float, why: Why) -> None:
        """Be cut off after so long, unless another phase begins before."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._cut, why)

    def _cut(self, why: Why) -> None:
        # Closing would wait until everything was sent, to somebody who may not be reading.
        self.transport.abort()
        CUT.labels(why).inc()
