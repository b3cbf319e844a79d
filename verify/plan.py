"""What a run consists of, before it begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from verify.faults.kinds import KINDS, Planned
from verify.harness.nodes import NODE_COMMAND
from verify.harness.tokens import MakeAuth, development_auth

Tell = Callable[[str], None]
"""Takes a line of progress."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run consists of.

    Attributes:
        seed: Decides what clients do and when which fault strikes.
        seconds: How long faults strike; starting and settling come on top.
        clients: How many Python clients, at least two.
        web_clients: How many web clients; they need a checkout and Node.
        nodes: How many are started; of no matter with ``urls``.
        urls: The user's own nodes; none: the run starts its own.
        redis_url: The Redis of these, if it may be struck; None: it is left alone.
        ca: Certificates to trust besides the usual ones.
        kinds: Faults that may strike.
        schedule: The faults, if they are not to be drawn from the seed.
        send_seconds: Mean time between two messages of one client.
        command: What runs the ``chatroom`` command of the nodes.
        make_auth: Returns a user's credentials.
        settle_seconds: Time after the last fault until everybody has everything. Far
            above what is promised: what is missing then is missing for good.
        released_seconds: Time after the clients have gone until nodes hold nothing
            of them: over two heartbeats.
        histories: Folder for the histories and the logs, to look into afterwards.
        sentinel: Whether the nodes' Redis is a primary with replicas under Sentinels.
        durability: ``CHATROOM_DURABILITY`` of the nodes.
        spared: Indexes of nodes that no fault ends; all others strike them.
    """

    seed: int
    seconds: float
    clients: int = 8
    web_clients: int = 0
    nodes: int = 3
    urls: Sequence[str] = ()
    redis_url: str | None = None
    ca: Path | None = None
    kinds: Sequence[str] = KINDS
    schedule: Sequence[Planned] | None = None
    send_seconds: float = 0.5
    command: Sequence[str] = NODE_COMMAND
    make_auth: MakeAuth = development_auth
    settle_seconds: float = 30.0
    released_seconds: float = 10.0
    histories: Path | None = None
    sentinel: bool = False
    durability: str = "memory"
    spared: frozenset[int] = frozenset()
