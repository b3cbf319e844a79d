"""What is kept on two shards agrees in the end, in whatever order they carry out.

The real parts run against a real Redis, but each command waits until the test lets it
be carried out: those of one slot in their order, those of two in any. All orders are
tried.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.errors import UnavailableError
from realtime.presence.presence import Presence
from realtime.presence.room_counts import RoomCounts
from realtime.redis.client import RedisClient
from realtime.redis.cluster.client import ClusterClient
from realtime.redis.connection import Argument
from realtime.redis.script import Script
from realtime.store import keys
from realtime.store.membership import Memberships
from realtime.store.personal_log import PersonalLog
from tests.kit.waiting import DEADLINE_SECONDS

ROOM, USER, SID, NODE = "42", "ann", "s1", "n1"
# Turns of the loop after which whoever has been answered has asked for what is next.
TURNS = 12


class Shards:
    """Stands before a client, as a client of a cluster; each slot is a shard.

    Attributes:
        lanes: By hash tag, what waits there.
        is_cut: Whether all fails: the node is gone.
    """

    publish_command = RedisClient.publish_command
    generation = 1
    database = 0
    is_cluster = True
    in_turn = ClusterClient.in_turn

    def __init__(self, link: RedisClient) -> None:
        self._link = link
        self.lanes: dict[str, list[tuple[asyncio.Future[Any], Callable[[], Any]]]] = {}
        self.is_cut = False

    def call(self, *command: Argument, resend: bool = True) -> Awaitable[Any]:
        """Carry out a command, in its turn."""
        make = lambda: self._link.call(*command, resend=resend)  # noqa: E731
        return self._pass(str(command[1]), make)

    def run_script(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> Awaitable[Any]:
        """Run a script, in its turn."""
        return self._pass(keys[0], lambda: self._link.run_script(script, keys, args))

    def _pass(self, key: str, call: Callable[[], Any]) -> Awaitable[Any]:
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.is_cut:
            reply.set_exception(UnavailableError("It is gone."))
            reply.exception()
        else:
            self.lanes.setdefault(key.partition("}")[0], []).append((reply, call))
        return reply

    async def step(self, lane: str) -> None:
        """Let the first call of a shard through; whoever waits for it goes on."""
        reply, call = self.lanes[lane].pop(0)
        if not self.lanes[lane]:
            del self.lanes[lane]
        answer = await call()
        if not reply.done():
            reply.set_result(answer)
        for _ in range(TURNS):
            await asyncio.sleep(0)

    def cut(self) -> None:
        """Let nothing through any more."""
        self.is_cut = True
        for lane in self.lanes.values():
            for reply, _ in lane:
                if not reply.done():
                    reply.set_exception(UnavailableError("It is gone."))
                    reply.exception()
        self.lanes.clear()


Scene = Callable[[], tuple[list[Shards], list[Coroutine[Any, Any, Any]]]]


async def play(
    scene: Scene, chosen: Sequence[int], cut_after: int | None = None
) -> list[tuple[int, int]]:
    """Carry a scene out in an order; where it was not told, it takes the first choice.

    Args:
        scene: Returns the nodes' clients, and what they do at once.
        chosen: Which of the calls that wait is next.
        cut_after: After so many calls the first node is killed.

    Returns:
        What was taken each time, and of how many.
    """
    shards, doing = scene()
    tasks = [asyncio.create_task(each) for each in doing]
    await asyncio.sleep(0)
    taken: list[tuple[int, int]] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not all(task.done() for task in tasks) or any(
            each.lanes for each in shards
        ):
            if len(taken) == cut_after:
                shards[0].cut()
            waiting = [(each, lane) for each in shards for lane in sorted(each.lanes)]
            if not waiting:
                await asyncio.sleep(0)
                continue
            choice = chosen[len(taken)] if len(taken) < len(chosen) else 0
            taken.append((choice, len(waiting)))
            which, lane = waiting[choice]
            await which.step(lane)
    for each in await asyncio.gather(*tasks, return_exceptions=True):
        assert not isinstance(each, BaseException) or isinstance(each, UnavailableError)
    return taken


async def play_all(
    redis: Redis,
    scene: Scene,
    check: Callable[[], Awaitable[None]],
    *,
    prepare: Callable[[], Awaitable[None]] | None = None,
    cut_after: int | None = None,
) -> int:
    """Try all orders of a scene; return how many there are."""
    runs = 0
    pending: list[list[int]] = [[]]
    while pending:
        chosen = pending.pop()
        await redis.flushall()
        if prepare is not None:
            await prepare()
        taken = await play(scene, chosen, cut_after)
        runs += 1
        try:
            await check()
        except AssertionError as error:
            raise AssertionError(f"{taken}, cut after {cut_after}: {error}") from None
        order = [choice for choice, _ in taken]
        for place in range(len(chosen), len(taken)):
            pending += [[*order[:place], other] for other in range(1, taken[place][1])]
    return runs


class Silent(PersonalLog):
    """Tells nobody."""

    async def added(self, user: str, room: str) -> bool:
        """Do nothing."""
        return True

    async def removed(self, user: str, room: str, reason: str) -> bool:
        """Do nothing."""
        return True


def presence_of(shards: Shards) -> Presence:
    """Return a node's presence."""
    redis: Any = shards
    counts = RoomCounts.of_presence(redis)
    return Presence(redis, node=NODE, announce_users=10, counts=counts)


