"""Images end: counted by the messages that show them, by user, and by the disk."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore
from redis.asyncio import Redis

from realtime.errors import TooLargeError, UnavailableError
from realtime.images import store as store_module
from realtime.images.store import ImageStore
from realtime.redis.client import RedisClient
from realtime.store.image_gc import delete_garbage, find_garbage
from realtime.store.image_sweep import ImageSweep
from realtime.store.image_uses import ImageUses, Use
from realtime.store.message_log import MessageLog
from tests.kit.nodes import Node, run_nodes
from tests.kit.pictures import picture
from tests.kit.recording import RecordingClient, recording
from tests.kit.store_fixtures import make_log
from tests.kit.waiting import wait_until

MIB = 1024 * 1024
ANN = Use("42", "c1", "ann")


def image_of(data: bytes, client_id: str, room: str = "42") -> dict[str, Any]:
    return {"room": room, "clientId": client_id, "type": "image", "image": data}


def files(folder: Path) -> set[str]:
    """Return the names of the images that are stored."""
    return {each.name for each in (folder / "images").rglob("*") if each.is_file()}


def coloured(number: int) -> bytes:
    """Return a small picture that differs from all others."""
    return picture("PNG", (8, 8 + number))


# Over real nodes: what users can do.


@pytest.fixture
async def node(redis_url: str, tmp_path: Path) -> AsyncIterator[Node]:
    settings = {
        "data_dir": tmp_path,
        "image_sweep_seconds": 1,
        "history_messages": 100,
        "user_image_bytes": 60_000,
    }
    async with run_nodes(1, redis_url, **settings) as (node,):
        yield node


@pytest.fixture
async def ann(node: Node) -> AsyncIterator[RecordingClient]:
    async with recording(node, "ann") as ann:
        await ann.do("join", {"room": "42"})
        yield ann


async def test_a_repeated_message_stores_nothing(
    ann: RecordingClient, tmp_path: Path
) -> None:
    """Whatever image it brings the first result is the answer; no file is added."""
    first = await ann.do("send", image_of(coloured(0), "c1"))
    before = files(tmp_path)
    for number in range(1, 4):
        again = await ann.do("send", image_of(coloured(number), "c1"))
        assert again == {**first, "duplicate": True}
    assert (await ann.do("send", image_of(b"no image", "c1")))["duplicate"]
    assert files(tmp_path) == before


async def test_images_sent_at_once_under_one_id_are_one(
    ann: RecordingClient, tmp_path: Path
) -> None:
    """What was stored for those that came second is deleted at the next look."""
    images = [image_of(coloured(number), "c1") for number in range(4)]
    answers = await asyncio.gather(*(ann.do("send", each) for each in images))
    assert [each["duplicate"] for each in answers].count(False) == 1
    shown = (await ann.next("message"))["image"]["url"]
    await wait_until(lambda: len(files(tmp_path)) == 1, "the others are deleted")
    assert files(tmp_path).pop() in shown


async def test_an_image_goes_with_the_last_message_that_shows_it(
    ann: RecordingClient, tmp_path: Path, redis_client: Redis
) -> None:
    """Trimmed from one room it stays for the other; trimmed from both it is deleted."""
    await ann.do("join", {"room": "43"})
    await ann.do("send", image_of(coloured(0), "c1"))
    await ann.do("send", image_of(coloured(0), "c2", room="43"))
    await ann.do("send", image_of(coloured(1), "c3", room="43"))
    before = files(tmp_path)

    async def push_out(room: str) -> None:
        for number in range(100):
            text = {"room": room, "clientId": f"t{number}", "type": "text", "text": "x"}
            await ann.do("send", text)

    await push_out("43")
    await wait_until(lambda: files(tmp_path) < before, "one image is deleted")
    await push_out("42")
    await wait_until(lambda: not files(tmp_path), "the other one is deleted")
    left = [key async for key in redis_client.scan_iter("{chatroom:images}*")]
    assert left == [], "nothing is known of images any more"


async def test_a_user_has_so_many_bytes_of_images(
    ann: RecordingClient, node: Node, tmp_path: Path
) -> None:
    """Over it they are told the limit; others are not, and nothing was stored."""
    number = 0
    while (answer := await ann.ask("send", image_of(coloured(number), f"c{number}")))[
        "ok"
    ]:
        number += 1
    error = answer["error"]
    assert (error["code"], error["temporary"]) == ("too_large", False)
    assert "MiB" in error["fields"]["image"][0]
    before = files(tmp_path)
    assert (await ann.ask("send", image_of(coloured(101), "z")))["ok"] is False
    assert files(tmp_path) == before
    async with recording(node, "bob") as bob:
        await bob.do("join", {"room": "42"})
        await bob.do("send", image_of(coloured(0), "b1"))
    await ann.do("send", {"room": "42", "clientId": "t", "type": "text", "text": "x"})


async def test_a_full_disk_refuses_images_and_nothing_else(
    node: Node,
    ann: RecordingClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Sent again later; what is there can be read; the log says so once."""
    free = [MIB]
    monkeypatch.setattr(store_module, "free_bytes", lambda _folder: free[0])
    with caplog.at_level(logging.WARNING, store_module.__name__):
        for number in range(3):
            error = await ann.refused("send", image_of(coloured(0), f"c{number}"))
            assert error["code"] == "unavailable"
            assert "no space" in error["message"]
            assert error["retryAfter"] > 1_000
        assert [each.message[:8] for each in caplog.records] == ["No space"]
        await ann.do("history", {"room": "42"})
        free[0] = 3_000 * MIB
        await ann.do("send", image_of(coloured(0), "c0"))
    assert len(caplog.records) == 2


