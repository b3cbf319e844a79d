"""The table that the supervisor and the workers of a machine share: memory, no locks.

The supervisor makes it and gives each worker a row, which that worker alone writes to.
What a worker holds by name is counted there too, under a keyed hash of the name: two
names may have the same place, and are then limited together, which nobody can arrange.
"""

import ctypes
import enum
import hashlib
import mmap
import os
import secrets
import time
from collections.abc import Iterator
from typing import Final

from realtime.elsewhere import Kind
from realtime.node.settings_fields import MOST_WORKERS
from realtime.redis.embedded import GONE, NO_SPACE

# Places for names, of each kind and worker: 64 KiB. With 10,000 users every other one
# shares a place with somebody, and their few sessions are nothing beside the limits.
PLACES: Final = 16_384
# Those of a worker, of all kinds.
_ROW_PLACES: Final = len(Kind) * PLACES

# A worker that has not written for so long is hung: 100 times what it takes at worst.
HUNG_SECONDS: Final = 30.0
# The others leave it out long before that: nothing is handed to it.
SILENT_SECONDS: Final = 5.0
# Time for a new one to serve; it takes 1.5 on a quiet machine.
START_SECONDS: Final = 60.0

# What the embedded Valkey may lack, by :attr:`Head.trouble`.
TROUBLES: Final = (None, GONE, NO_SPACE)

# Clear of any page boundary that matters: the head's size in bytes.
_HEAD_BYTES: Final = 4_096
_ROW_BYTES: Final = 128
_PLACE_BYTES: Final = 4
_KEY_BYTES: Final = 16


class State(enum.IntEnum):
    """Where a worker is in its life."""

    FREE = 0
    """There is none in this row."""
    STARTING = 1
    SERVING = 2
    """It takes connections, but could not serve a new client now: Redis is away."""
    READY = 3
    LEAVING = 4
    """It sends its clients away."""
    DEAD = 5
    """It has ended, and what it listed of its sessions is there still."""


class Head(ctypes.Structure):
    """What the supervisor says to all."""

    workers: int
    stopping: int
    trouble: int
    reloads: int
    failed_reloads: int
    key: bytes
    starts: list[int]
    _fields_ = (
        ("workers", ctypes.c_uint16),
        ("stopping", ctypes.c_uint8),
        ("trouble", ctypes.c_uint8),
        ("reloads", ctypes.c_uint32),
        ("failed_reloads", ctypes.c_uint32),
        ("key", ctypes.c_ubyte * _KEY_BYTES),
        # By slot: how often a worker was started there.
        ("starts", ctypes.c_uint32 * MOST_WORKERS),
    )


class Row(ctypes.Structure):
    """What a worker says of itself.

    Attributes:
        heartbeat: When it last did, in seconds of the machine's monotonic clock.
        number: Its own, among those that live: it is in the ids of its sessions.
        slot: The place that it fills, from 0.
        decoders: Places for decoders of images that it has taken.
        life: Under which name it lists its sessions in Redis.
    """

    heartbeat: float
    pid: int
    sessions: int
    unauthenticated: int
    number: int
    slot: int
    state: int
    decoders: int
    life: bytes
    _fields_ = (
        ("heartbeat", ctypes.c_double),
        ("pid", ctypes.c_uint32),
        ("sessions", ctypes.c_uint32),
        ("unauthenticated", ctypes.c_uint32),
        ("number", ctypes.c_uint16),
        ("slot", ctypes.c_uint16),
        ("state", ctypes.c_uint8),
        ("decoders", ctypes.c_uint8),
        ("life", ctypes.c_char * 48),
    )

    @property
    def serves(self) -> bool:
        """Whether it takes connections."""
        return self.state in (State.SERVING, State.READY) and not self.is_silent

    @property
    def is_ready(self) -> bool:
        """Whether it can serve whoever comes."""
        return self.state == State.READY and not self.is_silent

    @property
    def is_silent(self) -> bool:
        """Whether nothing was heard of it for a while."""
        return self._silence_seconds > SILENT_SECONDS

    @property
    def is_hung(self) -> bool:
        """Whether nothing was heard of it for too long."""
        is_new = self.state == State.STARTING
        return self._silence_seconds > (START_SECONDS if is_new else HUNG_SECONDS)

    @property
    def _silence_seconds(self) -> float:
        return time.monotonic() - self.heartbeat


