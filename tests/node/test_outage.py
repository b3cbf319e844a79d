"""Redis away: clients stay connected, are told, and everything heals by itself."""

import asyncio

import aiohttp
import pytest

from realtime.node.outage import TELL_SECONDS, OutageWatch
from tests.kit.members import text_of
from tests.kit.nodes import NAMESPACE, client, run_nodes
from tests.kit.recording import recording
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until


async def readiness(url: str) -> int:
    """Return the status of ``/readyz``."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/readyz") as answer:
        return answer.status


async def reasons(url: str) -> list[str]:
    """Return why a node is not ready."""
    async with aiohttp.ClientSession() as http, http.get(f"{url}/readyz") as answer:
        found: list[str] = (await answer.json()).get("reasons", [])
        return found


async def test_a_node_that_is_deaf_says_so(redis_server: RedisServer) -> None:
    """Commands are answered and nothing is heard: balancers and clients are told."""
    told: asyncio.Queue[bool] = asyncio.Queue()
    message = {"room": "42", "clientId": "one", "type": "text", "text": "hello"}
    async with run_nodes(1, redis_server.url) as (node,), client(node, "ann") as ann:
        seen: list[str] = []
        ann.on("service", lambda p: told.put_nowait(p["available"]), NAMESPACE)
        ann.on("message", lambda p: seen.append(p["clientId"]), NAMESPACE)
        await ann.call("join", {"room": "42"}, namespace=NAMESPACE)
        # Who may use no channel loses the Pub/Sub connection, and gets none again.
        redis_server.admin.execute_command("ACL", "SETUSER", "default", "resetchannels")

        async def deaf() -> bool:
            return await reasons(node.url) == ["Redis Pub/Sub: not subscribed."]

        await wait_until(deaf, "the node is not ready, for this reason alone")
        assert await told.get() is False
        listed = await ann.call("rooms", namespace=NAMESPACE)
        assert listed["ok"]
        redis_server.admin.execute_command("ACL", "SETUSER", "default", "allchannels")

        async def ready() -> bool:
            return not await reasons(node.url)

        await wait_until(ready, "the node hears again")
        assert await told.get() is True
        assert (await ann.call("send", message, namespace=NAMESPACE))["ok"]
        await wait_until(lambda: seen == ["one"], "what is said arrives")


async def test_clients_are_told_and_served_again(redis_server: RedisServer) -> None:
    """The same connection sees the outage, a temporary error, and a good ack."""
    told: asyncio.Queue[bool] = asyncio.Queue()
    message = {"room": "42", "clientId": "one", "type": "text", "text": "hello"}
    async with run_nodes(1, redis_server.url) as (node,), client(node, "ann") as ann:
        ann.on("service", lambda p: told.put_nowait(p["available"]), NAMESPACE)
        await ann.call("join", {"room": "42"}, namespace=NAMESPACE)
        redis_server.kill()
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await told.get() is False
        assert await readiness(node.url) == 503
        refused = await ann.call("send", message, namespace=NAMESPACE)
        assert refused["error"]["code"] in {"unavailable", "unknown"}
        assert refused["error"]["temporary"] is True
        redis_server.start()
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await told.get() is True
        acked = await ann.call("send", message, namespace=NAMESPACE)
        assert (acked["ok"], acked["message"]) == (True, 1)

        async def ready() -> bool:
            return await readiness(node.url) == 200

        await wait_until(ready, "the node is ready again")


async def test_a_node_whose_redis_is_full_says_so(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis answers and stores nothing: balancers are told, and the log, in a line."""
    message = {"room": "42", "clientId": "one", "type": "text", "text": "hello"}
    async with (
        run_nodes(1, redis_server.url, lease_seconds=1_000 * MS) as (node,),
        client(node, "ann") as ann,
    ):
        await ann.call("join", {"room": "42"}, namespace=NAMESPACE)
        redis_server.admin.config_set("maxmemory", 1)

        for _ in range(3):
            answer = await ann.call("send", message, namespace=NAMESPACE)
            assert answer["error"]["code"] == "unavailable"

        async def is_told() -> bool:
            return await reasons(node.url) == ["Redis commands: refused."]

        await wait_until(is_told, "the node is not ready, for this reason alone")
        lines = [each for each in caplog.messages if "Redis refuses" in each]
        assert len(lines) == 1, lines
        assert "OOM" in lines[0]
        redis_server.admin.config_set("maxmemory", 0)

        async def ready() -> bool:
            return not await reasons(node.url)

        await wait_until(ready, "Redis has room again")
        assert (await ann.call("send", message, namespace=NAMESPACE))["ok"]


