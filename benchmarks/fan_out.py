"""What fan-out alone costs: ``python -m benchmarks.fan_out``.

Rooms with some messages under way all the time, written to real sockets that another
process empties. All clocks are this thread's CPU time, so that what else the machine
does moves the figures little. Another version's: ``PYTHONPATH=<checkout>`` and
``python -P <this file>``.
"""

import asyncio
import os
import resource
import selectors
import signal
import socket
import statistics
import time
from collections.abc import Iterable, Sequence
from unittest import mock

from realtime.socketio.fan_out import FanOut

# An event of 100 characters, as the load generator sends them, in its frame.
PACKET = "x" * 270
# From the last delivery of a message to the next one that its sender sends.
AROUND_SECONDS = 0.001
SECONDS = 0.3
ROUNDS = 5
# Sessions of the room, and messages under way.
CASES = ((1_000, 1), (1_000, 4), (1_000, 16), (5_000, 1), (10, 4))


class Room:
    """Sessions, and what was written to them.

    Attributes:
        writes: System calls.
        delivered: Packets.
        had: By session, how many packets it has had.
    """

    def __init__(self, size: int) -> None:
        pairs = [socket.socketpair() for _ in range(size)]
        self.ends = [ours for ours, _ in pairs]
        self.others = [theirs for _, theirs in pairs]
        self.members = {f"s{number}": str(number) for number in range(size)}
        self.writes = self.delivered = 0
        self.had = [0] * size

    def write(self, addresses: Iterable[str], packets: Sequence[str | bytes]) -> None:
        """Write as the engine does, one frame a session."""
        frame = "".join(map(str, packets)).encode()
        for address in addresses:
            number = int(address)
            os.write(self.ends[number].fileno(), frame)
            self.had[number] += len(packets)
            self.writes += 1
            self.delivered += len(packets)

    def empty(self) -> None:
        """Read what is written, for ever; the other process."""
        selector = selectors.DefaultSelector()
        for end in self.others:
            selector.register(end, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                os.read(key.fd, 1 << 20)


async def keep_busy(room: Room, under_way: int) -> tuple[float, float, float]:
    """Return CPU µs and writes a delivery, and the median ms that a message takes."""
    fan_out = FanOut(room.write)
    serving = asyncio.create_task(fan_out.run())
    began = time.thread_time()
    sent: list[float] = []
    took: list[float] = []
    due = [began] * under_way
    while (now := time.thread_time()) < began + SECONDS:
        for at in [at for at in due if at <= now]:
            due.remove(at)
            sent.append(now)
            fan_out.send("room", room.members, [PACKET])
        await asyncio.sleep(0)
        for number in range(len(took), min(room.had)):
            took.append(time.thread_time() - sent[number])
            due.append(time.thread_time() + AROUND_SECONDS)
    spent = time.thread_time() - began
    serving.cancel()
    return (
        spent * 1e6 / room.delivered,
        room.writes / room.delivered,
        statistics.median(took) * 1e3,
    )


def measured(size: int, under_way: int) -> tuple[float, float, float]:
    """Return the figures of one round, in a room of its own."""
    room = Room(size)
    reader = os.fork()
    if not reader:
        room.empty()
    try:
        with mock.patch("time.perf_counter", time.thread_time):
            return asyncio.run(keep_busy(room, under_way))
    finally:
        os.kill(reader, signal.SIGKILL)
        os.waitpid(reader, 0)
        for end in (*room.ends, *room.others):
            end.close()


def main() -> None:
    """Measure and print."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print("sessions, under way: CPU µs a delivery (least), writes a delivery, ms")
    for size, under_way in CASES:
        found = [measured(size, under_way) for _ in range(ROUNDS)]
        cpu, writes, took = map(statistics.median, zip(*found, strict=True))
        spent = f"{cpu:5.2f} ({min(each[0] for each in found):.2f})"
        print(f"{size:6} {under_way:3}: {spent}  {writes:.2f}  {took:.2f}")


if __name__ == "__main__":
    main()
