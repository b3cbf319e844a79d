"""Decodes images in processes of their own, which can be bounded and ended.

A thread can be neither: a picture that keeps its decoder busy would hold a thread for
good, hold up the end of the node, and take what memory it likes.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from realtime.errors import ChatError, InvalidError, TooLargeError, UnavailableError
from realtime.images.decode import Decoded, Limits
from realtime.images.places import DECODERS, DecoderPlaces
from realtime.images.thumbnails import Thumbnail
from realtime.images.worker import LENGTH, READY

# Processor time for one image; the largest one allowed takes up to five seconds.
CPU_SECONDS: Final = 10

# Memory for each pixel allowed: what libwebp and Pillow take together. JPEG takes up to
# 12, PNG and GIF 4.
PIXEL_BYTES: Final = 16

# Memory for the interpreter and its libraries (30 MB), and for metadata.
OWN_BYTES: Final = 128 * 1024 * 1024

# Times that the bytes of a file may be in a decoder's memory.
COPIES: Final = 6

# That the files which come back may have together, above the largest one allowed:
# thumbnails have 0.3 megabytes, of noise 1.5.
MORE_BYTES: Final = 4 * 1024 * 1024

# Handed to a decoder at a time: what a pipe takes.
WRITE_BYTES: Final = 64 * 1024

# When to try again if there is no decoder, in milliseconds: one has started then.
RETRY_MS: Final = 1_000

# For a process that has closed its output to be gone, until it is killed.
EXIT_SECONDS: Final = 2

# Time for which a process that is one of a whole machine's waits for another image,
# before it makes way: others of the machine may wait for its place.
IDLE_SECONDS: Final = 1.0

# Between two looks whether one that was killed is gone.
GONE_SECONDS: Final = 0.01

_Answer = tuple[dict[str, Any], list[bytes]]
_ERRORS: Final = {kind.code: kind for kind in (InvalidError, TooLargeError)}
_logger = logging.getLogger(__name__)


class ImageDecoders:
    """Up to :data:`DECODERS` processes; further images wait for one.

    Args:
        limits: Of an image; no larger file is handed over.
        cpu_seconds: Most processor time for one image.
        places: Those of the machine, where several nodes share them; None: this node
            has it for itself.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        cpu_seconds: int = CPU_SECONDS,
        places: DecoderPlaces | None = None,
    ) -> None:
        memory_bytes = (
            OWN_BYTES + COPIES * limits.file_bytes + PIXEL_BYTES * limits.pixels
        )
        self._arguments = [str(n) for n in (*limits, memory_bytes, cpu_seconds)]
        self._most_bytes = limits.file_bytes + MORE_BYTES
        self._places = asyncio.Semaphore(DECODERS)
        self._idle: list[_Decoder] = []
        self._busy: set[_Decoder] = set()
        self._closed = False
        self._shared = places

    @property
    def busy(self) -> int:
        """Processes that are at an image."""
        return len(self._busy)

    @property
    def pids(self) -> list[int]:
        """All processes there are."""
        return [each.pid for each in (*self._busy, *self._idle)]

    async def decode(self, data: bytes) -> Decoded:
        """Return what an image is; whoever is cancelled meanwhile ends its decoder.

        Raises:
            InvalidError: It is no image, damaged, or too much work.
            TooLargeError: It has too many pixels.
            UnavailableError: There is no decoder now.
        """
        async with self._places:
            decoder = await self._take()
            self._busy.add(decoder)
            answer: _Answer | None = None
            try:
                answer = await decoder.answer(data, self._most_bytes)
            finally:
                self._busy.discard(decoder)
                if answer:
                    self._rest(decoder)
                else:
                    await self._end(decoder)
        if answer is None:
            raise decoder.failure()
        said, files = answer
        if "code" in said:
            raise _ERRORS[said.pop("code")](said.pop("message"), **said)
        sizes = zip(said.pop("thumbnails"), files[1:], strict=True)
        thumbnails = tuple(Thumbnail(w, h, data) for (w, h), data in sizes)
        return Decoded(**said, data=files[0], thumbnails=thumbnails)

    async def aclose(self) -> None:
        """End the processes; whoever waits for one is told that there is none."""
        self._closed = True
        if self._shared is not None:
            self._shared.close()
        for decoder in self._busy:
            decoder.kill()
        for _ in range(DECODERS):
            await self._places.acquire()
        while self._idle:
            await self._end(self._idle.pop())
        for _ in range(DECODERS):
            self._places.release()

    async def _take(self) -> "_Decoder":
        if self._idle and not self._closed:
            decoder = self._idle.pop()
            decoder.stop_waiting()
            return decoder
        if not self._closed:
            if self._shared is not None and not await self._shared.take():
                raise _unavailable()
            decoder = await self._start()
            if not self._closed:
                return decoder
            await self._end(decoder)
        raise _unavailable()

    async def _start(self) -> "_Decoder":
        """Start one; the place that was taken for it is given back if it cannot be."""
        decoder = None
        try:
            decoder = await _Decoder.start(self._arguments)
        except OSError as error:
            _logger.warning("No decoder of images can be started: %r", error)
            raise _unavailable() from error
        finally:
            if decoder is None:
                self._give_place()
        return decoder

    def _rest(self, decoder: "_Decoder") -> None:
        """Keep a decoder for the next image; of a shared machine not for long."""
        self._idle.append(decoder)
        if self._shared is not None:
            decoder.wait(IDLE_SECONDS, lambda: self._retire(decoder))

    def _retire(self, decoder: "_Decoder") -> None:
        if decoder in self._idle:
            self._idle.remove(decoder)
            decoder.kill()
            self._give_when_gone(decoder)

    def _give_when_gone(self, decoder: "_Decoder") -> None:
        """Give the place of one that was killed back, but not before it is gone."""
        if decoder.is_gone:
            self._give_place()
        else:
            decoder.wait(GONE_SECONDS, lambda: self._give_when_gone(decoder))

    async def _end(self, decoder: "_Decoder") -> None:
        try:
            await decoder.end()
        finally:
            self._give_place()

    def _give_place(self) -> None:
        if self._shared is not None:
            self._shared.give()


