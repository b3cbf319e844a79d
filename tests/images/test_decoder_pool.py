"""Decoders in processes of their own: bounded, ended when they must be, replaced."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from realtime.errors import InvalidError, TooLargeError, UnavailableError
from realtime.images import decoder_pool
from realtime.images.decode import Limits, decode_image
from realtime.images.decoder_pool import ImageDecoders
from realtime.images.jpeg import SCANS
from realtime.images.places import DECODERS
from tests.kit.pictures import picture, with_scans
from tests.kit.waiting import wait_until

LIMIT_PIXELS = 9_000_000
GOOD = picture("PNG")
LIMITS = Limits(file_bytes=1_000_000, pixels=LIMIT_PIXELS, frame_pixels=LIMIT_PIXELS)
FOUND = decode_image(GOOD, LIMITS)


@pytest.fixture
async def decoders() -> AsyncIterator[ImageDecoders]:
    decoders = ImageDecoders(LIMITS)
    yield decoders
    await decoders.aclose()


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody waited for has, too."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


async def held(decoders: ImageDecoders, count: int = 1) -> "list[asyncio.Task[object]]":
    """Return decodings whose processes have been stopped: they go on for ever."""
    await asyncio.gather(*(decoders.decode(GOOD) for _ in range(count)))
    there = decoders.pids
    assert len(there) == count
    for pid in there:
        os.kill(pid, signal.SIGSTOP)
    tasks: list[asyncio.Task[object]] = [
        asyncio.create_task(decoders.decode(GOOD)) for _ in there
    ]
    await wait_until(lambda: decoders.busy == count, "they are at their images")
    return tasks


async def test_what_is_found_comes_back(decoders: ImageDecoders) -> None:
    """Answers and refusals are the decoder's own; one process serves them all."""
    assert await decoders.decode(GOOD) == FOUND
    (first,) = decoders.pids
    with pytest.raises(InvalidError) as damaged:
        await decoders.decode(GOOD[:-30])
    assert damaged.value.fields == {"image": ["Is damaged or incomplete."]}
    for format_name in ("WEBP", "GIF"):
        with pytest.raises(TooLargeError) as large:
            await decoders.decode(picture(format_name, (3_001, 3_000), method=0))
        assert large.value.limit == "image_limit_pixels"
    assert await decoders.decode(GOOD * 10_000) == FOUND
    photo = picture("JPEG", (2_000, 1_500))
    assert await decoders.decode(photo) == decode_image(photo, LIMITS)
    assert decoders.pids == [first]


async def test_a_file_that_takes_too_long_is_refused() -> None:
    """Its process is ended by its processor time; the next image gets another."""
    # Seconds of work, on a fast machine as well.
    side = 9_000
    whole = picture("JPEG", (side, side), mode="L", progressive=True)
    # Within the first second of the process.
    async with aclosing(
        ImageDecoders(LIMITS._replace(pixels=side**2), cpu_seconds=0)
    ) as decoders:
        with pytest.raises(InvalidError) as caught:
            await decoders.decode(with_scans(whole, SCANS - 10))
        assert caught.value.fields == {"image": ["Takes too much work to decode."]}
        assert await decoders.decode(GOOD) == FOUND


async def test_a_file_that_takes_too_much_memory_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its process cannot have more than is set, whatever is in the file."""
    monkeypatch.setattr(decoder_pool, "PIXEL_BYTES", 0)
    limits = LIMITS._replace(pixels=36_000_000)
    async with aclosing(ImageDecoders(limits)) as decoders:
        with pytest.raises(InvalidError):
            await decoders.decode(picture("PNG", (6_000, 6_000), mode="RGBA"))
        assert await decoders.decode(GOOD) == FOUND


async def test_the_largest_picture_allowed_has_room(decoders: ImageDecoders) -> None:
    """The limit of memory never refuses what the limit of pixels allows."""
    side = int(LIMIT_PIXELS**0.5)
    for data in (
        picture("WEBP", (side, side), lossless=True, method=0),
        picture("JPEG", (side, side), mode="CMYK", progressive=True, subsampling=0),
        picture("PNG", (side, side), mode="RGBA"),
    ):
        assert (await decoders.decode(data)).width == side


async def test_a_decoder_that_is_given_up_is_ended(decoders: ImageDecoders) -> None:
    """Nothing of it is left when the sender has been answered."""
    (task,) = await held(decoders)
    (pid,) = decoders.pids
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_gone(pid)
    assert await decoders.decode(GOOD) == FOUND


async def test_a_decoder_that_was_killed_is_replaced(decoders: ImageDecoders) -> None:
    """By the system, for want of memory: the sender may try again, and it works."""
    await decoders.decode(GOOD)
    (pid,) = decoders.pids
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(UnavailableError) as caught:
        await decoders.decode(GOOD)
    assert caught.value.retry_after_ms
    assert await decoders.decode(GOOD) == FOUND


async def test_there_are_only_so_many_processes(decoders: ImageDecoders) -> None:
    """However many images there are at once."""
    found = await asyncio.gather(*(decoders.decode(GOOD) for _ in range(9)))
    assert set(found) == {FOUND}
    assert len(decoders.pids) == DECODERS


async def test_going_down_waits_for_no_picture(decoders: ImageDecoders) -> None:
    """What is being decoded is given up, what waits is refused, no process is left."""
    tasks = await held(decoders, DECODERS)
    tasks += [asyncio.create_task(decoders.decode(GOOD)) for _ in range(DECODERS)]
    there = decoders.pids
    await decoders.aclose()
    assert all(is_gone(pid) for pid in there)
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, UnavailableError) for each in ends)
    with pytest.raises(UnavailableError):
        await decoders.decode(GOOD)
    assert not decoders.pids


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_a_decoder_knows_no_secrets(
    decoders: ImageDecoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes it over by a picture does not get the key of the tokens."""
    monkeypatch.setenv("CHATROOM_JWT_SECRET", "the key of the tokens")
    await decoders.decode(GOOD)
    (pid,) = decoders.pids
    environment = environment_of(pid)
    assert b"PYTHONPATH" in environment
    assert b"the key" not in environment


NODE = """
import asyncio, os, signal, sys
from realtime.images import decoder_pool
from realtime.images.decode import Limits
from realtime.images.decoder_pool import ImageDecoders

async def main():
    decoders = ImageDecoders(Limits(9_000, 1_000_000, 1_000_000))
    data = sys.stdin.buffer.read(int(sys.argv[1]))
    await decoders.decode(data)
    (pid,) = decoders.pids
    os.kill(pid, signal.SIGSTOP)
    task = asyncio.create_task(decoders.decode(data))
    print(pid, flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read, 1)
    await decoders.aclose()

asyncio.run(main())
"""


@pytest.mark.parametrize("in_order", [True, False], ids=["stopped", "killed"])
async def test_it_ends_with_its_node(in_order: bool) -> None:
    """A picture that takes for ever keeps neither the node alive nor itself."""
    node = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NODE, str(len(GOOD))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert node.stdin is not None
    assert node.stdout is not None
    node.stdin.write(GOOD)
    pid = int(await node.stdout.readline())
    if in_order:
        node.stdin.write(b"x")
        assert await node.wait() == 0
    else:
        node.kill()
        await node.wait()
        os.kill(pid, signal.SIGCONT)
    await wait_until(lambda: is_gone(pid), "the decoder ends as well")
    await node.communicate()
