"""Deployments that share one Redis by its databases hear nothing of each other."""

from redis.asyncio import Redis

from tests.kit.members import all_see, member, text_of
from tests.kit.nodes import run_nodes
from tests.kit.spread_redis import ONE_VALKEY


@ONE_VALKEY
async def test_two_databases_of_one_redis_are_two_deployments(
    redis_url: str, redis_client: Redis
) -> None:
    """Texts, typing, presence, read marks and quits stay where they are."""
    async with (
        run_nodes(1, redis_url) as (first,),
        run_nodes(2, f"{redis_url}?db=1") as (second, third),
        member(first, "ann", "42") as ann,
        member(second, "bob", "42") as bob,
        member(third, "cid", "42") as cid,
    ):
        assert set(await redis_client.pubsub_channels()) >= {
            "chatroom-42",
            "db1:{chatroom-42}",
        }
        await ann.send("of the first")
        await bob.send("of the second")
        await all_see([ann], ["of the first"])
        await all_see([bob, cid], ["of the second"])
        await bob.do("typing", {"room": "42", "on": True})
        await cid.next("typing", user="bob")
        await cid.do("mark_read", {"room": "42", "message": 1})
        await bob.next("read", user="cid")
        await cid.do("quit", {"room": "42"})
        await bob.next("state", memberCount=1)
        assert (await cid.refused("send", text_of("x")))["code"] == "not_attending"
        await ann.send("still here")
        await ann.next("message", text="still here")
        foreign = {"typing", "read", "presence", "state", "reload"}
        assert not foreign & {name for name, _ in ann.timeline}
    await redis_client.flushall()
