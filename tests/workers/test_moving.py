"""Connections go to the worker whose session they name, however their bytes come."""

import json
from collections.abc import Iterator

import pytest

from realtime.engineio.sid_marks import mark_of
from tests.kit.raw_socket import client_frame
from tests.kit.serving import UPGRADE
from tests.kit.waiting import wait_until
from tests.workers.crew import PATH, Crew, crew, line, request, sessions_everywhere

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crew]:
    """Three workers, on one embedded Valkey."""
    folder = tmp_path_factory.mktemp("data")
    with crew(None, 3, "--data-dir", str(folder)) as made:
        yield made


def path_of(sid: str, transport: str = "polling") -> str:
    return f"{PATH.format(transport)}&sid={sid}"


async def connect(three: Crew, sid: str, user: str) -> None:
    """Join the namespace over polling."""
    async with line(three.node.port) as one:
        packet = f'40/chat,{{"user":"{user}"}}'.encode()
        assert await one.ask("POST", path_of(sid), packet) == (200, "ok")
        status, body = await one.ask("GET", path_of(sid))
        assert status == 200
        assert body.startswith('40/chat,{"sid":'), body


async def test_one_connection_serves_the_sessions_of_all_workers(three: Crew) -> None:
    """A proxy mixes clients on the connections that it keeps: each request counts."""
    sids = await sessions_everywhere(three)
    for number, sid in sids.items():
        await connect(three, sid, f"user{number}")

    async with line(three.node.port) as one:
        for _ in range(10):
            for sid in sids.values():
                packet = b'42/chat,1["nosuch",{}]'
                assert await one.ask("POST", path_of(sid), packet) == (200, "ok")
                status, body = await one.ask("GET", path_of(sid))
                assert status == 200
                assert "unknown_event" in body
    moved = await three.numbers("chatroom_moved_total", outcome="session")
    taken = await three.numbers("chatroom_moved_total", outcome="taken")
    assert sum(moved.values()) >= 20
    assert sum(taken.values()) >= sum(moved.values())


async def test_a_request_line_may_come_in_pieces(three: Crew) -> None:
    """Whose session it is stands at its end, which may be in another segment."""
    packet = b'40/chat,{"user":"ann"}'
    begin = request("POST", path_of("")).index(b"sid=")
    for cut in (1, 6, begin + 2, begin + 4, begin + 23):
        for sid in (await sessions_everywhere(three)).values():
            whole = request("POST", path_of(sid), packet)
            async with line(three.node.port) as one:
                one.write(whole[:cut])

                async def is_held(cut: int = cut) -> bool:
                    held = await three.numbers(
                        "chatroom_objects", kind="stranger_bytes"
                    )
                    return sum(held.values()) >= cut

                await wait_until(is_held, "the beginning is there")
                one.write(whole[cut:])
                assert (await one.answer())[0] == 200, cut


async def test_a_long_body_comes_whole(three: Crew) -> None:
    """At once, and in many pieces, of which others come while it is handed over."""
    text = json.dumps(["nosuch", {"text": "x" * 200_000}])
    packet = f"42/chat,1{text}".encode()
    for number, sid in (await sessions_everywhere(three)).items():
        await connect(three, sid, f"user{number}")
        for size in (len(packet) + 1_000, 9_000):
            whole = request("POST", path_of(sid), packet)
            async with line(three.node.port) as one:
                for begin in range(0, len(whole), size):
                    one.write(whole[begin : begin + size])
                assert await one.answer() == (200, "ok")
                _status, body = await one.ask("GET", path_of(sid))
                assert "unknown_event" in body


async def test_a_websocket_reaches_the_session_that_it_upgrades(three: Crew) -> None:
    """With what the client sent in one segment with its handshake."""
    for sid in (await sessions_everywhere(three)).values():
        async with line(three.node.port) as one:
            asked = request("GET", path_of(sid, "websocket"), headers=UPGRADE)
            one.write(asked + client_frame("2probe"))
            assert (await one.answer())[0] == 101
            assert await one.read(8) == b"\x81\x063probe"


async def test_a_session_that_is_nobodys_is_refused(three: Crew) -> None:
    """Of a worker that there is not, and one that a worker does not know."""
    known = next(iter((await sessions_everywhere(three)).values()))
    unknown = known[:16] + "____"
    assert mark_of(unknown) not in {each.number for each in three.workers}
    for sid in (unknown, "A" * 16 + known[16:]):
        async with line(three.node.port) as one:
            for _ in range(2):
                status, body = await one.ask("GET", path_of(sid))
                assert (status, json.loads(body)["code"]) == (400, 1)


async def test_what_is_no_request_line_is_refused_as_before(three: Crew) -> None:
    """A line that never ends is held no longer than any other head."""
    async with line(three.node.port) as one:
        one.write(b"\x16\x03\x01 hello\r\n\r\n")
        assert (await one.answer())[0] == 400
    async with line(three.node.port) as one:
        one.write(b"GET /socket.io/?" + b"a" * 40_000)
        assert (await one.answer())[0] == 400
