"""What one connection sends to a room stays in its order, awaited or not."""

import asyncio
import io

import pytest
from PIL import Image

from handlers import send_order
from handlers.send_order import SendOrder
from realtime.node.settings import MIB
from tests.kit.members import Member, all_see, member, text_of
from tests.kit.nodes import Node
from tests.kit.recording import Payload
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have messages wait for an image for as long as a busy machine may take."""
    monkeypatch.setattr(send_order, "AHEAD_SECONDS", DEADLINE_SECONDS)


def large_picture() -> bytes:
    """Return an image that takes far longer to check than a text."""
    file = io.BytesIO()
    Image.new("RGB", (4000, 3000), "teal").save(file, "PNG")
    return file.getvalue()


def image_of(data: bytes, client_id: str) -> Payload:
    return {"room": "42", "clientId": client_id, "type": "image", "image": data}


def kinds(view: Member) -> list[str]:
    """Return what a person sees: texts, and ``image``."""
    return [message.get("text", "image") for message in view.seen["42"]]


async def test_texts_in_bursts(nodes: list[Node]) -> None:
    """More than begin in one turn of the loop, the next ones while these wait."""
    async with (
        member(nodes[0], "ann", "42") as ann,
        member(nodes[-1], "bob", "42") as bob,
    ):
        texts = [f"m{number}" for number in range(600)]
        sending = []
        for number, text in enumerate(texts):
            sending.append(asyncio.create_task(ann.send(text)))
            if number % 7 == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*sending)
        await all_see([ann, bob], texts)


@pytest.mark.usefixtures("patient")
async def test_a_caption_follows_its_picture(nodes: list[Node]) -> None:
    """Texts to the same room wait for an image that is checked; other rooms do not."""
    data = large_picture()
    async with member(nodes[0], "ann", "42", "43") as ann:
        sent = [
            ann.send("before"),
            ann.do("send", image_of(data, "i1")),
            ann.send("caption"),
            ann.do("send", image_of(data + b" ", "i2")),
            ann.send("after"),
            ann.send("elsewhere", "43"),
        ]
        await asyncio.gather(*sent)
        await wait_until(lambda: len(kinds(ann)) >= 5, "all messages")
        assert kinds(ann) == ["before", "image", "caption", "image", "after"]
        arrived = [
            payload.get("text", "image")
            for name, payload in ann.timeline
            if name == "message"
        ]
        assert arrived.index("elsewhere") < arrived.index("caption")


async def test_an_image_that_is_refused_holds_nothing_up(nodes: list[Node]) -> None:
    """What follows goes on as soon as that is known."""
    async with member(nodes[0], "ann", "42") as ann:
        refused, _ = await asyncio.gather(
            ann.ask("send", image_of(b"no image at all", "i1")),
            ann.do("send", text_of("after")),
        )
        assert refused["error"]["code"] == "invalid"
        await all_see([ann], ["after"])


@pytest.mark.usefixtures("patient")
async def test_a_refused_image_lets_nothing_past_the_one_before(
    nodes: list[Node],
) -> None:
    """Its refusal is quick; the picture before it is still being checked."""
    data = large_picture()
    too_large = bytes(8 * MIB + 1)
    async with member(nodes[0], "ann", "42") as ann:
        sent, refused, *_ = await asyncio.gather(
            ann.do("send", image_of(data, "i1")),
            ann.ask("send", image_of(too_large, "i2")),
            ann.send("after"),
        )
        assert refused["error"]["code"] == "too_large"
        assert sent["message"] == 1
        await wait_until(lambda: len(kinds(ann)) >= 2, "both messages")
        assert kinds(ann) == ["image", "after"]


async def test_nobody_gets_ahead_of_who_waits() -> None:
    """One in the middle is refused; who comes then waits for the first one."""
    order, key = SendOrder(), ("sid", "42")
    gone: list[str] = []

    async def text() -> None:
        async with order.place(key) as turn:
            await turn()
            gone.append("text")

    async with order.place(key):
        async with order.place(key):
            waiting = asyncio.create_task(text())
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        async with order.place(key):
            pass
        assert key in order
        gone.append("image")
    await waiting
    assert gone == ["image", "text"]
    assert len(order) == 0


async def test_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that hangs costs the texts behind an image their order, not their ack."""
    order, key = SendOrder(), ("sid", "42")
    monkeypatch.setattr(send_order, "AHEAD_SECONDS", 50 * MS)
    async with order.place(key):
        assert key in order
        async with asyncio.timeout(5_000 * MS), order.place(key) as turn:
            await turn()
    assert len(order) == 0


async def test_what_was_refused_together_goes_on_in_order_before_what_came_later() -> (
    None
):
    """And what they need is done once."""
    order, key = SendOrder(), ("sid", "42")
    went: list[str] = []
    release = asyncio.Event()
    works = 0

    async def work() -> None:
        nonlocal works
        works += 1
        await release.wait()

    async def refused(name: str) -> None:
        await order.once(key, work)
        went.append(name)

    async def later() -> None:
        async with order.place(key) as turn:
            await turn()
        went.append("later")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(refused("first"))
        await asyncio.sleep(0)
        tasks.create_task(later())
        await asyncio.sleep(0)
        tasks.create_task(refused("second"))
        tasks.create_task(refused("third"))
        await asyncio.sleep(0)
        release.set()
    assert (works, went) == (1, ["first", "second", "third", "later"])
    assert key not in order
