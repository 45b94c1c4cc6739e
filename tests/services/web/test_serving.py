"""Connections as somebody makes them who wants to hold a server up, on a real socket."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from services.web.connections import Limits
from services.web.door import AT_ONCE
from tests.services.web.peers import LARGE, WITHIN_S, Server, cut, serving, unanswered

SHORT = Limits(idle_s=0.3, request_s=0.5, answer_s=0.8, head_bytes=4096, connections=6)
LONG = Limits(idle_s=30, request_s=30, answer_s=30, head_bytes=4096, connections=6)
GET = b"GET /now HTTP/1.1\r\nhost: x\r\n"
POST = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"

Serve = Callable[[Limits], contextlib.AbstractAsyncContextManager[Server]]


class TestTime:
    @pytest.mark.parametrize(
        ("sent", "then", "why"),
        [
            (b"", b"", "idle"),
            (b"", b"\r\n", "idle"),
            (b"G", b"", "request"),
            (GET, b"a", "request"),
            (POST, b"", "request"),
            (POST, b"a", "request"),
            (GET + b"\r\n", b"", "idle"),
        ],
    )
    async def test_who_says_nothing_or_too_little_is_cut_off(
        self, sent: bytes, then: bytes, why: str
    ) -> None:
        async with serving(SHORT) as server:
            before, peer = cut(why), await server.connect()
            await peer.send(sent)
            dribbling = asyncio.create_task(peer.dribble(then)) if then else None
            await peer.is_cut()
            if dribbling is not None:
                await dribbling
            assert cut(why) > before

    @pytest.mark.parametrize(("path", "why"), [("/large", "idle"), ("/stream", "answer")])
    async def test_who_does_not_read_the_answer_is_cut_off(self, path: str, why: str) -> None:
        async with serving(SHORT) as server:
            before, peer = cut(why), await server.connect()
            await peer.send(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            async with asyncio.timeout(WITHIN_S):
                while cut(why) == before:
                    await asyncio.sleep(0.02)
            assert len(await peer.is_cut()) < LARGE

    async def test_who_asks_on_is_not(self) -> None:
        async with serving(SHORT) as server:
            peer = await server.connect()
            async with asyncio.timeout(WITHIN_S):
                for _ in range(12):
                    assert await peer.asks() == 200
                    await asyncio.sleep(0.1)

    async def test_pipelined_requests_are_answered_in_order(self) -> None:
        async with serving(LONG) as server:
            peer = await server.connect()
            await peer.send(GET + b"\r\n" + POST + b"a" * 100 + GET + b"\r\n")
            assert [await peer.answer() for _ in range(3)] == [200, 200, 200]


class TestRoom:
    async def test_who_asks_on_and_on_without_awaiting_answers_is_cut_off(self) -> None:
        """One read holds thousands of requests; each was kept until its turn came."""
        async with serving(LONG) as server:
            before, peer = cut("ahead"), await server.connect()
            await peer.send(b"GET /later HTTP/1.1\r\n\r\n" * 2000)
            await peer.is_cut()
            assert cut("ahead") == before + 1
            assert await (await server.connect()).asks() == 200

    @pytest.mark.parametrize(
        "sent",
        [
            b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 2000,
            b"GET / HTTP/1.1\r\na: " + b"b" * 10_000,
            b"GET /" + b"a" * 10_000,
            POST.replace(b"content-length: 100", b"transfer-encoding: chunked")
            + b"1\r\na\r\n0\r\n" + b"a: b\r\n" * 2000,
            POST.replace(b"content-length: 100", b"transfer-encoding: chunked")
            + b"1;" + b"a" * 10_000,
        ],
        ids=["headers", "header", "path", "trailers", "extension"],
    )  # fmt: skip
    async def test_a_head_that_does_not_end_is_cut_off(self, sent: bytes) -> None:
        async with serving(LONG) as server:
            before, peer = cut("head"), await server.connect()
            with contextlib.suppress(ConnectionError):
                await peer.send(sent)
            await peer.is_cut()
            assert cut("head") > before

    async def test_a_body_of_64_kib_is_taken_and_a_larger_one_refused(self) -> None:
        async with serving(LONG) as server:
            for size, status in ((64 * 1024, 200), (64 * 1024 + 1, 413)):
                peer = await server.connect()
                length = f"content-length: {size}"
                await peer.send(POST.replace(b"content-length: 100", length.encode()))
                await peer.send(b"a" * size)
                assert await peer.answer() == status

    async def test_what_is_too_large_is_dropped_and_the_connection_goes_on(self) -> None:
        async with serving(LONG) as server:
            peer = await server.connect()
            await peer.send(POST.replace(b"content-length: 100", b"content-length: 1000000"))
            assert await peer.answer() == 413
            await peer.send(b"a" * 1_000_000)
            assert await peer.asks() == 200


class TestPlaces:
    async def test_whoever_has_the_most_loses_the_oldest_to_somebody_else(self) -> None:
        async with serving(LONG) as server:
            flood = [await server.connect("127.0.0.2") for _ in range(6)]
            others = [await server.connect(f"127.0.0.{n}") for n in (3, 4)]
            for peer in others:
                assert await peer.asks() == 200
            for peer in flood[:2]:
                await peer.is_cut()
            assert [await peer.asks() for peer in flood[2:]] == [200] * 4

    async def test_what_is_being_answered_is_spared(self) -> None:
        async with serving(LONG) as server:
            asked = [await server.connect("127.0.0.2") for _ in range(5)]
            for peer in asked:
                await peer.send(b"GET /later HTTP/1.1\r\nhost: x\r\n\r\n")
                await server.waiting.acquire()
            idle = await server.connect("127.0.0.2")
            assert await (await server.connect("127.0.0.3")).asks() == 200
            await idle.is_cut()
            server.answer.set()
            assert [await peer.answer() for peer in asked] == [200] * 5

    async def test_where_all_are_being_answered_the_newcomer_is_told_to_come_again(self) -> None:
        async with serving(LONG) as server:
            asked = [await server.connect() for _ in range(6)]
            for peer in asked:
                await peer.send(b"GET /later HTTP/1.1\r\nhost: x\r\n\r\n")
                await server.waiting.acquire()
            refused = await (await server.connect()).is_cut()
            assert refused.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after:" in refused
            server.answer.set()
            assert [await peer.answer() for peer in asked] == [200] * 6
            assert await (await server.connect()).asks() == 200


async def test_a_request_that_nobody_waits_for_any_more_is_not_kept_until_its_turn() -> None:
    """Connections are counted; requests of those that are no more weren't, and piled up."""
    async with serving(replace(LONG, connections=40)) as server:
        inside = [await server.connect() for _ in range(AT_ONCE)]
        for peer in inside:
            await peer.send(b"GET /later HTTP/1.1\r\nhost: x\r\n\r\n")
            await server.waiting.acquire()
        before = unanswered()
        for _ in range(100):
            peer = await server.connect()
            await peer.send(b"GET /later HTTP/1.1\r\nhost: x\r\n\r\n")
            peer.writer.close()
        async with asyncio.timeout(WITHIN_S):
            while unanswered() < before + 100:
                await asyncio.sleep(0.01)
        server.answer.set()
        assert [await peer.answer() for peer in inside] == [200] * AT_ONCE
        assert server.waiting.locked()  # None of the hundred was worked on.


async def test_what_is_under_way_is_answered_before_it_ends() -> None:
    async with serving(LONG) as server:
        peer = await server.connect()
        await peer.send(b"GET /later HTTP/1.1\r\nhost: x\r\n\r\n")
        await server.waiting.acquire()
    assert await peer.answer() == 200
    with pytest.raises(ConnectionError):
        await server.connect()


async def test_a_request_that_never_came_whole_is_no_fault_of_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with serving(LONG) as server:
        peer = await server.connect()
        await peer.send(POST + b"a")
        assert await (await server.connect()).asks() == 200
        peer.writer.close()
        assert await (await server.connect()).asks() == 200
    captured = capsys.readouterr()
    assert "request.failed" not in captured.out + captured.err
