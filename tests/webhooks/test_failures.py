"""An application that fails: what is tried again, when, and what is given up."""

import asyncio
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from realtime.store.endpoints import Endpoints
from realtime.store.hook_queues import HookQueues
from realtime.webhooks import calls
from realtime.webhooks.calls import pause_of
from tests.kit.hook_receiver import Delivered, HookReceiver
from tests.kit.members import member
from tests.kit.metrics import labelled
from tests.kit.nodes import Node, run_nodes
from tests.kit.store_fixtures import LinkMaker
from tests.kit.waiting import MS, wait_until


def outcomes(nodes: list[Node], name: str) -> int:
    """Return how often something came of events, over all nodes."""
    return sum(labelled(node, "chatroom_webhook_events_total")[name] for node in nodes)


async def test_a_restart_of_the_application_is_not_noticed(
    two: list[Node], app: HookReceiver
) -> None:
    """While nobody listens events wait; then they come, in order, none is missing."""
    async with member(two[0], "ann", "42") as ann:
        await ann.send("0")
        await wait_until(lambda: app.accepted, "the first is told")
        port = app.port
        await app.stop()
        for number in range(1, 6):
            await ann.send(str(number))
        await wait_until(lambda: outcomes(two, "unreachable") > 0, "it is missed")
        await app.start(port)
        await wait_until(lambda: len(app.texts()) == 6, "all are told")
    assert app.texts() == [str(number) for number in range(6)]


@pytest.mark.parametrize("status", [500, 404, 302, 503, 429, None])
async def test_what_is_not_taken_is_told_again_in_its_order(
    two: list[Node], app: HookReceiver, status: int | None
) -> None:
    """An error, a redirect (not followed) or no answer: the same event, same id."""
    failed: list[str] = []

    def decide(event: Delivered) -> int | None:
        if event.data["text"] == "2" and len(failed) < 2:
            failed.append(event.id)
            return status
        return 200

    app.decide = decide
    async with member(two[0], "ann", "42") as ann:
        for number in range(4):
            await ann.send(str(number))
        await wait_until(lambda: len(app.texts()) == 4, "all are told")
    assert app.texts() == ["0", "1", "2", "3"]
    assert len({*failed}) == 1
    name = "timeout" if status is None else "refused"
    assert outcomes(two, name) == 2


async def test_what_is_never_taken_holds_up_its_room_for_a_while_only(
    two: list[Node], app: HookReceiver
) -> None:
    """Other rooms at no time; it is tried beside them, then given up and kept."""
    app.decide = lambda event: 500 if event.data["text"] == "bad" else 204
    async with (
        member(two[0], "ann", "42") as ann,
        member(two[1], "bob", "other") as bob,
    ):
        await ann.send("bad")
        await ann.send("good")
        await wait_until(lambda: len(app.tried) > 1, "it is tried")
        await bob.send("quick", "other")
        await wait_until(lambda: app.texts("other"), "the other room is told")
        assert app.texts() == []
        await wait_until(lambda: app.texts() == ["good"], "its room goes on")
        await wait_until(lambda: outcomes(two, "given_up") == 1, "it is given up")
    tries = [each for each in app.tried if each.data["text"] == "bad"]
    assert len({each.id for each in tries}) == 1


async def test_what_was_given_up_can_be_told_again(
    two: list[Node], app: HookReceiver, make_link: LinkMaker
) -> None:
    """It is kept with its body; replayed, it is told under its id."""
    app.decide = lambda _event: 500
    async with (
        member(two[0], "ann", "42") as ann,
        make_link() as link,
    ):
        queues = HookQueues(link, limit_bytes=1024 * 1024)
        await ann.send("hello")
        await wait_until(lambda: outcomes(two, "given_up") == 1, "it is given up")
        (letter,) = await queues.dead("app", after="", limit=10)
        assert (letter.why, letter.tries) == ("failed", 3)
        assert letter.event_id == app.tried[0].id
        app.decide = lambda _event: 204
        assert await queues.replay("app", letter.entry)
        await wait_until(lambda: app.texts() == ["hello"], "it is told")
        assert app.ids == [letter.event_id]
        assert await queues.dead("app", after="", limit=10) == []
        assert not await queues.replay("app", letter.entry)


