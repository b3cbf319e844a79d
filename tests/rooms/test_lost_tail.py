"""Redis lost its newest writes: everybody is told, and no two histories are mixed."""

import asyncio
from collections.abc import Sequence

from tests.kit.members import Member, all_see, member, text_of
from tests.kit.nodes import Node
from tests.kit.recording import Payload
from tests.kit.redis_server import RedisServer


async def rejoin(who: Member) -> Payload:
    """Do what a client does when it is told to reload: join without a cursor."""
    await who.next("reload", room="42")
    return await who.join()


def texts_of(answer: Payload) -> list[str]:
    """Return the texts in a join's answer."""
    return [payload["text"] for _, payload in answer["events"]]


async def test_attending_sessions_are_told_to_reload(
    nodes: list[Node], redis_server: RedisServer
) -> None:
    """Each once for its room; then both see one history again, and go on in it."""
    async with (
        member(nodes[0], "ann", "42") as ann,
        member(nodes[-1], "bob", "42") as bob,
    ):
        await ann.send("kept")
        await all_see([ann, bob], ["kept"])
        redis_server.keep()
        await ann.send("lost one")
        await bob.send("lost two")
        await all_see([ann, bob], ["kept", "lost one", "lost two"])
        redis_server.go_back()
        answers = await asyncio.gather(rejoin(ann), rejoin(bob))
        assert [texts_of(answer) for answer in answers] == [["kept"], ["kept"]]
        sent = await ann.send("new")
        assert (sent["message"], sent["offset"]) == (2, 2)
        await all_see([ann, bob], ["kept", "new"])
        assert not [event for event, _ in ann.kept + bob.kept if event == "reload"]


async def test_a_room_that_lost_nothing_goes_on(
    nodes: list[Node], redis_server: RedisServer
) -> None:
    """Only those rooms are reloaded whose events are gone."""
    async with member(nodes[0], "ann", "42", "43") as ann:
        await ann.send("kept", "43")
        redis_server.keep()
        await ann.send("lost", "42")
        await all_see([ann], ["lost"], "42")
        redis_server.go_back()
        await ann.next("reload", room="42")
        # The other room's state follows its reading of the log.
        await ann.next("state", room="43")
        assert not [p for event, p in ann.kept if event == "reload"]
        await ann.send("more", "43")
        await all_see([ann], ["kept", "more"], "43")


async def test_cursors_of_what_was_lost_are_not_honoured(
    nodes: list[Node], redis_server: RedisServer
) -> None:
    """Beyond the top at first, then at an offset that another event has taken."""
    cursors: list[str] = []
    async with member(nodes[0], "ann", "42") as ann:
        await ann.send("kept")
        cursors.append(ann.cursors["42"])
        redis_server.keep()
        for text in ("lost one", "lost two"):
            await ann.send(text)
            await all_see([ann], [*ann.texts()])
        await ann.next("message", text="lost two")
        cursors += [f"{each['offset']}:{each['uid']}" for each in ann.seen["42"][1:]]
    async with member(nodes[-1], "cid", "42"):
        # The node remembers what was lost, and must not prove anything by it.
        redis_server.go_back()
        assert await recovered(nodes[-1], cursors) == [True, False, False]
    async with member(nodes[0], "ann", "42") as ann:
        for text in ("new one", "new two", "new three"):
            await ann.send(text)
        await ann.next("message", text="new three")
    assert await recovered(nodes[-1], cursors) == [True, False, False]


async def test_a_node_s_memory_proves_nothing_after_a_cut(
    nodes: list[Node], redis_server: RedisServer
) -> None:
    """A join right after the loss waits until the node knows the log again."""
    async with member(nodes[-1], "cid", "42") as cid, member(nodes[-1], "bob") as bob:
        await cid.send("kept")
        redis_server.keep()
        await cid.send("lost")
        await all_see([cid], ["kept", "lost"])
        redis_server.go_back()
        answer = await bob.join("42", cid.cursors["42"])
        assert (answer["ok"], answer.get("recovered")) == (True, False), answer
        assert texts_of(answer) == ["kept"]


async def test_a_membership_that_was_lost_is_had_again_by_a_join(
    nodes: list[Node], redis_server: RedisServer
) -> None:
    """Whoever attends and is no member now is not shut out, but asked to join."""
    async with member(nodes[0], "ann", "42"):
        redis_server.keep()
        async with member(nodes[-1], "bob", "42") as bob:
            redis_server.go_back()
            await bob.next("state", room="42")
            error = await bob.refused("send", text_of("too early"))
            assert error["code"] == "not_attending"
            assert (await bob.join("42", bob.cursors["42"]))["recovered"]
            await bob.send("hello")


async def recovered(node: Node, cursors: Sequence[str]) -> list[bool]:
    """Return whether each cursor is honoured."""
    found = []
    for cursor in cursors:
        async with member(node, "bob") as bob:
            answer = await bob.join("42", cursor)
            assert answer["ok"], answer
            found.append(bool(answer["recovered"]))
    return found
