"""The before-send hook: what the application decides, and what happens without it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

from realtime.moderation import hook
from realtime.outbound import breaker
from realtime.store import keys
from tests.kit.hook_server import SECRET, HookServer, hook_server
from tests.kit.members import all_see, member, text_of
from tests.kit.metrics import labelled, limits_met
from tests.kit.nodes import Node, run_nodes, run_process
from tests.kit.pictures import picture
from tests.kit.recording import Payload
from tests.kit.tls import certificate
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until

ALLOW = {"action": "allow"}


@pytest.fixture
async def app() -> AsyncIterator[HookServer]:
    """An application that allows everything."""
    async with hook_server() as server:
        yield server


@pytest.fixture
async def two(app: HookServer, redis_url: str) -> AsyncIterator[list[Node]]:
    """Two nodes that ask it."""
    async with run_nodes(2, redis_url, **app.settings) as nodes:
        yield nodes


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the application answer in a tenth of a second, and be tried soon again."""
    monkeypatch.setattr(hook, "CALL_MS", 100_000 * MS)
    monkeypatch.setattr(breaker, "OPEN_SECONDS", 200 * MS)


def outcomes(node: Node) -> dict[str, int]:
    """Return what came of the messages that a node looked at."""
    counts = labelled(node, "chatroom_moderated_total")
    return {name: count for name, count in counts.items() if count}


async def test_the_application_decides(two: list[Node], app: HookServer) -> None:
    """Allowed, denied with a reason, or replaced, before anybody sees it."""

    def decide(data: Payload) -> Payload:
        match data["text"]:
            case "bad":
                return {"action": "deny", "reason": "Not\nhere, please." + "x" * 500}
            case "worse":
                return {"action": "deny"}
            case "rude":
                return {"action": "replace", "text": "  kind  ", "other": 1}
        return ALLOW

    app.decide = decide
    async with member(two[0], "ann", "42") as ann, member(two[1], "bob", "42") as bob:
        await ann.send("good")
        error = await bob.refused("send", text_of("bad"))
        assert (error["code"], error["reason"]) == ("forbidden", "denied")
        assert error["message"].startswith("Nothere, please.x")
        assert len(error["message"]) <= 200
        assert not error["temporary"]
        assert (await bob.refused("send", text_of("worse")))["reason"] == "denied"
        ack = await bob.send("rude")
        assert ack["message"] == 2
        await all_see([ann, bob], ["good", "kind"])
        page = await ann.do("history", {"room": "42"})
        assert [each["text"] for each in page["messages"]] == ["good", "kind"]
    assert outcomes(two[0]) == {"allowed": 1}
    assert outcomes(two[1]) == {"denied": 2, "replaced": 1}


async def test_what_it_is_asked(two: list[Node], app: HookServer) -> None:
    """One signed request with the message, by which it knows who asks about what."""
    payload = text_of("hi @bob") | {"mentions": ["bob"], "replyTo": 1}
    async with member(two[0], "ann", "42") as ann:
        await ann.send("first")
        await ann.do("send", payload)
    first, asked = app.asked
    assert first.is_signed
    assert asked.is_signed
    assert first.headers["webhook-id"] != asked.headers["webhook-id"]
    assert "." not in asked.headers["webhook-id"]
    assert asked.headers["content-type"] == "application/json"
    assert asked.data == {**payload, "user": "ann"}
    assert b'"type":"message.before_send","timestamp":"20' in asked.body


