"""HTTP long-polling by the protocol's text."""

import asyncio
import gc
import gzip
import tracemalloc

import pytest
from aiohttp import ClientSession

from realtime.engineio.protocol import Reason
from tests.kit.serving import serve
from tests.kit.waiting import MS, wait_until


async def test_packets_of_both_kinds_in_their_order() -> None:
    """Texts and base64 packets of one payload come back in the same order."""
    async with serve() as served:
        sid = await served.open_polling()
        body = "4one\x1ebAQIDBA==\x1e4zwei €"
        assert await served.post(sid, body) == (200, "ok")
        assert await served.poll(sid) == (200, body)
        assert served.messages == ["one", b"\x01\x02\x03\x04", "zwei €"]


async def test_a_poll_waits_for_something_to_say() -> None:
    """A GET with nothing queued is answered when a message is sent."""
    async with serve() as served:
        sid = await served.open_polling()
        poll = asyncio.create_task(served.poll(sid))
        await wait_until(lambda: served.polling(sid).poll_active, "the poll arrives")
        await served.eio.send(sid, "hello")
        assert await poll == (200, "4hello")


async def test_payloads_are_small_enough_for_every_client() -> None:
    """python-engineio's clients refuse payloads of more than 16 packets."""
    async with serve(max_http_buffer_size=100) as served:
        sid = await served.open_polling()
        for number in range(20):
            served.eio.write(sid, f"{number:02}")
        for size in ("x" * 60, "y" * 60, "z" * 200):
            served.eio.write(sid, size)
        counts = []
        received: list[str] = []
        while len(received) < 23:
            _status, body = await served.poll(sid)
            counts.append(body.count("\x1e") + 1)
            received += body.split("\x1e")
        assert counts[0] == 16
        assert received[:20] == [f"4{number:02}" for number in range(20)]
        assert [len(each) for each in received[20:]] == [61, 61, 201]


@pytest.mark.parametrize(
    "body", ["", "abc", "4a\x1e", "9", "b!", "2", "0{}", b"4\xff", "4a\x1ebAQ"]
)
async def test_a_bad_payload_ends_the_session(body: str | bytes) -> None:
    """What is no payload is answered by 400, and the session is over."""
    async with serve() as served:
        sid = await served.open_polling()
        assert (await served.post(sid, body))[0] == 400
        assert (await served.poll(sid))[0] == 400
        await wait_until(lambda: served.ended, "the end is told")
        assert served.reasons(sid) == [Reason.PARSE_ERROR]
        assert "a" not in served.messages


async def test_too_many_packets_end_the_session() -> None:
    """The number of packets in a payload is bounded."""
    async with serve(max_payload_packets=3) as served:
        sid = await served.open_polling()
        assert (await served.post(sid, "4a\x1e4b\x1e4c"))[0] == 200
        assert (await served.post(sid, "4a\x1e4b\x1e4c\x1e4d"))[0] == 400
        assert served.limits_met == {"payload_packets": 1}


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit(chunked: bool) -> None:
    """413 whether the length is announced or found out, and the session is over."""
    async with serve(max_http_buffer_size=1_000) as served:
        sid = await served.open_polling()

        async def chunks() -> object:
            for _ in range(20):
                yield b"4" * 100

        body = chunks() if chunked else b"4" * 1_001
        async with served.http.post(served.url(sid=sid), data=body) as response:
            assert response.status == 413
        assert (await served.poll(sid))[0] == 400
        assert served.limits_met == {"payload_limit_bytes": 1}


async def test_a_body_that_dribbles_in() -> None:
    """A client that never finishes its body is not waited for."""
    async with serve(body_timeout=50 * MS) as served:
        sid = await served.open_polling()
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        head = f"POST {served.path('polling', sid)} HTTP/1.1\r\nHost: a\r\n"
        writer.write(head.encode() + b"Content-Length: 100\r\n\r\n4")
        assert b" 408 " in await reader.readline()
        writer.close()
        await wait_until(lambda: served.ended, "the session ends")
        assert served.limits_met == {"body_seconds": 1}


async def test_two_polls_at_once_end_the_session() -> None:
    """The waiting one gets a close packet, the second 400."""
    async with serve() as served:
        sid = await served.open_polling()
        first = asyncio.create_task(served.poll(sid))
        await wait_until(lambda: served.polling(sid).poll_active, "the first waits")
        assert (await served.poll(sid))[0] == 400
        assert await first == (200, "1")
        assert (await served.poll(sid))[0] == 400
        assert served.reasons(sid) == [Reason.TRANSPORT_ERROR]


async def test_two_posts_at_once_end_the_session() -> None:
    """Order could not be kept: 400 and the end."""
    async with serve() as served:
        sid = await served.open_polling()
        session = served.eio.sockets[sid]
        head = f"POST {served.path('polling', sid)} HTTP/1.1\r\nHost: a\r\n"
        _reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(head.encode() + b"Content-Length: 2\r\n\r\n4")
        await wait_until(lambda: served.polling(sid).post_active, "the first is read")
        assert (await served.post(sid, "4x"))[0] == 400
        assert session.closed
        writer.close()