async def test_who_says_gone_is_told_nothing_any_more(
    two: list[Node], app: HookReceiver, make_link: LinkMaker
) -> None:
    """Until the endpoint is enabled: then with what it was to be told before."""
    app.decide = lambda _event: 410
    async with (
        member(two[0], "ann", "42") as ann,
        make_link() as link,
    ):
        endpoints = Endpoints(link)

        async def disabled() -> bool:
            (state,) = await endpoints.states(["app"])
            return state.get("disabled") == "gone"

        await ann.send("one")
        await wait_until(disabled, "it is disabled")
        await wait_until(
            lambda: not any(node.parts.outbox.active for node in two),
            "all nodes know",
        )
        await ann.send("two")
        app.decide = lambda _event: 204
        assert app.accepted == []
        assert await endpoints.enable("app")
        await wait_until(
            lambda: all(node.parts.outbox.active for node in two), "all nodes know"
        )
        await ann.send("three")
        await wait_until(lambda: "three" in app.texts(), "it is told again")
        assert len(app.tried) - len(app.accepted) == 1


async def test_who_fails_for_days_is_told_nothing_any_more(
    two: list[Node],
    app: HookReceiver,
    make_link: LinkMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log says so, and how to go on."""
    monkeypatch.setattr(calls, "FAILING_SECONDS", 300 * MS)
    app.decide = lambda _event: 500
    async with (
        member(two[0], "ann", "42") as ann,
        make_link() as link,
    ):
        await ann.send("one")

        async def disabled() -> bool:
            (state,) = await Endpoints(link).states(["app"])
            return state.get("disabled") == "failing"

        await wait_until(disabled, "it is disabled")


async def test_who_fails_at_some_events_is_not_disabled(
    two: list[Node], app: HookReceiver, make_link: LinkMaker
) -> None:
    """One answer is enough: failures beside it, at the same moment, do not count."""
    app.decide = lambda event: 500 if "bad" in event.data["text"] else 204
    async with (
        member(two[0], "ann") as ann,
        make_link() as link,
    ):
        for room in range(10):
            await ann.join(f"room-{room}")
        for turn in range(5):
            await asyncio.gather(
                *(
                    ann.send(f"{'bad' if room % 2 else 'good'} {turn}", f"room-{room}")
                    for room in range(10)
                )
            )
        await wait_until(
            lambda: len(app.of_type("message.created")) == 25, "the good ones are told"
        )
        (state,) = await Endpoints(link).states(["app"])
        assert "disabled" not in state


async def test_an_application_may_ask_for_a_pause(
    two: list[Node], app: HookReceiver
) -> None:
    """429 and 503 with ``Retry-After``: nothing is sent before, of any room."""
    app.decide = lambda _event: 429
    app.retry_after = "1"
    async with (
        member(two[0], "ann", "42") as ann,
        member(two[1], "bob", "other") as bob,
    ):
        await ann.send("one")
        await wait_until(lambda: app.tried, "it is tried")
        asked = time.monotonic()
        app.decide = lambda _event: 204
        await bob.send("two", "other")
        await wait_until(lambda: len(app.accepted) == 2, "both are told")
        assert time.monotonic() - asked > 0.9


def test_the_pause_that_is_asked_for() -> None:
    """Seconds or a date, an hour at most; what is neither asks for none."""
    assert pause_of(None) == 0
    assert pause_of("7") == 7
    assert pause_of("-7") == 0
    assert pause_of("1e9") == calls.PAUSE_MOST_SECONDS
    assert pause_of("nan") == 0
    assert 50 < pause_of(formatdate(time.time() + 60, usegmt=True)) <= 60
    assert pause_of("tomorrow") == 0


async def test_a_queue_has_a_bound(
    app: HookReceiver, redis_url: str, hooks_file: Path, make_link: LinkMaker
) -> None:
    """The oldest go to what was given up, which has the same; sends go on."""
    app.decide = lambda _event: 500
    settings = {"hooks_file": hooks_file, "hook_allow": "127.0.0.1"}
    async with (
        run_nodes(1, redis_url, hook_queue_bytes=20_000, **settings) as nodes,
        member(nodes[0], "ann", "42") as ann,
        make_link() as link,
    ):
        queues = HookQueues(link, limit_bytes=20_000)
        await asyncio.gather(*(ann.send("x" * 1_000) for _ in range(50)))
        await wait_until(lambda: outcomes(nodes, "queued") == 50, "all were queued")
        await wait_until(lambda: outcomes(nodes, "overflow") > 20, "the oldest went")
        waiting, dead = await queues.sizes("app")
        assert 10 < waiting < 20
        assert 10 < dead < 20
        letters = await queues.dead("app", after="", limit=100)
        assert {each.why for each in letters} == {"overflow"}