async def test_a_repeat_is_not_asked_about(two: list[Node], app: HookServer) -> None:
    """What is stored is stored, whatever the application thinks of it by now."""
    async with member(two[0], "ann", "42") as ann, member(two[1], "ann", "42") as again:
        first = await ann.send("hi", client_id="c1")
        app.decide = lambda _data: {"action": "deny"}
        repeat = await again.send("hi", client_id="c1")
        assert (repeat["message"], repeat["duplicate"]) == (first["message"], True)
        await all_see([ann, again], ["hi"])
        # It was never stored, so it is a new one.
        refused = text_of("no", client_id="c2")
        await ann.refused("send", refused)
        app.decide = lambda _data: ALLOW
        assert not (await again.do("send", refused))["duplicate"]
    assert app.texts == ["hi", "no", "no"]


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("policy", ["closed", "open"])
async def test_no_answer_in_time(app: HookServer, redis_url: str, policy: str) -> None:
    """Closed: nothing is stored, and it may be tried again. Open: it passes."""
    app.holds = lambda data: data["text"] == "slow"
    settings = app.settings | {"hook_fail": policy}
    async with (
        run_nodes(2, redis_url, **settings) as nodes,
        member(nodes[0], "ann", "42") as ann,
        member(nodes[1], "bob", "42") as bob,
    ):
        answer = await ann.ask("send", text_of("slow"))
        await bob.send("quick")
        if policy == "closed":
            error = answer["error"]
            assert (error["code"], error["temporary"]) == ("unavailable", True)
            assert error["retryAfter"] == hook.RETRY_MS
            await all_see([ann, bob], ["quick"])
        else:
            assert answer["ok"]
            await all_see([ann, bob], ["slow", "quick"])
        assert outcomes(nodes[0]) == {"timeout": 1}


UNUSABLE = {
    "no-json": lambda: web.Response(text="yes"),
    "no-action": lambda: {"action": "maybe"},
    "no-object": lambda: ["allow"],
    "nothing": lambda: {"action": "replace"},
    "empty-text": lambda: {"action": "replace", "text": "  "},
    "long-text": lambda: {"action": "replace", "text": "x" * 4_001},
    "number": lambda: {"action": "replace", "text": 5},
}
FAILED = {
    "error": lambda: web.json_response(ALLOW, status=500),
    "redirect": lambda: web.Response(status=307, headers={"Location": "/other"}),
    "too-long": lambda: web.json_response(ALLOW | {"reason": "x" * 70_000}),
}


@pytest.mark.parametrize("kind", [*UNUSABLE, *FAILED])
async def test_an_answer_that_is_none(
    two: list[Node], app: HookServer, kind: str
) -> None:
    """Nothing of it holds, and a redirect is not followed."""
    made: Any = (UNUSABLE | FAILED)[kind]
    app.decide = lambda _data: made()
    async with member(two[0], "ann", "42") as ann:
        error = await ann.refused("send", text_of("hi"))
        assert (error["code"], error["retryAfter"]) == ("unavailable", hook.RETRY_MS)
        assert len(app.asked) == 1
        assert app.strays == []
        page = await ann.do("history", {"room": "42"})
        assert page["messages"] == []
    assert outcomes(two[0]) == {"unusable" if kind in UNUSABLE else "failed": 1}


@pytest.mark.usefixtures("hurried")
async def test_what_fails_is_left_alone_and_tried_again(
    two: list[Node], app: HookServer
) -> None:
    """After five failures nobody waits for it; when it is well, it is asked again."""
    app.decide = lambda _data: web.Response(status=503)
    async with member(two[0], "ann", "42") as ann:
        for number in range(breaker.FAILURES):
            await ann.refused("send", text_of(f"failed {number}"))
        error = await ann.refused("send", text_of("not asked"))
        assert error["code"] == "unavailable"
        assert len(app.asked) == breaker.FAILURES
        app.decide = lambda _data: ALLOW

        async def passes() -> bool:
            return bool((await ann.ask("send", text_of("again")))["ok"])

        await wait_until(passes, "it is asked again")
        await ann.send("as before")
    counted = outcomes(two[0])
    assert counted["failed"] == breaker.FAILURES
    assert counted["allowed"] == 2


@pytest.mark.usefixtures("hurried")
async def test_while_it_is_left_alone_messages_pass_if_they_may(
    app: HookServer, redis_url: str
) -> None:
    """The open policy holds for what is not asked about, too."""
    app.decide = lambda _data: web.Response(status=503)
    settings = app.settings | {"hook_fail": "open"}
    async with (
        run_nodes(1, redis_url, **settings) as (node,),
        member(node, "ann", "42") as ann,
    ):
        texts = [f"m{number}" for number in range(breaker.FAILURES + 1)]
        for text in texts:
            await ann.send(text)
        await all_see([ann], texts)
        assert app.texts == texts[:-1]