async def test_a_full_redis_has_its_members_and_takes_no_new_ones(
    redis_server: RedisServer,
) -> None:
    """Who is a member comes back and reads; who is none is told when to try again.

    They are connected all the same, on no list, and their same join works as soon as
    there is space.
    """
    room = {"room": "42"}
    async with (
        run_nodes(1, redis_server.url) as (node,),
        recording(node, "ann") as ann,
    ):
        await ann.do("join", room)
        await ann.do("send", text_of("before"))
        redis_server.admin.config_set("maxmemory", 1)
        async with recording(node, "ann") as back, recording(node, "new") as new:
            assert (await back.do("join", room))["lastMessage"] == 1
            page = await back.do("history", room)
            assert [each["text"] for each in page["messages"]] == ["before"]
            for each in ("42", "another"):
                error = await new.refused("join", {"room": each})
                assert (error["code"], error["temporary"]) == ("unavailable", True)
                assert error["retryAfter"] > 0
            assert (await new.do("rooms", {}))["rooms"] == []
            redis_server.admin.config_set("maxmemory", 0)
            await new.do("join", room)
            assert [each["room"] for each in (await new.do("rooms", {}))["rooms"]] == [
                "42"
            ]


async def test_who_left_during_an_outage_is_gone_after_it(
    redis_server: RedisServer,
) -> None:
    """The session lists are mended: nobody is shown as here who is not."""
    async with (
        run_nodes(1, redis_server.url, lease_seconds=1_000 * MS) as (node,),
        client(node, "ann") as ann,
    ):
        await ann.call("join", {"room": "42"}, namespace=NAMESPACE)
        async with client(node, "bob") as bob:
            await bob.call("join", {"room": "42"}, namespace=NAMESPACE)
            redis_server.kill()

        async def not_ready() -> bool:
            return await readiness(node.url) == 503

        await wait_until(not_ready, "the node notices")
        redis_server.start()

        def only_ann() -> bool:
            return redis_server.admin.hkeys("{chatroom-42}:online") == [b"ann"]

        await wait_until(only_ann, "bob is taken off the list")


class Watched:
    """A Redis that is up or not, and a clock that stands."""

    def __init__(self) -> None:
        self.up = True
        self.now = 100.0
        self.told: list[bool] = []
        self.watch = OutageWatch(
            is_up=lambda: self.up, tell=self.told.append, clock=lambda: self.now
        )

    def passes(self, seconds: float) -> None:
        """Let time go by, and the watch look once."""
        self.now += seconds
        self.watch.look()


def test_a_short_cut_is_no_news() -> None:
    """A reconnect that takes a moment is not told."""
    watched = Watched()
    watched.up = False
    watched.passes(TELL_SECONDS / 2)
    watched.up = True
    watched.passes(TELL_SECONDS)
    assert watched.told == []


def test_an_outage_is_told_once_and_its_end_once() -> None:
    """However long it lasts."""
    watched = Watched()
    watched.up = False
    for _ in range(5):
        watched.passes(TELL_SECONDS)
    assert watched.told == [False]
    watched.up = True
    watched.passes(TELL_SECONDS)
    watched.passes(TELL_SECONDS)
    assert watched.told == [False, True]
