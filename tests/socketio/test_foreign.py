"""What others publish by mistake must not cost anybody a message."""

import pytest
from redis.asyncio import Redis

from realtime.store import keys, scripts
from tests.kit.members import all_see, member
from tests.kit.nodes import run_nodes
from tests.kit.spread_redis import ONE_VALKEY

# Not UTF-8, and at the place of the room's next event.
GARBAGE = b'["message",{"offset":1,"uid":"x","text":"\xff"}]'
AMPLE = (3600, 10_000, 3_600_000, 10_000)


@ONE_VALKEY
@pytest.mark.parametrize("garbage", [GARBAGE, b'{"method":"emit","data":1}', b"\xff"])
async def test_garbage_in_one_room_takes_nothing_from_another(
    redis_url: str, redis_client: Redis, garbage: bytes
) -> None:
    """Both arrive in one read: the other room's message is shown, once."""
    names = keys.append_keys("43", "ann")
    said = '"room":"43","user":"ann","type":"text","text":"hello","clientId":"c"'
    async with (
        run_nodes(1, redis_url) as nodes,
        member(nodes[0], "ann", "42", "43") as ann,
    ):
        async with redis_client.pipeline(transaction=True) as together:
            append = (
                *("EVAL", scripts.MESSAGE_LOG_APPEND.source, 7),
                *(names.log, names.messages, names.meta),
                *(names.last_read, names.members, names.slow),
                names.sent_prefix + "c",
                *("chatroom-43", "PUBLISH", "ann", "u1", said, *AMPLE, ""),
            )
            for command in (("PUBLISH", "chatroom-42", garbage), append):
                together.execute_command(*command)
            await together.execute()
        await all_see([ann], ["hello"], "43")
        await ann.send("more", "43")
        await all_see([ann], ["hello", "more"], "43")
        # A packet that a client cannot read would end its connection.
        assert ann.sio.connected
        ann.problems.clear()
        ann.faults.clear()


@pytest.mark.parametrize("depth", [200, 600, 20_000])
@pytest.mark.parametrize("method", ["emit", "close_room"])
async def test_a_control_message_that_nests_deeply_is_left_aside(
    redis_url: str,
    redis_client: Redis,
    caplog: pytest.LogCaptureFixture,
    depth: int,
    method: str,
) -> None:
    """The connection that brings all messages lives on."""
    nested = "[" * depth + "]" * depth
    control = (
        f'{{"method":"{method}","event":"note","namespace":"/chat",'
        f'"room":"chatroom-42","data":{nested}}}'
    )
    async with (
        run_nodes(1, redis_url) as nodes,
        member(nodes[0], "ann", "42", "43") as ann,
    ):
        for channel in ("chatroom-42", "chatroom"):
            await redis_client.publish(channel, control)
        await ann.send("hello", "43")
        await all_see([ann], ["hello"], "43")
        assert "a batch could not be taken" not in caplog.text
        assert "connection lost" not in caplog.text.lower()
        ann.problems.clear()