class _Decoder:
    """One process.

    Args:
        process: Running, with pipes to and from it.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ready = False
        self._waits: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @classmethod
    async def start(cls, arguments: Iterable[str]) -> "_Decoder":
        """Start one with what :func:`realtime.images.worker.main` takes.

        Raises:
            OSError: The system has no place for it.
        """
        # What it needs of this process is where the modules are, not the secrets.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("CHATROOM_")
        }
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        # glibc then gives each large block back as soon as it is free.
        environment["MALLOC_MMAP_THRESHOLD_"] = str(1024 * 1024)
        environment["MALLOC_ARENA_MAX"] = "1"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "realtime.images.worker"),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            # Ctrl-C reaches the node, which ends it.
            start_new_session=True,
        )
        return cls(process)

    async def answer(self, data: bytes, most_bytes: int) -> _Answer | None:
        """Return what the process answers, None if it ended instead.

        Args:
            data: The image.
            most_bytes: Of the files that come back; more are no answer.
        """
        answer = None
        with suppress(asyncio.IncompleteReadError, ValueError, KeyError):
            answer = await self._ask(data, most_bytes)
        if answer is None:
            # To kill one that has ended already may hide what it ended of: before
            # Python 3.13 that takes the exit status away from asyncio (gh-87744).
            with suppress(TimeoutError):
                async with asyncio.timeout(EXIT_SECONDS):
                    await self._process.wait()
        return answer

    async def _ask(self, data: bytes, most_bytes: int) -> _Answer | None:
        to, answers = self._process.stdin, self._process.stdout
        if to is None or answers is None:
            return None
        if not self._ready:
            self._ready = await answers.readline() == READY
        with suppress(BrokenPipeError, ConnectionResetError):
            to.write(LENGTH.pack(len(data)))
            for at in range(0, len(data), WRITE_BYTES):
                to.write(data[at : at + WRITE_BYTES])
                await to.drain()
        said = json.loads(await answers.readline())
        sizes = said.pop("sizes", ())
        if sum(sizes) > most_bytes:
            return None
        return said, [await answers.readexactly(size) for size in sizes]

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended."""
        return self._process.returncode is not None

    def wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Have something done if it is not :meth:`stop_waiting` before."""
        self._waits = asyncio.get_running_loop().call_later(seconds, then)

    def stop_waiting(self) -> None:
        """There is another image, or the end."""
        if self._waits is not None:
            self._waits.cancel()
            self._waits = None

    def kill(self) -> None:
        """Make the process end now, whatever it is at."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """Kill the process and return when it is gone."""
        self.stop_waiting()
        if self._process.returncode is None:
            self.kill()
        await self._process.communicate()

    def failure(self) -> ChatError:
        """Return what to tell of the image with which the process ended."""
        code = self._process.returncode or 0
        _logger.warning("A decoder of images ended (%d).", code)
        # The kernel ends it for its time, or for what it did to its memory; with
        # SIGKILL it is this node, or the machine that has no memory left.
        if self._ready and code < 0 and code != -signal.SIGKILL:
            return InvalidError(
                "The image takes too much work to decode.",
                fields={"image": ["Takes too much work to decode."]},
            )
        return _unavailable()


def _unavailable() -> UnavailableError:
    return UnavailableError(
        "Images cannot be checked now; try again.", retry_after_ms=RETRY_MS
    )
