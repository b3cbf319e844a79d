"""What others publish by mistake must not cost anybody a message."""

import pytest
from redis.asyncio import Redis

from realtime.store import keys, scripts
from tests.kit.members import all_see, member
from tests.kit.nodes import run_nodes

# Not UTF-8, and at the place of the room's next event.
GARBAGE = b'["message",{"offset":1,"uid":"x","text":"\xff"}]'
AMPLE = (3600, 10_000, 3_600_000, 10_000)


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
                *("EVAL", scripts.MESSAGE_LOG_APPEND.source, 6),
                *(names.log, names.messages, names.meta),
                *(names.last_read, names.members, names.sent_prefix + "c"),
                *("chatroom-43", "PUBLISH", "ann", "u1", said, *AMPLE),
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
