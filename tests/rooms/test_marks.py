"""Read marks in acks and `state`: never behind the messages beside them."""

import pytest

from realtime.store.room_snapshot import RoomSnapshot, RoomSnapshots
from tests.kit.members import member
from tests.kit.nodes import run_nodes


@pytest.mark.parametrize("announce_members", [1, 100], ids=["large", "small"])
async def test_what_a_user_writes_while_they_join_is_read(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, announce_members: int
) -> None:
    """Their phone writes; the ack at their desk has the message, and it is not unread.

    What somebody else writes then is unread, and read by who wrote it.
    """
    async with run_nodes(1, redis_url, announce_members=announce_members) as (node,):
        joining = node.services.joining
        join = joining.join
        async with (
            member(node, "ann", "42") as phone,
            member(node, "bob", "42") as bob,
            member(node, "ann") as desk,
        ):

            async def long(*arguments: object) -> object:
                # As when another room of the `sync` takes longer.
                pending = await join(*arguments)  # type: ignore[arg-type]
                await phone.send("mine")
                await bob.send("not mine")
                await phone.next("message", text="not mine")
                return pending

            monkeypatch.setattr(joining, "join", long)
            (ack,) = await desk.sync({"room": "42"})
            assert desk.texts() == ["mine", "not mine"]
            marks = ("lastMessage", "lastReadMessage", "unread")
            assert [ack[each] for each in marks] == [2, 1, 1]
            reads = {"ann": 1, "bob": 2} if announce_members > 1 else None
            assert ack["reads"] == reads


async def test_a_state_takes_no_mark_back(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob writes while the room's state is read for those who stay."""
    async with run_nodes(1, redis_url) as (node,):
        read = RoomSnapshots.read
        async with (
            member(node, "ann", "42") as ann,
            member(node, "bob", "42") as bob,
            member(node, "cid", "42") as cid,
        ):

            async def late(states: RoomSnapshots, room: str) -> RoomSnapshot:
                state = await read(states, room)
                await bob.send("one")
                await ann.next("message", text="one")
                return state

            monkeypatch.setattr(RoomSnapshots, "read", late)
            await cid.do("quit", {"room": "42"})
            state = await ann.next("state")
            assert state["reads"] == {"ann": 0, "bob": 1}
