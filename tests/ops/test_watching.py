"""``tail``, ``trace`` and ``top``: what an operator sees of messages and nodes."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from realtime.node.settings_io import load_settings
from realtime.ops.samples import parse
from realtime.ops.tail import tail
from realtime.ops.top import top
from realtime.ops.trace import trace
from realtime.store import keys
from tests.kit.members import member
from tests.kit.nodes import run_nodes
from tests.kit.waiting import wait_until


@asynccontextmanager
async def tailing(redis_url: str, *, raw: bool = False) -> AsyncIterator[list[str]]:
    """Tail the room 42 until the block ends; give its lines."""
    settings = load_settings({"CHATROOM_REDIS_URL": redis_url})
    lines: list[str] = []
    task = asyncio.create_task(
        tail(settings, room="42", last=10, raw=raw, say=lines.append)
    )
    try:
        yield lines
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_room_is_shown_as_it_goes(redis_url: str, redis_client: Redis) -> None:
    """Its last messages, then what happens; nothing that a terminal would obey."""
    async with (
        run_nodes(1, redis_url) as (node,),
        member(node, "ann", "42") as ann,
        tailing(redis_url) as lines,
        tailing(redis_url, raw=True) as raw,
    ):
        sent = await ann.send("before")
        await wait_until(lambda: raw and lines, "what was before is shown")
        edit = {"room": "42", "message": 1, "text": "after", "clientId": "e"}
        await ann.do("edit", edit)
        await ann.send("next")
        await redis_client.publish(keys.channel("42"), b"\xff\x1b[2J no event")
        await wait_until(lambda: len(raw) >= 4 and len(lines) >= 4, "all is shown")
    assert lines[0].startswith("#1 ")
    assert lines[0].endswith(" ann: before")
    assert lines[1] == "* #1 edited by ann: after"
    assert lines[2].endswith(" ann: next")
    assert lines[3] == r"* \xff<U+001B>[2J no event"
    assert json.loads(raw[0])[1]["uid"] == sent["uid"]


async def test_a_message_is_traced_from_its_client_id(
    redis_url: str, redis_client: Redis
) -> None:
    """Stored or not, where it is now, and why somebody did not see it."""

    async def traced(client_id: str, to: str | None = None) -> tuple[bool, str]:
        lines: list[str] = []
        settings = load_settings({"CHATROOM_REDIS_URL": redis_url})
        stored = await trace(
            settings,
            client_id=client_id,
            room="42",
            user=None,
            to=to,
            as_json=False,
            say=lines.append,
        )
        return stored, "\n".join(lines)

    async with run_nodes(1, redis_url) as (node,), member(node, "ann", "42") as ann:
        await ann.send("a secret", client_id="one")
        stored, told = await traced("one", to="bob")
        assert stored
        assert "stored: as message 1 of room 42 by ann, at offset" in told
        assert "log: there, 0 events before the newest one" in told
        assert "history: there, as it was sent" in told
        assert "attending now: 1 at node" in told
        assert "gone" not in told
        assert "to bob: no member of the room" in told
        assert "a secret" not in told
        async with member(node, "bob", "42"):
            assert "to bob: attends with 1 sessions" in (await traced("one", "bob"))[1]
        await ann.do("delete", {"room": "42", "message": 1})
        assert "history: deleted, by ann" in (await traced("one"))[1]
        await redis_client.xtrim(keys.log("42"), maxlen=0)
        assert "log: trimmed" in (await traced("one"))[1]
        stored, told = await traced("another")
        assert not stored
        assert "nothing of any of 2 members was stored under another" in told


async def test_the_nodes_are_shown_as_they_are(redis_url: str) -> None:
    """Each by itself, with what it does a second; one that is away is named."""
    shown: list[str] = []
    async with run_nodes(2, redis_url) as nodes, member(nodes[0], "ann", "42") as ann:
        settings = load_settings({"CHATROOM_REDIS_URL": redis_url})

        async def watch(*, as_json: bool) -> None:
            urls = [*(node.url for node in nodes), "http://127.0.0.1:1"]
            assert await top(
                settings,
                urls=urls,
                every_seconds=0.5,
                once=True,
                as_json=as_json,
                say=shown.append,
            )

        async def talk() -> None:
            while True:
                await ann.send("hello")

        talking = asyncio.create_task(talk())
        await watch(as_json=True)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        await watch(as_json=False)
    picture = json.loads(shown[0])
    first, second, away = picture["nodes"]
    assert (first["sessions"], second["sessions"]) == (1, 0)
    assert first["sends/s"] > 0
    assert first["events/s"] >= first["sends/s"]
    assert second["sends/s"] == 0
    assert 0 < first["ack p99"] < 5
    assert away["trouble"]
    assert sum(each["attending"] for each in picture["leases"]) == 1
    assert "Redis knows 2 nodes:" in shown[1]
    assert "http://127.0.0.1:1: " in shown[1]


def test_numbers_of_workers_are_told_apart() -> None:
    """What is of all of them is none of theirs."""
    text = (
        '# TYPE a counter\na_total{worker="0"} 3\na_total{code="x",worker="1"} 4\n'
        'a_total{code="y",worker="1"} 5\nreloads_total{outcome="done"} 9\n'
        'b_bucket{le="0.5",worker="0"} 99\nb_bucket{le="+Inf",worker="0"} 100\n'
    )
    found = parse(text)
    assert list(found) == ["0", "1"]
    assert found["1"].total("a_total") == 9
    assert found["0"].quantile("b", 0.99, None) == 0.5