class Table:
    """A process's view of the table.

    Args:
        descriptor: Of the memory, which is mapped; the descriptor stays the caller's.

    Attributes:
        head: What the supervisor says.
        rows: One for each worker that may be there, those that come and go included.
    """

    def __init__(self, descriptor: int) -> None:
        self._map = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        self.head = Head.from_buffer(self._map)
        count = _rows_of(self.head.workers)
        self.rows = [
            Row.from_buffer(self._map, _HEAD_BYTES + number * _ROW_BYTES)
            for number in range(count)
        ]
        begin = _places_begin(self.head.workers)
        places = memoryview(self._map)[begin:].cast("I")
        self._places = [
            places[row * _ROW_PLACES : (row + 1) * _ROW_PLACES] for row in range(count)
        ]

    @classmethod
    def make(cls, workers: int) -> "tuple[Table, int]":
        """Return a new table and its descriptor, for :data:`MOST_WORKERS` at most."""
        descriptor = os.memfd_create("chatroom-workers")
        places_bytes = _rows_of(workers) * _ROW_PLACES * _PLACE_BYTES
        os.ftruncate(descriptor, _places_begin(workers) + places_bytes)
        os.pwrite(descriptor, workers.to_bytes(2, "little"), 0)
        made = cls(descriptor)
        key = secrets.token_bytes(_KEY_BYTES)
        made.head.key = (ctypes.c_ubyte * _KEY_BYTES)(*key)  # type: ignore[assignment]
        return made, descriptor

    def serving(self) -> Iterator[Row]:
        """Yield the rows of workers that take connections."""
        return (row for row in self.rows if row.serves)

    def ready(self) -> Iterator[Row]:
        """Yield the rows of workers that can serve whoever comes."""
        return (row for row in self.rows if row.is_ready)

    def is_silent(self, number: int) -> bool:
        """Tell whether there is a worker of this number that is not heard of."""
        return any(row.number == number and row.is_silent for row in self.rows)

    def take_row(self, *, slot: int, number: int) -> int:
        """Return the index of a row for a new worker; of a dead one if none is free."""
        index = next(
            index
            for state in (State.FREE, State.DEAD)
            for index, row in enumerate(self.rows)
            if row.state == state
        )
        self.clear(index)
        row = self.rows[index]
        row.slot, row.number, row.heartbeat = slot, number, time.monotonic()
        row.state = State.STARTING
        self.head.starts[slot] += 1
        return index

    def clear(self, index: int) -> None:
        """Forget what a row's worker said, and what it held."""
        ctypes.memset(ctypes.addressof(self.rows[index]), 0, ctypes.sizeof(Row))
        self.forget_held(index)

    def forget_held(self, index: int) -> None:
        """Count nothing any more of what a row's worker held."""
        self.rows[index].unauthenticated = self.rows[index].sessions = 0
        self._places[index][:] = memoryview(bytes(_ROW_PLACES * _PLACE_BYTES)).cast("I")

    def place_of(self, kind: Kind, name: str) -> int:
        """Return where what a name holds is counted."""
        found = hashlib.blake2b(
            name.encode(errors="replace"), digest_size=4, key=bytes(self.head.key)
        )
        return kind * PLACES + int.from_bytes(found.digest(), "big") % PLACES

    def places_of(self, index: int) -> memoryview:
        """Return the counts of a row's worker."""
        return self._places[index]


def _rows_of(workers: int) -> int:
    # While one is replaced there are two in its slot, and dead ones wait to be swept.
    return 2 * workers + 2


def _places_begin(workers: int) -> int:
    size = _HEAD_BYTES + _rows_of(workers) * _ROW_BYTES
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
