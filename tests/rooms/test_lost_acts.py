"""Acts on rooms and people whose answer is lost on its way from Redis to the node."""

from typing import Any

import pytest

from realtime.redis.client import RedisClient
from realtime.redis.script import Script
from tests.kit.members import all_see, members
from tests.kit.nodes import Node

Payload = dict[str, Any]


@pytest.mark.parametrize(
    ("act", "payload", "done", "told"),
    [
        ("member_remove", {"user": "bob"}, {"removed": True}, "member_left"),
        (
            "member_remove",
            {"user": "bob", "banSeconds": 60},
            {"removed": True},
            "member_left",
        ),
        ("members_add", {"users": ["cho"]}, {"added": ["cho"]}, "member_joined"),
        ("member_set", {"user": "bob", "muteSeconds": 9}, {}, "member_changed"),
        ("room_set", {"name": "new"}, {}, "room_changed"),
        ("room_delete", {}, {}, "room_deleted"),
    ],
)
async def test_an_act_whose_answer_was_lost_is_done_once(
    nodes: list[Node],
    monkeypatch: pytest.MonkeyPatch,
    act: str,
    payload: Payload,
    done: Payload,
    told: str,
) -> None:
    """The node sends the script again after a cut; its answer is that of the first."""
    run = RedisClient.run_script

    def sent_again(self: RedisClient, script: Script, *given: Any) -> Any:
        if script.name == act:
            _ = run(self, script, *given)
        return run(self, script, *given)

    async with members(nodes, ["ann", "bob"], "42") as (ann, _bob):
        monkeypatch.setattr(RedisClient, "run_script", sent_again)
        ack = await ann.do(act, {"room": "42", **payload})
        assert done.items() <= ack.items()
        if act != "room_delete":
            await ann.send("end")
            await all_see([ann], ["end"])
        assert [name for name, _ in ann.timeline].count(told) == 1
