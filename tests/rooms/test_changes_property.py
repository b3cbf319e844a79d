"""Whoever applies events by `rev` has what a fresh fetch gives: over random histories.

Members on two nodes write, edit, delete, react, pin and read at once, go away and come
back elsewhere; the log is trimmed, publications are missed, and Redis loses its newest
writes.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.store import keys
from tests.kit.members import Member, member, text_of
from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import Payload
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import wait_until

ROOM = "42"
USERS = ("ann", "bob", "cid")
STEPS = 60
# Some races end in one of these; anything else is a defect.
EXPECTED = {"forbidden", "not_found", "too_large", "rate_limited", "unavailable"}


class Site:
    """The members and what they do, by one source of chance.

    Attributes:
        away: What those who are away had when they went.
        deleted: Messages whose deletion was acknowledged: nobody reads their words.
    """

    def __init__(
        self, nodes: list[Node], redis: Redis, rng: random.Random, stack: AsyncExitStack
    ) -> None:
        self.nodes = nodes
        self.redis = redis
        self.rng = rng
        self.stack = stack
        self.here: dict[str, tuple[Member, AsyncExitStack]] = {}
        self.away: dict[str, Member] = {}
        self.deleted: set[int] = set()
        self.written = 0
        self.refusals = 0

    @property
    def members(self) -> list[Member]:
        """Those who are here."""
        return [who for who, _ in self.here.values()]

    async def come(self, user: str) -> None:
        """Connect at some node, with what they had before."""
        own = await self.stack.enter_async_context(AsyncExitStack())
        who = await own.enter_async_context(member(self.rng.choice(self.nodes), user))
        before = self.away.pop(user, None)
        if before is not None:
            who.seen, who.cursors = before.seen, before.cursors
        self.here[user] = (who, own)
        await self.nodes_know_all()
        deleted = set(self.deleted)
        ack = await who.join(ROOM, who.cursors.get(ROOM))
        assert ack["ok"], ack
        for _, answer in who.timeline:
            for _, event in answer.get("events", ()):
                assert not ("text" in event and event["message"] in deleted), event

    async def nodes_know_all(self) -> None:
        """Wait until no publication of what is stored by now is on its way."""
        found: Any = await self.redis.hget(keys.meta(ROOM), "offset")
        top = int(found or 0)
        for node in self.nodes:
            feed = node.parts.feeds.get(keys.channel(ROOM))
            if feed is not None:
                await wait_until(
                    lambda feed=feed: feed.live and feed.position.offset >= top,
                    f"a node is at {top}",
                )

    async def go(self, user: str) -> None:
        """Disconnect, and keep what was seen."""
        who, own = self.here.pop(user)
        await own.aclose()
        self.away[user] = who

    async def act(self, who: Member) -> None:
        """Do one thing to some message, as members do at any time."""
        rng = self.rng
        last = max((each["message"] for each in who.seen[ROOM]), default=1)
        target: Payload = {
            "room": ROOM,
            "message": max(1, last - int(rng.expovariate(0.2))),
        }
        self.written += 1
        words = f"words {self.written}"
        event, payload = rng.choice(
            [
                *[("send", text_of(words, ROOM))] * 6,
                *[("edit", {**target, "clientId": f"e{self.written}", "text": words})]
                * 4,
                *[("delete", target)] * 2,
                *[("react", {**target, "key": rng.choice("abc"), "on": True})] * 3,
                ("react", {**target, "key": rng.choice("abc"), "on": False}),
                *[("pin", {**target, "on": rng.random() < 0.7})] * 2,
                ("mark_read", target),
            ]
        )
        answer = await who.ask(event, payload)
        if answer["ok"] and event == "delete":
            self.deleted.add(target["message"])
        elif not answer["ok"]:
            self.refusals += 1
            assert answer["error"]["code"] in EXPECTED, answer

    async def step(self) -> None:
        """Let some of them act at once; or let something go wrong."""
        chance = self.rng.random()
        if chance < 0.15 and self.away:
            await self.come(self.rng.choice(sorted(self.away)))
        elif chance < 0.3 and len(self.here) > 1:
            await self.go(self.rng.choice(sorted(self.here)))
        elif chance < 0.36:
            await self.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        elif chance < 0.4:
            kept = self.rng.randrange(5, 60)
            await self.redis.xtrim(keys.log(ROOM), maxlen=kept, approximate=False)
        else:
            busy = self.rng.choices(self.members, k=self.rng.randrange(1, 6))
            await asyncio.gather(*(self.act(who) for who in busy))

    async def compare(self) -> None:
        """Bring everybody up to date and hold what they have against a fresh fetch."""
        for user in sorted(self.away):
            await self.come(user)
        top: Any = await self.redis.hmget(keys.meta(ROOM), "offset", "uid")
        cursor = ":".join(top)
        for who in self.members:
            await wait_until(
                lambda who=who: who.cursors[ROOM] == cursor,
                f"{who.user} is at {cursor}",
            )
        async with member(self.nodes[0], "fresh") as fresh:
            joined = await fresh.join(ROOM)
            stored, first = await whole_history(fresh)
            for who in self.members:
                seen = [each for each in who.seen[ROOM] if each["message"] >= first]
                numbers = [each["message"] for each in seen]
                assert numbers == sorted(stored)[-len(numbers) or len(stored) :]
                assert seen == [stored[number] for number in numbers]
                assert sorted(who.pins[ROOM]) == sorted(joined["pins"])
                (room,) = (await who.do("rooms"))["rooms"]
                mark = room["lastReadMessage"]
                if mark >= first - 1:
                    left = [n for n in stored if n > mark and is_there(stored[n])]
                    assert room["unread"] == len(left)
                again = await who.join(ROOM, who.cursors[ROOM])
                assert again["unread"] == room["unread"]


def is_there(message: Payload) -> bool:
    """Tell whether a message was not deleted."""
    return bool(message["type"] != "deleted")


async def whole_history(who: Member) -> tuple[dict[int, Payload], int]:
    """Return all messages by number, and the first that there is."""
    found: dict[int, Payload] = {}
    after, more, first = 0, True, 1
    while more:
        page = await who.do("history", {"room": ROOM, "after": after, "limit": 100})
        found |= {each["message"]: each for each in page["messages"]}
        after, more, first = max(found, default=0), page["more"], page["firstAvailable"]
    return found, first


@asynccontextmanager
async def site(url: str, redis: Redis, rng: random.Random) -> AsyncIterator[Site]:
    """Run two nodes whose rooms keep little, with all members in the room."""
    async with (
        run_nodes(2, url, log_events=100, history_messages=100) as nodes,
        AsyncExitStack() as stack,
    ):
        made = Site(nodes, redis, rng, stack)
        for user in USERS:
            await made.come(user)
        record = '{"role":"moderator","joinedAt":1}'
        await redis.hset(keys.members(ROOM), "ann", record)
        yield made


@pytest.mark.parametrize("seed", range(6))
async def test_events_by_rev_come_to_what_a_fresh_fetch_gives(
    redis_server: RedisServer, redis_client: Redis, seed: int
) -> None:
    """Messages, reactions, pins and unread counts, whatever was missed and lost."""
    rng = random.Random(seed)
    async with site(redis_server.url, redis_client, rng) as here:
        for _ in range(STEPS):
            await here.step()
        await here.compare()
        for _ in range(STEPS):
            await here.step()
        await here.compare()
        assert here.written > STEPS


async def test_the_same_after_redis_lost_its_newest_writes(
    redis_server: RedisServer, redis_client: Redis
) -> None:
    """Changes of a past that is gone are gone with it, from every view."""
    rng = random.Random(7)
    async with site(redis_server.url, redis_client, rng) as here:
        for _ in range(STEPS):
            await here.step()
        await here.compare()
        redis_server.keep()
        await here.go("bob")
        for _ in range(10):
            await asyncio.gather(*(here.act(who) for who in here.members))
        await here.come("bob")
        await here.go("cid")
        redis_server.go_back()
        here.deleted.clear()
        for who in here.members:
            await who.next("reload", room=ROOM)
            assert (await who.join(ROOM))["ok"]
        for _ in range(STEPS):
            await here.step()
        await here.compare()
