"""The client module when acks, tokens, lines and memberships are lost on the way."""

import asyncio
import time
from typing import Any

import jwt
import pytest

from realtime.auth.tokens import LEEWAY_SECONDS
from tests.client.chatting import ROOM, acknowledged, chat_client, in_room, shown
from tests.kit.balancer import Balancer
from tests.kit.javascript import Program, require_node
from tests.kit.nodes import run_process
from tests.kit.waiting import MS

pytestmark = pytest.mark.timeout(30)

SECRET = "a secret of thirty-two characters, at least"
HOUR_MS = 3_600_000
# What a join gives of a room.
PAGE_MESSAGES = 50


@pytest.fixture(autouse=True)
def _needs_node() -> None:
    require_node()


def token(seconds: float, **claims: Any) -> dict[str, str]:
    """Return an ``auth`` object whose token the server takes for so long."""
    exp = time.time() + seconds - LEEWAY_SECONDS
    return {"token": jwt.encode({"sub": "ann", "exp": exp, **claims}, SECRET, "HS256")}


def left_over(client_id: str, text: str) -> dict[str, Any]:
    """Return an outbox entry of a page that was gone before the ack came."""
    now = round(time.time() * 1000)
    item = {"clientId": client_id, "room": ROOM, "type": "text", "text": text}
    tried = {"step": "sending", "attempts": 1, "triedAt": now}
    return {**item, **tried, "at": now, "order": 1}


def is_online(program: Program) -> bool:
    """Whether it says that it is connected and up to date."""
    now = program.last("status")
    return now.get("state") == "online" and not now["isCatchingUp"]


async def unsent(program: Program) -> list[str]:
    """Return the texts that its outbox holds."""
    count = len(program.all("unsent"))
    program.tell("unsent")
    texts: list[str] = (await program.heard("unsent", count + 1))["texts"]
    return texts


async def rooms(program: Program) -> list[str]:
    """Return the rooms of its user."""
    count = len(program.all("rooms"))
    program.tell("rooms")
    return [row["room"] for row in (await program.heard("rooms", count + 1))["rooms"]]


async def test_a_message_resent_after_a_page_of_others_is_shown_once(
    redis_url: str,
) -> None:
    """It was stored, the ack was lost: the entry does not stay below newer ones."""
    async with run_process("--redis-url", redis_url) as node:
        async with in_room(node.url, "ann") as ann:
            ann.tell("send", room=ROOM, text="old")
            client_id = (await ann.heard("message"))["clientId"]
        async with in_room(node.url, "ben") as ben:
            ben.tell("flow", room=ROOM, count=PAGE_MESSAGES, everyMs=1, prefix="")
            await ben.heard("message", PAGE_MESSAGES)
        left = [left_over(client_id, "old")]
        async with in_room(node.url, "ann", left=left) as ann:
            assert "old" not in {
                one["text"] for one in ann.all("replaced")[0]["messages"]
            }
            await ann.heard("sent")
            assert acknowledged(ann) == {"old": 1}
            assert await unsent(ann) == []


async def test_a_room_that_is_quit_with_messages_on_their_way_stays_quit(
    redis_url: str,
) -> None:
    """What was not sent is told as such; nothing of it brings the room back."""
    texts = ["a", "b", "c", "d"]
    async with run_process("--redis-url", redis_url) as node:
        async with in_room(node.url, "ann") as ann:
            for text in texts:
                ann.tell("send", room=ROOM, text=text)
            ann.tell("quit", room=ROOM)
            await ann.heard("quit")
            await ann.until(
                lambda: len(acknowledged(ann)) + len(ann.all("failed")) == len(texts),
                "each has an outcome",
            )
            assert {one["code"] for one in ann.all("failed")} <= {"ended"}
            assert ann.last("status")["sending"] == 0
            assert await rooms(ann) == []
        left = [{**left_over("given-up", "d"), "step": "failed"}]
        async with chat_client(node.url, "ann", left=left) as again:
            await again.until(lambda: is_online(again), "it is online")
            assert await rooms(again) == []


async def test_the_application_is_asked_until_it_says_no_or_gives_a_token(
    redis_url: str,
) -> None:
    """A hook that breaks has not said no; a token may expire before it is presented."""
    async with (
        run_process("--redis-url", redis_url, CHATROOM_JWT_SECRET=SECRET) as node,
        chat_client(node.url, "", auth=token(-3600), hasHook=True) as ann,
    ):
        assert (await ann.heard("token_wanted"))["reason"] == "refused"
        ann.tell("break_hook")
        assert (await ann.heard("token_wanted", 2))["reason"] == "refused"
        ann.tell("token", **token(-60))
        assert (await ann.heard("token_wanted", 3))["reason"] == "refused"
        ann.tell("token", **token(3600))
        await ann.until(lambda: is_online(ann), "it is online")


async def test_a_session_whose_refresh_failed_goes_on_with_that_token(
    redis_url: str,
) -> None:
    """The application has done its part: it is not asked for a third token."""
    async with (
        run_process(
            "--redis-url",
            redis_url,
            CHATROOM_JWT_SECRET=SECRET,
            CHATROOM_RATES="refresh=0.01/1",
        ) as node,
        chat_client(node.url, "", auth=token(60)) as ann,
    ):
        await ann.until(lambda: is_online(ann), "it is online")
        ann.tell("token", **token(1.5))
        ann.tell("token", **token(3600))
        assert (await ann.heard("not_refreshed"))["code"] == "rate_limited"
        await ann.until(
            lambda: any(one["state"] == "unauthorized" for one in ann.all("status")),
            "the session expires",
        )
        await ann.until(lambda: is_online(ann), "it is online again")


class Swallowing(Balancer):
    """Takes the first POST and never answers it."""

    swallowed = 0

    async def _join(
        self,
        here: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        there: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        first = await here[0].read(65_536)
        if first.startswith(b"POST") and not self.swallowed:
            self.swallowed += 1
            there[1].transport.abort()
            await here[0].read()
        else:
            there[1].write(first)
            await super()._join(here, there)


async def test_a_swallowed_post_costs_seconds(redis_url: str) -> None:
    """Long polling, the connect packet is lost: the attempt ends at its deadline."""
    async with run_process("--redis-url", redis_url) as node:
        line = Swallowing([node.port])
        async with (
            line.running(),
            chat_client(line.url, "ann", transports=["polling"]) as ann,
        ):
            await ann.until(lambda: is_online(ann), "it is online", seconds=10_000 * MS)
        assert line.swallowed == 1


async def test_what_is_written_right_after_a_sleep_causes_no_trouble(
    redis_url: str,
) -> None:
    """The line is dead: it waits for the room instead of going out before the join."""
    async with (
        run_process("--redis-url", redis_url) as node,
        in_room(node.url, "ann") as ann,
    ):
        ann.tell("sleep", ms=HOUR_MS)
        ann.tell("send", room=ROOM, text="one")
        ann.tell("send", room=ROOM, text="two")
        await ann.heard("message", 2)
        assert shown(ann) == [(1, "one"), (2, "two")]
        assert {one["trouble"] for one in ann.all("status")} == {None}
