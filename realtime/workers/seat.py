"""What a worker is told when it is started: which one it is, and what it inherits."""

import dataclasses
import json
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Self

from realtime.node.settings import MIB, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """One worker's place, as it stands on its command line.

    Attributes:
        slot: From 0 to the number of workers, without it; stays when it is replaced.
        number: Its own among those that live: the mark in the ids of its sessions.
        row: Index of its row of the table.
        table: Descriptor of the table.
        sockets: Of each slot the descriptors of the sockets it listens on.
        places: Pipe of the places for decoders: where to read, where to write.
        folder: Where the workers listen to each other.
    """

    slot: int
    number: int
    row: int
    table: int
    sockets: tuple[tuple[int, ...], ...]
    places: tuple[int, int]
    folder: str

    @property
    def descriptors(self) -> list[int]:
        """All that is inherited."""
        own = (self.table, *self.places)
        return [*own, *(each for slot in self.sockets for each in slot)]

    @property
    def path(self) -> Path:
        """The folder as a path."""
        return Path(self.folder)

    def to_text(self) -> str:
        """Return it for the command line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what :meth:`to_text` wrote."""
        found = json.loads(text)
        found["sockets"] = tuple(map(tuple, found["sockets"]))
        found["places"] = tuple(found["places"])
        return cls(**found)


def share_of(settings: Settings) -> Settings:
    """Return the settings of one of the workers: what is divided among them.

    The rest is either each worker's, since it protects one event loop or the memory of
    one process, or is counted over all of them in the table.
    """
    workers = settings.workers
    return dataclasses.replace(
        settings,
        node_sessions=ceil(settings.node_sessions / workers),
        node_recent_bytes=max(MIB, settings.node_recent_bytes // workers),
    )
