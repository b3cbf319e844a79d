"""Clients of the module in tests, and what must be true of what they saw."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from tests.kit.javascript import Program, run_program
from tests.kit.waiting import MS

HERE = Path(__file__).parent
ROOM = "42"


@asynccontextmanager
async def chat_client(url: str, user: str, **options: Any) -> AsyncIterator[Program]:
    """Run a ``ChatroomClient`` until the block ends."""
    settings = {"url": url, "auth": {"user": user}, **options}
    async with run_program(HERE / "chat_program.mjs", json.dumps(settings)) as program:
        yield program


@asynccontextmanager
async def in_room(url: str, user: str, **options: Any) -> AsyncIterator[Program]:
    """Run a ``ChatroomClient`` that attends ``ROOM``."""
    async with chat_client(url, user, **options) as program:
        program.tell("join", room=ROOM)
        await program.heard("joined")
        yield program


@asynccontextmanager
async def socket_client(
    url: str, auth: dict[str, str], **options: Any
) -> AsyncIterator[Program]:
    """Run the plain socket.io-client until the block ends."""
    settings = json.dumps({"url": url, "auth": auth, "options": options})
    async with run_program(HERE / "socket_program.mjs", settings) as program:
        yield program


def shown(program: Program) -> list[tuple[int, str]]:
    """Return number and text of each message as a user would have seen them come."""
    return [(line["message"], line["text"]) for line in program.all("message")]


def acknowledged(program: Program) -> dict[str, int]:
    """Return the number under which each text was acknowledged."""
    return {line["text"]: line["message"] for line in program.all("sent")}


async def stored(redis_url: str) -> list[tuple[int, str]]:
    """Return the room's messages as they are stored, by number."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        raw = await redis.hgetall(f"{{chatroom-{ROOM}}}:messages")
    return sorted((int(number), json.loads(one)["text"]) for number, one in raw.items())


async def all_shown(
    program: Program, count: int, *, seconds: float = 20_000 * MS
) -> None:
    """Wait until so many messages were shown."""
    await program.until(
        lambda: len(program.all("message")) >= count,
        f"{count} messages are shown",
        seconds=seconds,
    )


def check_histories(
    log: Sequence[tuple[int, str]],
    clients: Sequence[Program],
    sent: Sequence[Sequence[str]],
) -> None:
    """Check the promises: nothing lost, nothing twice, one order.

    Args:
        log: What is stored.
        clients: All of them attended the room from its first message on.
        sent: The texts that each sender wrote, in order.
    """
    assert [number for number, _text in log] == list(range(1, len(log) + 1))
    texts = [text for _number, text in log]
    assert sorted(texts) == sorted(text for each in sent for text in each)
    for each in sent:
        mine = set(each)
        assert [text for text in texts if text in mine] == list(each)
    numbers = {text: number for number, text in log}
    for program in clients:
        assert shown(program) == list(log)
        for text, number in acknowledged(program).items():
            assert numbers[text] == number
