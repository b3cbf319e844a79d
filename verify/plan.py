"""What a run consists of, and the flags of ``chatroom verify`` that say so.

Imports nothing that takes its time: the command's other parts need none of it.
"""

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from verify.harness.tokens import MakeAuth, development_auth

# Takes a line of progress.
Tell = Callable[[str], None]


def flag(text: str, default: Any = None, **more: Any) -> Any:
    """Return a field that is a flag as well; more is for ``add_argument``."""
    if default:
        text += (
            f" (default: {default:g})" if default != "memory" else " (default: memory)"
        )
    return field(default=default, metadata={"help": text, **more})


def _number(
    least: float, most: float = 1e6, kind: type = float
) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            number = kind(text)
        except ValueError:
            what = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} is no {what}") from None
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"must be from {least:g} to {most:g}")
        return number

    return read


def _durability(text: str) -> str:
    if not re.fullmatch("memory|fsync|replicas:[12]", text):
        raise argparse.ArgumentTypeError("is memory, fsync, replicas:1 or replicas:2")
    return text


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: A key of ``STRIKES`` or ``FAILOVERS`` in :mod:`verify.faults`.
        node: Index of the node that it strikes; of no matter for Redis.
        seconds: How long it lasts; some are over at once.
    """

    kind: str
    node: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and when it strikes, in seconds since the beginning of the run."""

    at: float
    fault: Fault


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run consists of.

    Attributes:
        web_clients: None: as many as can run.
        schedule: The faults, if they are not to be drawn from the seed.
        command: What runs the ``chatroom`` command of the nodes.
        make_auth: Returns a user's credentials.
        settle_seconds: Time after the last fault until everybody has everything. Far
            above what is promised: what is missing then is missing for good.
        released_seconds: Time after the clients have gone until nodes hold nothing
            of them: over two heartbeats.
        eagerness: How many times as often as usual clients ask for other operations
            than messages.
        spared: Indexes of nodes that no fault ends; all others strike them.
    """

    urls: Sequence[str] = flag(
        "a node of your own (repeatable); faults then strike between clients and nodes"
        " only, and rooms named verify-… stay behind. Without it nodes and a Valkey are"
        " started for the run",
        (),
        name="--url",
        action="append",
    )
    ca: Path | None = flag(
        "certificates to trust besides the usual ones, as PEM, for --url https://…",
        type=Path,
    )
    redis_url: str | None = flag(
        "the Redis of the nodes of --url: connections to it are then killed and paused"
        " as well, those of others too, and the log is read from it",
        name="--redis",
    )
    seconds: float = flag(
        "how long faults strike, in seconds", 60.0, type=_number(0.1, 1e6)
    )
    seed: int = flag(
        "repeats a run's decisions (default: by chance)",
        0,
        type=_number(0, 2**63, int),
    )
    rounds: int = flag(
        "repeat this on the same nodes with the next seeds, and look what they keep of"
        " clients that have gone; node 1 is never killed then",
        1,
        type=_number(1, 999, int),
    )
    clients: int = flag("how many Python clients", 8, type=_number(2, 1000, int))
    web_clients: int | None = flag(
        "how many web clients, which need a checkout and Node (default: 2 there)",
        type=_number(0, 99, int),
    )
    nodes: int = flag("nodes started for the run", 3, type=_number(1, 9, int))
    sentinel: bool = flag(
        "start a primary with two replicas under three Sentinels in place of one"
        " Valkey, and strike these as well",
        False,
        action="store_true",
    )
    cluster: str | None = flag(
        "start a Redis Cluster in place of one Valkey, three primaries with a replica"
        " each, and strike its shards as well: of the bundled valkey, or of the"
        " machine's redis (default, if the flag is given: valkey)",
        nargs="?",
        const="valkey",
        choices=("valkey", "redis"),
    )
    durability: str = flag(
        "memory, fsync or replicas:N of nodes started for the run",
        "memory",
        type=_durability,
    )
    webhooks: bool = flag(
        "have nodes started for the run tell an application what happens, which fails,"
        " hangs and answers 500 as well",
        False,
        action="store_true",
    )
    rate: float = flag("messages a second of each client", 2.0, type=_number(0.01, 1e3))
    faults: str = flag("only faults with this in their name, for example 'Redis'", "")
    report: Path | None = flag(
        "write the report there, as JSON; after each round, if there are several",
        type=Path,
    )
    histories: Path | None = flag(
        "keep what each client wrote down in this folder", type=Path
    )
    schedule: Sequence[Planned] | None = None
    command: Sequence[str] = (sys.executable, "-m", "realtime")
    make_auth: MakeAuth = development_auth
    settle_seconds: float = 30.0
    released_seconds: float = 10.0
    eagerness: float = 1.0
    spared: frozenset[int] = frozenset()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags to its parser."""
    for each in fields(Plan):
        if each.metadata:
            options = {"name": "--" + each.name.replace("_", "-"), **each.metadata}
            name = options.pop("name")
            parser.add_argument(
                name, dest=each.name, default=argparse.SUPPRESS, **options
            )


def given_plan(given: argparse.Namespace) -> Plan:
    """Return the plan that the flags make."""
    names = {each.name for each in fields(Plan) if each.metadata}
    return Plan(**{name: value for name, value in vars(given).items() if name in names})