async def test_a_killed_node_leaves_nothing_that_a_sweep_does_not_find(
    link: RedisClient, redis_client: Redis
) -> None:
    """A session is on its node's list before it is on the room's, on another shard.

    The node is killed at each place while one enters and another leaves.
    """

    def scene() -> tuple[list[Shards], list[Coroutine[Any, Any, Any]]]:
        shards = Shards(link)
        presence = presence_of(shards)
        entering = [
            presence.enter(room=ROOM, sid=sid, user=USER, device=None)
            for sid in (SID, "s2")
        ]
        return [shards], [*entering, presence.leave(room=ROOM, sid=SID)]

    async def check() -> None:
        sweeper = Presence(
            link, node="n2", announce_users=10, counts=RoomCounts.of_presence(link)
        )
        await sweeper.sweep(NODE)
        assert await redis_client.keys("{*") == []

    runs = 0
    for cut_after in range(8):
        runs += await play_all(redis_client, scene, check, cut_after=cut_after)
    assert runs > 20


async def test_who_left_while_entering_is_on_no_list(
    link: RedisClient, redis_client: Redis
) -> None:
    """Also where the shard of the node's list answers later than the room's."""

    def scene() -> tuple[list[Shards], list[Coroutine[Any, Any, Any]]]:
        shards = Shards(link)
        presence = presence_of(shards)
        entering = presence.enter(room=ROOM, sid=SID, user=USER, device=None)
        return [shards], [entering, presence.leave(room=ROOM, sid=SID)]

    async def check() -> None:
        assert await redis_client.hkeys(keys.sessions(ROOM)) == []

    assert await play_all(redis_client, scene, check) > 1


@pytest.mark.timeout(120)
async def test_a_member_finds_the_room_on_their_list(
    link: RedisClient, redis_client: Redis
) -> None:
    """One device quits while another one joins, on two nodes: both sides agree."""

    async def prepare() -> None:
        """Make them a member; the joining device has looked at the list before."""
        rooms = Memberships(link, user_rooms_limit=3, empty_room_seconds=3600)
        await rooms.claim(ROOM, USER)
        await rooms.admit(ROOM, USER)

    def scene() -> tuple[list[Shards], list[Coroutine[Any, Any, Any]]]:
        nodes = [Shards(link), Shards(link)]
        of_join, of_quit = (
            Memberships(
                each,  # type: ignore[arg-type]
                user_rooms_limit=3,
                empty_room_seconds=3600,
                personal=Silent(link),
            )
            for each in nodes
        )

        async def join() -> None:
            await of_join.admit(ROOM, USER)

        async def leave() -> None:
            await of_quit.quit(ROOM, USER)
            await of_quit.unlist(ROOM, USER)

        return nodes, [join(), leave()]

    async def check() -> None:
        is_member = await redis_client.hexists(keys.members(ROOM), USER)
        is_listed = await redis_client.sismember(keys.user_rooms(USER), ROOM)
        assert is_listed or not is_member

    assert await play_all(redis_client, scene, check, prepare=prepare) > 20