# The parts alone: what crashes leave.


@pytest.fixture
def log(link: RedisClient) -> MessageLog:
    return make_log(link)


@pytest.fixture
def uses(link: RedisClient) -> ImageUses:
    return ImageUses(link, user_limit_bytes=MIB, look_ms=0, pending_ms=0)


@pytest.fixture(params=["folder", "object store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "folder":
        made = ImageStore.at(None, folder=tmp_path)
    else:
        made = ImageStore(MemoryStore())
    yield made
    made.close()


@pytest.fixture
def sweep(link: RedisClient, uses: ImageUses, store: ImageStore) -> ImageSweep:
    return ImageSweep(link, uses, store, every_seconds=0)


async def names_in(store: ImageStore) -> set[str]:
    return {each.name async for each in store.listed()}


async def make_due(redis_client: Redis) -> None:
    """Have all files looked at next, as time does."""
    for name in await redis_client.zrange("{chatroom:images}:due", 0, -1):
        await redis_client.zadd("{chatroom:images}:due", {str(name): 0})


def name_of(number: int) -> str:
    return f"{number:064x}.png"


async def keep(
    uses: ImageUses, store: ImageStore, name: str, use: Use = ANN, size: int = 5_000
) -> None:
    """Do what a node does before a message is appended."""
    await uses.claim({name: size}, use)
    await store.put(name, b"x" * size)


async def say(log: MessageLog, redis_client: Redis, use: Use, *names: str) -> int:
    """Append a message that shows files."""
    await redis_client.hset(f"{{chatroom-{use.room}}}:members", use.user, "{}")
    urls = [{"url": f"/images/{name}?expires=1&signature=x"} for name in names]
    image = {**urls[0], "thumbnails": urls[1:]}
    done = await log.append(
        room=use.room,
        user=use.user,
        client_id=use.client_id,
        content={"type": "image", "image": image},
    )
    return done.message


async def test_a_file_whose_message_never_came_goes(
    uses: ImageUses, store: ImageStore, sweep: ImageSweep, redis_client: Redis
) -> None:
    """A node ended between the file and its message."""
    await keep(uses, store, name_of(1))
    assert await sweep.look() == 1
    assert await names_in(store) == set()
    assert await redis_client.keys("*images*") == []


async def test_a_message_that_nobody_noted_is_found(
    uses: ImageUses,
    store: ImageStore,
    sweep: ImageSweep,
    log: MessageLog,
    redis_client: Redis,
) -> None:
    """A node ended between the message and its note: the image stays while it does."""
    await keep(uses, store, name_of(1))
    number = await say(log, redis_client, ANN, name_of(1))
    for _ in range(3):
        await make_due(redis_client)
        assert await sweep.look() == 0
    assert [each.message for each in await uses.of_file(name_of(1))] == [number]
    await redis_client.hdel("{chatroom-42}:messages", str(number))
    await make_due(redis_client)
    assert await sweep.look() == 1


async def test_a_message_that_changed_shows_it_no_more(
    uses: ImageUses,
    store: ImageStore,
    sweep: ImageSweep,
    log: MessageLog,
    redis_client: Redis,
) -> None:
    """Deleted or replaced, it keeps its number; what it shows is what it says now."""
    await keep(uses, store, name_of(1))
    number = await say(log, redis_client, ANN, name_of(1))
    await uses.confirm([name_of(1)], ANN, number)
    assert await sweep.look() == 0
    await redis_client.hset("{chatroom-42}:messages", str(number), '{"type":"deleted"}')
    await make_due(redis_client)
    assert await sweep.look() == 1


async def test_a_claim_in_time_keeps_the_file(
    link: RedisClient, store: ImageStore
) -> None:
    """While a message may be under way its file is not deleted."""
    uses = ImageUses(link, user_limit_bytes=MIB, look_ms=0, pending_ms=60_000)
    sweep = ImageSweep(link, uses, store, every_seconds=0)
    await keep(uses, store, name_of(1))
    now_ms = 1000 * int((await link.call("TIME"))[0])
    assert not await sweep.settle(name_of(1), now_ms)
    assert await names_in(store) == {name_of(1)}


async def test_a_file_that_is_being_deleted_cannot_be_claimed(
    uses: ImageUses, store: ImageStore, sweep: ImageSweep
) -> None:
    """Or a message would show what is deleted in the next moment."""
    await keep(uses, store, name_of(1))
    assert await uses.drop(name_of(1), await uses.of_file(name_of(1)))
    with pytest.raises(UnavailableError) as caught:
        await keep(uses, store, name_of(1), Use("42", "c2", "bob"))
    assert caught.value.retry_after_ms
    # Whoever deleted it may have ended half-way: the next look ends what it began.
    assert await sweep.look() == 1
    await keep(uses, store, name_of(1), Use("42", "c2", "bob"))


async def test_a_claim_beats_a_deletion_that_comes_later(
    uses: ImageUses, store: ImageStore
) -> None:
    """What was found of a file is checked in the step that gives it up."""
    await keep(uses, store, name_of(1))
    known = await uses.of_file(name_of(1))
    await uses.claim({name_of(1): 5_000}, Use("42", "c2", "bob"))
    assert not await uses.drop(name_of(1), known)
    assert [each.use.user for each in await uses.of_file(name_of(1))] == ["bob"]


async def test_a_message_that_is_noted_meanwhile_keeps_the_file(
    uses: ImageUses,
) -> None:
    """A claim was old, and its message came after all in this moment."""
    await uses.claim({name_of(1): 5_000}, ANN)
    known = await uses.of_file(name_of(1))
    await uses.confirm([name_of(1)], ANN, 7)
    assert not await uses.drop(name_of(1), known)
    assert [each.message for each in await uses.of_file(name_of(1))] == [7]


async def test_bytes_are_counted_once_a_message(
    uses: ImageUses, sweep: ImageSweep, redis_client: Redis
) -> None:
    """A repeated claim costs nothing, a small file a block; all comes back."""
    for _ in range(3):
        await uses.claim({name_of(1): 5_000, name_of(2): 1}, ANN)
    assert await redis_client.hgetall("{chatroom:images}:bytes") == {"ann": "9096"}
    with pytest.raises(TooLargeError):
        await uses.claim({name_of(3): MIB}, ANN)
    await sweep.look()
    assert await redis_client.hgetall("{chatroom:images}:bytes") == {}


async def test_two_nodes_share_the_work(
    uses: ImageUses, store: ImageStore, link: RedisClient
) -> None:
    """A file that one node looks at is left alone by the others."""
    for number in range(120):
        await keep(uses, store, name_of(number), Use("42", f"c{number}", "ann"), size=1)
    sweeps = [ImageSweep(link, uses, store, every_seconds=0) for _ in range(2)]
    assert sum(await asyncio.gather(*(each.look() for each in sweeps))) == 120
    assert await names_in(store) == set()


async def test_gc_compares_all_files_with_all_messages(
    link: RedisClient,
    uses: ImageUses,
    store: ImageStore,
    sweep: ImageSweep,
    log: MessageLog,
    redis_client: Redis,
) -> None:
    """It finds what nobody claimed, and never what a message shows."""
    unknown, shown, thumbnail, foreign = map(name_of, range(4))
    for name in (unknown, shown, thumbnail):
        await store.put(name, b"x")
    await store.put("notes.txt", b"not ours")
    number = await say(log, redis_client, ANN, shown, thumbnail, foreign)
    # By default it changes nothing.
    garbage = await find_garbage(link, store, uses, adopt=False)
    assert [each.name for each in garbage.unshown] == [unknown]
    assert garbage.missing == {foreign}
    assert await redis_client.keys("*images*") == []

    garbage = await find_garbage(link, store, uses, adopt=True)
    now_ms = 1000 * int((await link.call("TIME"))[0])
    deleting = {"now_ms": now_ms, "grace_ms": -60_000}
    assert await delete_garbage(sweep, garbage, **deleting) == 1
    assert await names_in(store) == {shown, thumbnail, "notes.txt"}
    # From now on what the message shows is looked after like all others.
    assert [each.message for each in await uses.of_file(thumbnail)] == [number]
    await redis_client.hdel("{chatroom-42}:messages", str(number))
    await make_due(redis_client)
    assert await sweep.look() == 2
    assert await names_in(store) == {"notes.txt"}


async def test_a_failing_store_deletes_nothing_and_goes_on(
    uses: ImageUses, sweep: ImageSweep, store: ImageStore, redis_client: Redis
) -> None:
    """The file is due again; when the store is back it goes."""
    await keep(uses, store, name_of(1))

    async def fail(_name: str) -> None:
        raise UnavailableError("Images cannot be deleted now.")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "delete", fail)
        with pytest.raises(UnavailableError):
            await sweep.look()
    assert await names_in(store) == {name_of(1)}
    await make_due(redis_client)
    assert await sweep.look() == 1
