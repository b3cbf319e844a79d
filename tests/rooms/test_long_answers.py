"""Long answers are held to the write buffer; what does not fit is asked for again."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from redis.asyncio import Redis

from realtime.store import keys
from tests.kit.members import Member, all_see, member
from tests.kit.nodes import Node, run_nodes
from tests.kit.recording import Payload
from tests.kit.waiting import wait_until

BUFFER = 64 * 1024
# Two bytes each in UTF-8.
LONG = "ж" * 4_000
MANY = 40
# Names and numbers of an answer.
BESIDE = 4_096


class Scene(NamedTuple):
    """A node whose answers are short, and two who wrote much in room 42."""

    node: Node
    ann: Member
    bob: Member
    first: Payload


@pytest.fixture
async def scene(redis_url: str) -> AsyncIterator[Scene]:
    """Ann has written five times what one answer holds."""
    async with (
        run_nodes(1, redis_url, write_buffer_bytes=BUFFER) as (node,),
        member(node, "ann", "42") as ann,
        member(node, "bob") as bob,
    ):
        first = await ann.send("first")
        for number in range(MANY):
            await ann.send(f"{number} {LONG}"[:4_000])
        yield Scene(node, ann, bob, first)


def size(answer: Payload) -> int:
    """Return the bytes of an answer."""
    return len(json.dumps(answer, ensure_ascii=False).encode())


def cursor(message: Payload) -> str:
    """Return where somebody left off who saw this message last."""
    return f"{message['offset']}:{message['uid']}"


async def test_a_long_recovery_comes_in_parts(scene: Scene) -> None:
    """Each part is held to the buffer; together they are all, in order, and live."""
    payload = {"room": "42", "cursor": cursor(scene.first)}
    numbers: list[int] = []
    parts = 0
    while True:
        answer = await scene.bob.do("join", payload)
        assert size(answer) <= BUFFER + BESIDE
        assert answer["recovered"]
        numbers += [event[1]["message"] for event in answer["events"]]
        parts += 1
        if not answer.get("more"):
            break
        refused = await scene.bob.refused("typing", {"room": "42", "on": True})
        assert refused["code"] == "not_attending"
        payload["cursor"] = answer["cursor"]
    assert parts >= 5
    assert numbers == list(range(2, MANY + 2))
    await scene.ann.send("live")
    await scene.bob.next("message", text="live")


async def test_what_is_said_between_two_parts_is_missed_by_nobody(scene: Scene) -> None:
    """It attended, asks for more than one answer holds, and is told all of it."""
    ann, bob = scene.ann, scene.bob
    await bob.join()
    bob.seen["42"] = [ann.seen["42"][0]]
    bob.cursors["42"] = cursor(scene.first)
    payload = {"room": "42", "cursor": bob.cursors["42"]}
    # It is told all of it once more.
    talked = 0
    while (await bob.joined("join", payload)).get("more"):
        payload["cursor"] = bob.cursors["42"]
        await ann.send(f"meanwhile {talked}")
        talked += 1
    assert talked
    await ann.send("last")
    await all_see([bob], ann.texts())


async def test_the_newest_page_is_cut_to_what_fits(scene: Scene) -> None:
    """Without a cursor the newest messages come, fewer of them, and it attends."""
    answer = await scene.bob.do("join", {"room": "42"})
    assert size(answer) <= BUFFER + BESIDE
    assert "more" not in answer
    numbers = [event[1]["message"] for event in answer["events"]]
    assert numbers == list(range(MANY + 2 - len(numbers), MANY + 2))
    assert len(numbers) >= 2
    await scene.ann.send("live")
    await scene.bob.next("message", text="live")


async def test_the_rooms_of_a_sync_share_one_answer(scene: Scene) -> None:
    """What does not fit is to be asked for again; each time some rooms get further."""
    ann, bob = scene.ann, scene.bob
    rooms = [f"r{number}" for number in range(6)]
    for room in rooms:
        await ann.join(room)
        for _ in range(3):
            await ann.send(LONG, room)
    wanted, rounds = set(rooms), 0
    while wanted:
        rounds += 1
        assert rounds <= len(rooms)
        asked = [{"room": room} for room in sorted(wanted)]
        answer = await bob.do("sync", {"rooms": asked})
        assert size(answer) <= BUFFER + BESIDE
        done = {each["room"] for each in answer["rooms"] if each["ok"]}
        errors = [each["error"] for each in answer["rooms"] if not each["ok"]]
        assert {error["code"] for error in errors} <= {"unavailable"}
        assert done
        wanted -= done
    assert rounds > 1


@pytest.mark.parametrize("bound", ["before", "after"])
async def test_a_page_of_history_is_cut_to_what_fits(scene: Scene, bound: str) -> None:
    """It says that there is more, and the next page goes on where it ends."""
    await scene.bob.join()
    number = {"before": MANY + 2, "after": 0}[bound]
    numbers: list[int] = []
    while True:
        asked = {"room": "42", bound: number, "limit": 100}
        answer = await scene.bob.do("history", asked)
        assert size(answer) <= BUFFER + BESIDE
        page = [message["message"] for message in answer["messages"]]
        numbers = page + numbers if bound == "before" else numbers + page
        if not answer["more"]:
            break
        number = page[0] if bound == "before" else page[-1]
    assert numbers == list(range(1, MANY + 2))


async def test_the_list_of_rooms_comes_in_pages(
    scene: Scene, redis_client: Redis
) -> None:
    """Each held to the buffer and to the limit; all rooms come once, by their ids."""
    ann = scene.ann
    rooms = sorted(f"r{number}" for number in range(30))
    for room in rooms:
        await ann.join(room)
        await ann.send(LONG, room)
    # One that cannot be listed at the end of a page keeps no other one back.
    await redis_client.set(keys.last_read("r5"), "not a hash")
    await redis_client.delete(keys.last_read("r5"))
    found: list[str] = []
    pages: list[int] = []
    payload: Payload = {"limit": 5}
    while True:
        answer = await ann.do("rooms", payload)
        assert size(answer) <= BUFFER + BESIDE
        page = [each["room"] for each in answer["rooms"]]
        found += page
        pages.append(len(page))
        if not answer["more"]:
            break
        payload["after"] = page[-1]
    assert found == sorted(["42", *(room for room in rooms if room != "r5")])
    assert max(pages) == 5
    first = await ann.do("rooms")
    assert first["more"]
    assert len(first["rooms"]) > 5


async def test_lists_that_nobody_reads_do_not_add_up(scene: Scene) -> None:
    """Twenty in a row are answered one after the other, or refused: not kept."""
    ann = scene.ann
    for number in range(10):
        await ann.join(f"r{number}")
        await ann.send(LONG, f"r{number}")
    answers = await asyncio.gather(*(ann.ask("rooms") for _ in range(20)))
    for answer in answers:
        assert answer["ok"] or answer["error"]["code"] == "unavailable"
    await wait_until(lambda: ann.texts("r9"), "it lives")