async def test_answers_that_cannot_be_used_are_no_outage(
    two: list[Node], app: HookServer
) -> None:
    """Nobody can make messages pass, or stop, by writing what it chokes on."""
    app.decide = lambda data: {"action": "none"} if data["text"] == "odd" else ALLOW
    async with member(two[0], "ann", "42") as ann:
        for _ in range(breaker.FAILURES + 1):
            await ann.refused("send", text_of("odd"))
        await ann.send("fine")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the application as long as a busy machine may take."""
    monkeypatch.setattr(hook, "CALL_MS", DEADLINE_SECONDS * 1000)
    monkeypatch.setattr("handlers.send_order.AHEAD_SECONDS", DEADLINE_SECONDS)


@pytest.mark.usefixtures("patient")
async def test_a_slow_answer_holds_nobody_else(
    two: list[Node], app: HookServer
) -> None:
    """Not the sender's other rooms, nor others in the room; the order stays."""
    app.holds = lambda data: data["text"] == "slow"
    async with (
        member(two[0], "ann", "42", "43") as ann,
        member(two[0], "bob", "42") as bob,
    ):
        sent = [
            asyncio.create_task(ann.send(text)) for text in ("slow", "second", "third")
        ]
        await wait_until(lambda: len(app.asked) == 3, "all three are asked about")
        await ann.send("elsewhere", "43")
        await bob.send("mine")
        await all_see([ann, bob], ["mine"])
        assert ann.texts("43") == ["elsewhere"]
        assert not any(each.done() for each in sent)
        app.free.set()
        await asyncio.gather(*sent)
        await all_see([ann, bob], ["mine", "slow", "second", "third"])
    assert labelled(two[0], "chatroom_objects")["hook_calls"] == 0
    assert labelled(two[0], "chatroom_objects")["send_queues"] == 0