async def test_a_poll_given_up_ends_the_session() -> None:
    """A client that drops its poll is gone."""
    async with serve() as served:
        sid = await served.open_polling()
        _reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        head = f"GET {served.path('polling', sid)} HTTP/1.1\r\nHost: a\r\n\r\n"
        writer.write(head.encode())
        await wait_until(lambda: served.polling(sid).poll_active, "the poll waits")
        writer.close()
        await wait_until(lambda: served.ended, "the session ends")
        assert served.reasons(sid) == [Reason.TRANSPORT_ERROR]
        assert (await served.poll(sid))[0] == 400


async def test_closing_releases_the_poll() -> None:
    """A client that closes gets a noop for its waiting poll."""
    async with serve() as served:
        sid = await served.open_polling()
        poll = asyncio.create_task(served.poll(sid))
        await wait_until(lambda: served.polling(sid).poll_active, "the poll waits")
        assert (await served.post(sid, "1"))[0] == 200
        assert await poll == (200, "6")
        assert served.reasons(sid) == [Reason.CLIENT_DISCONNECT]


async def test_a_poll_that_crosses_the_close_gets_a_noop() -> None:
    """The client may have sent both at once; only one poll is answered so."""
    async with serve() as served:
        sid = await served.open_polling()
        assert (await served.post(sid, "1"))[0] == 200
        assert await served.poll(sid) == (200, "6")
        assert (await served.poll(sid))[0] == 400
        assert (await served.post(sid, "4x"))[0] == 400


async def test_what_was_sent_before_the_server_closed_can_be_fetched() -> None:
    """The next poll gets the rest and a close packet, the one after it 400."""
    async with serve() as served:
        sid = await served.open_polling()
        served.eio.write(sid, "farewell")
        served.eio.close(sid)
        assert sid not in served.eio.sockets
        assert await served.poll(sid) == (200, "4farewell\x1e1")
        assert (await served.poll(sid))[0] == 400


async def test_all_that_was_sent_before_the_server_closed_is_fetched() -> None:
    """Also when it takes several polls."""
    async with serve() as served:
        sid = await served.open_polling()
        for number in range(20):
            served.eio.write(sid, str(number))
        served.eio.close(sid)
        bodies = [(await served.poll(sid))[1] for _ in range(2)]
        packets = [packet for body in bodies for packet in body.split("\x1e")]
        assert packets == [*(f"4{number}" for number in range(20)), "1"]
        assert (await served.poll(sid))[0] == 400


async def test_a_client_that_does_not_poll_is_a_slow_consumer() -> None:
    """What may wait for a poll is bounded in bytes."""
    async with serve(write_buffer_bytes=1_000) as served:
        sid = await served.open_polling()
        for _ in range(20):
            served.eio.write(sid, "x" * 100)
        await wait_until(lambda: served.ended, "the session ends")
        assert served.reasons(sid) == [Reason.SLOW_CONSUMER]
        assert served.limits_met == {"write_buffer_bytes": 1}
        assert (await served.poll(sid))[0] == 400


async def test_what_surrounds_a_long_answer_ends_no_session() -> None:
    """Beside one message, however long, as much may wait as ever; and no more."""
    async with serve(write_buffer_bytes=1_000) as served:
        sid = await served.open_polling()
        for text in ("before", "x" * 100_000, "y" * 500):
            served.eio.write(sid, text)
        assert [len(each) for each in (await served.poll(sid))[1].split("\x1e")] == [
            len("4before"),
            100_001,
            501,
        ]
        for text in ("x" * 100_000, "y" * 500, "y" * 501):
            session = served.eio.sockets[sid]
            assert not session.closed
            assert session.can_buffer(len(text) + 1) == (len(text) != 501)
            served.eio.write(sid, text)
        await wait_until(lambda: served.ended, "the session ends")
        assert served.reasons(sid) == [Reason.SLOW_CONSUMER]


@pytest.mark.parametrize("size", [2_000, 100_000])
async def test_long_answers_are_compressed(size: int) -> None:
    """For clients that accept it, and only then."""
    async with serve() as served, ClientSession(auto_decompress=False) as http:
        sid = await served.open_polling()
        text = "4" + "x" * size
        for encoding in ("gzip", "identity", "gzip;q=0"):
            served.eio.write(sid, text[1:])
            headers = {"Accept-Encoding": encoding}
            async with http.get(served.url(sid=sid), headers=headers) as response:
                body = await response.read()
            if encoding == "gzip":
                assert response.headers["Content-Encoding"] == "gzip"
                assert gzip.decompress(body).decode() == text
            else:
                assert body.decode() == text


@pytest.mark.parametrize("reason", [Reason.PING_TIMEOUT, Reason.SERVER_DISCONNECT])
async def test_an_answer_that_nobody_reads_ends_with_its_session(reason: str) -> None:
    """Its bytes are let go of at once, not at the next full garbage collection."""
    size = 30_000_000
    async with serve(close_timeout=100 * MS) as served:
        sid = await served.open_polling()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", served.port, limit=1024
        )
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            served.eio.write(sid, "x" * size)
            path = served.path("polling", sid)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            await reader.readline()
            assert tracemalloc.get_traced_memory()[0] > size / 2
            served.eio.write(sid, "what keeps the rest waiting")
            served.eio.close(sid, reason)
            await wait_until(
                lambda: tracemalloc.get_traced_memory()[0] < size / 10,
                "the memory is free again",
            )
        finally:
            tracemalloc.stop()
            gc.enable()
        writer.close()
