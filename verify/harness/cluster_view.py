"""What one server of a Redis Cluster holds to be so: the lines of ``CLUSTER NODES``."""

from collections.abc import Sequence
from dataclasses import dataclass

from realtime.redis.cluster.slots import slot_of
from realtime.store import keys

# Flags of a server that the one asked does not reach, or does not know yet.
AMISS = frozenset({"fail", "fail?", "handshake", "noaddr"})


@dataclass(frozen=True, slots=True)
class ClusterNode:
    """A server as another one, or itself, sees it.

    Attributes:
        id: Its name in the cluster.
        port: Where it says that clients reach it.
        flags: ``master``, ``slave``, ``myself``, ``fail`` ...
        epoch: Of its configuration; the newest one that claims a slot owns it.
        is_linked: Whether the one asked is connected to it.
        slots: What it owns.
    """

    id: str
    port: int
    flags: frozenset[str]
    epoch: int
    is_linked: bool
    slots: tuple[range, ...]

    @property
    def is_away(self) -> bool:
        """Whether the one asked does not reach it."""
        return bool(AMISS & self.flags) or not self.is_linked

    @property
    def is_primary(self) -> bool:
        """Whether it is a primary in the eyes of the one asked."""
        return "master" in self.flags

    def owns(self, slot: int) -> bool:
        """Tell whether a slot is its own."""
        return any(slot in each for each in self.slots)


def parse_nodes(text: str) -> list[ClusterNode]:
    """Return the servers that ``CLUSTER NODES`` tells of."""
    return [_node(line.split()) for line in text.splitlines() if line]


def _node(words: Sequence[str]) -> ClusterNode:
    own_id, address, flags, _primary, _ping, _pong, epoch, link, *slots = words
    # host:port@bus,hostname
    port = address.partition("@")[0].rpartition(":")[2]
    return ClusterNode(
        own_id,
        int(port),
        frozenset(flags.split(",")),
        int(epoch),
        link == "connected",
        # In brackets: slots that are on their way.
        tuple(_range(each) for each in slots if not each.startswith("[")),
    )


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def slot_of_room(room: str) -> int:
    """Return the slot of a room's keys and of its channel."""
    return slot_of(keys.channel(room).encode())