@pytest.mark.usefixtures("patient")
async def test_calls_under_way_are_bounded(
    app: HookServer, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a user's share they are refused; beyond the node's the policy holds."""
    monkeypatch.setattr(hook, "CALLS", 3)
    monkeypatch.setattr(hook, "USER_CALLS", 2)
    app.holds = lambda _data: True
    settings = app.settings | {"hook_fail": "open"}
    async with (
        run_nodes(1, redis_url, **settings) as (node,),
        member(node, "ann", "42") as ann,
        member(node, "bob", "42", "43") as bob,
    ):
        sent = [asyncio.create_task(ann.send(f"a{number}")) for number in range(2)]
        await wait_until(lambda: len(app.asked) == 2, "they are asked about")
        error = await ann.refused("send", text_of("a2"))
        assert (error["code"], error["retryAfter"]) == ("unavailable", hook.RETRY_MS)
        sent.append(asyncio.create_task(bob.send("b0")))
        await wait_until(lambda: len(app.asked) == 3, "it is asked about")
        await bob.send("not asked", "43")
        assert limits_met(node) == {"hook_calls": 1, "hook_user_calls": 1}
        assert outcomes(node) == {"busy": 1}
        app.free.set()
        await asyncio.gather(*sent)
    assert sorted(app.texts) == ["a0", "a1", "b0"]


async def test_only_marked_rooms(
    app: HookServer, redis_url: str, redis_client: Redis
) -> None:
    """Where the setting says so, it is asked about no others."""
    settings = app.settings | {"hook_rooms": "marked"}
    async with (
        run_nodes(2, redis_url, **settings) as nodes,
        member(nodes[0], "ann", "42", "43") as ann,
        member(nodes[1], "bob", "43") as bob,
    ):
        await redis_client.hset(keys.meta("43"), "hook", "1")
        for room in ("42", "43", "42", "43"):
            await ann.send("of ann", room)
        await bob.send("of bob", "43")
        await all_see([ann], ["of ann"] * 2)
        await all_see([ann, bob], ["of ann", "of ann", "of bob"], "43")
    assert [each.data["room"] for each in app.asked] == ["43"] * 3


async def test_a_private_address_is_not_dialled(
    app: HookServer, redis_url: str
) -> None:
    """By name or as it is, unless the setting names it."""
    port = app.url.rpartition(":")[2]
    for url in (f"http://localhost:{port}/hook", app.url):
        settings = app.settings | {"hook_url": url, "hook_allow": "10.0.0.0/8"}
        async with (
            run_nodes(1, redis_url, **settings) as (node,),
            member(node, "ann", "42") as ann,
        ):
            error = await ann.refused("send", text_of("hi"))
            assert error["code"] == "unavailable"
            assert outcomes(node) == {"failed": 1}
    assert app.asked == []


async def test_it_is_asked_over_tls(redis_url: str, tmp_path: Path) -> None:
    """With a certificate that the node trusts, and with no other one."""
    both = certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(both)
    async with hook_server(tls) as app:
        run = partial(
            run_process,
            *("--redis-url", redis_url),
            CHATROOM_HOOK_URL=app.url,
            CHATROOM_HOOK_SECRET=SECRET,
            CHATROOM_HOOK_ALLOW="127.0.0.1, ::1",
        )
        async with run() as node, member(node, "ann", "42") as ann:
            error = await ann.refused("send", text_of("unsafe"))
            assert error["code"] == "unavailable"
            assert SECRET not in node.output
        async with (
            run(SSL_CERT_FILE=str(both)) as node,
            member(node, "ann", "43") as ann,
        ):
            await ann.send("safe", "43")
        assert app.texts == ["safe"]


async def test_edits_are_asked_about(two: list[Node], app: HookServer) -> None:
    """Like what is sent; a repeat of one that was stored is not."""

    def decide(data: Payload) -> Payload:
        match data["text"]:
            case "bad":
                return {"action": "deny"}
            case "rude":
                return {"action": "replace", "text": "kind"}
        return ALLOW

    app.decide = decide
    async with member(two[0], "ann", "42") as ann:
        await ann.send("hi")
        edit = {"room": "42", "message": 1, "clientId": "e1", "text": "rude"}
        first = await ann.do("edit", edit)
        error = await ann.refused("edit", edit | {"clientId": "e2", "text": "bad"})
        assert (error["code"], error["reason"]) == ("forbidden", "denied")
        app.decide = lambda _data: {"action": "deny"}
        assert await ann.do("edit", edit) == first | {"duplicate": True}
        page = await ann.do("history", {"room": "42"})
        assert [each["text"] for each in page["messages"]] == ["kind"]
    assert app.texts == ["hi", "rude", "bad"]
    data = {"room": "42", "user": "ann", "clientId": "e1", "message": 1, "text": "rude"}
    assert app.asked[1].data == data
    assert b'{"type":"message.before_edit"' in app.asked[1].body


async def test_an_image_and_its_caption(two: list[Node], app: HookServer) -> None:
    """It is asked about an image that it can look at, by an address."""
    app.decide = lambda _data: {"action": "replace", "text": "a caption"}
    payload = {"room": "42", "clientId": "i1", "type": "image", "image": picture("PNG")}
    async with member(two[0], "ann", "42") as ann:
        await ann.do("send", payload)
        await wait_until(lambda: ann.seen["42"], "it is seen")
        assert ann.seen["42"][0]["text"] == "a caption"
    (asked,) = app.asked
    assert asked.data["type"] == "image"
    assert asked.data["image"]["url"].startswith("/images/")


async def test_several_images_are_one_question(
    two: list[Node], app: HookServer
) -> None:
    """With the addresses of all; what it denies is not stored."""
    app.decide = lambda _data: {"action": "deny", "reason": "no"}
    images = [picture("PNG", (8, height)) for height in (8, 9, 10)]
    payload = {"room": "42", "clientId": "i1", "type": "image", "images": images}
    async with member(two[0], "ann", "42") as ann:
        assert (await ann.refused("send", payload))["reason"] == "denied"
        assert (await ann.do("history", {"room": "42"}))["messages"] == []
    (asked,) = app.asked
    assert [each["height"] for each in asked.data["images"]] == [8, 9, 10]
    assert asked.data["image"] == asked.data["images"][0]
