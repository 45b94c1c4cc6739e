"""
What surrounds every request: its id, its logging context, limits, security headers, metrics.

Pure ASGI, so that it costs little and sees every byte of a body before anything parses it.
"""

import re
import time
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from uuid import uuid4

import structlog
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.web.door import Door, GoneError
from services.web.problems import Problem, failed

MAX_BODY: Final = 64 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")

REQUESTS = Counter("twofold_http_requests_total", "Answered", ["service", "method", "status"])
SECONDS = Histogram("twofold_http_request_seconds", "Time to the answer", ["service", "method"])

HEADERS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
}
"""Set where the answer doesn't bring its own (a page brings its own Content-Security-Policy)."""

log = structlog.get_logger()
Network = IPv4Network | IPv6Network


class Plumbing:
    """The outermost layer of a service."""

    def __init__(self, app: ASGIApp, *, service: str, trusted_proxies: Sequence[str] = ()) -> None:
        """
        Args:
            app: What is inside.
            service: ``auth`` or ``staff``, for logs and metrics.
            trusted_proxies: Addresses or networks whose ``X-Forwarded-For`` is believed.
        """
        self._app, self._service, self._door = app, service, Door()
        self._proxies = [ip_network(proxy, strict=False) for proxy in trusted_proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._service)
        with structlog.contextvars.bound_contextvars(
            request_id=exchange.request_id, service=self._service
        ):
            await self._answer(exchange)

    async def _answer(self, exchange: "_Exchange") -> None:
        started = time.perf_counter()
        scope = exchange.scope
        try:
            state = scope.setdefault("state", {})
            state["request_id"] = exchange.request_id
            state["client_address"] = address = _client(HTTPConnection(scope), self._proxies)
            receive = await exchange.body_first()
            async with self._door.through(address, exchange.gone):
                await self._app(scope, receive, exchange.send)
        except GoneError:
            log.debug("request.abandoned", method=scope["method"])
        except Problem as problem:
            await exchange.answer(problem)
        except Exception:
            log.exception("request.failed", method=scope["method"])
            await exchange.answer(failed())
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            REQUESTS.labels(self._service, method, str(exchange.status)).inc()
            SECONDS.labels(self._service, method).observe(time.perf_counter() - started)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, service: str) -> None:
        self.scope, self._receive, self._send, self._service = scope, receive, send, service
        self.status = 0
        given = Headers(scope=scope).get("x-request-id", "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid4())

    async def body_first(self) -> Receive:
        """
        Read the whole body, at most `MAX_BODY`, before anything else runs.

        Raises:
            Problem: 413; 400 where the caller has gone before its end.
        """
        announced = Headers(scope=self.scope).get("content-length", "0")
        if not announced.isdecimal() or int(announced[:20]) > MAX_BODY:
            raise _too_large()
        chunks, size, more = [], 0, True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                raise Problem(400, "bad-request", "The request didn't come whole.")
            size += len(message.get("body", b""))
            if size > MAX_BODY:
                raise _too_large()
            more = message.get("more_body", False)
            chunks.append(message)
        waiting = iter(chunks)

        async def receive() -> Message:
            return next(waiting, None) or await self._receive()

        return receive

    async def gone(self) -> None:
        """Return once the caller has hung up: behind the body, nothing else can come."""
        await self._receive()

    async def send(self, message: Message) -> None:
        """Send on, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers["x-request-id"] = self.request_id
        await self._send(message)

    async def answer(self, problem: Problem) -> None:
        """Answer with *problem*, unless an answer has begun."""
        if not self.status:
            await problem.response()(self.scope, self._receive, self.send)


def _too_large() -> Problem:
    # The rest is read as it comes, and dropped (`Connection` bounds how long): closed before that,
    # a connection is reset, and the answer with it.
    return Problem(413, "too-large", "The request is too large.")


def _client(connection: HTTPConnection, proxies: Sequence[Network]) -> str:
    """
    The caller's address: the peer's, or what a trusted proxy says in ``X-Forwarded-For``.

    Raises:
        Problem: 400 where a trusted proxy hands on what is no address (it fails closed).
    """
    peer = connection.client.host if connection.client else ""
    if not proxies or not _trusted(peer, proxies):
        return peer
    forwarded = ",".join(connection.headers.getlist("x-forwarded-for"))
    if not forwarded:
        return peer
    for hop in reversed([part.strip() for part in forwarded.split(",")]):
        address = _address(hop)
        if address is None:
            raise Problem(400, "bad-request", "X-Forwarded-For holds what is no address.")
        peer = str(address)
        if not _trusted(peer, proxies):
            break
    return peer


def _trusted(address: str, proxies: Sequence[Network]) -> bool:
    parsed = _address(address)
    return parsed is not None and any(parsed in network for network in proxies)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def client_address(connection: HTTPConnection) -> str:
    """The caller's address, as `Plumbing` found it."""
    return str(connection.state.client_address)


def request_id(connection: HTTPConnection) -> str:
    """The request's id: the caller's ``X-Request-Id`` where it is well-formed, else a new one."""
    return str(connection.state.request_id)
