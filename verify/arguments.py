"""The flags of ``chatroom verify``. Imports nothing that takes its time."""

import argparse
import re
from pathlib import Path

DEFAULT_SECONDS = 60.0
"""Of faults: enough that most kinds strike."""

LEAST_CLIENTS = 2
"""Somebody must see what another one sends."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags to its parser."""
    parser.add_argument(
        "--url",
        action="append",
        default=[],
        dest="urls",
        metavar="URL",
        help="a node of your own (repeatable); faults then strike between clients and"
        " nodes only, and rooms named verify-… stay behind. Without it nodes and a"
        " Valkey are started for the run",
    )
    parser.add_argument(
        "--ca",
        type=Path,
        metavar="FILE",
        help="certificates to trust besides the usual ones, as PEM, for --url https://…",
    )
    parser.add_argument(
        "--redis",
        dest="redis_url",
        metavar="URL",
        help="the Redis of the nodes of --url: connections to it are then killed and"
        " paused as well, those of others too, and the log is read from it",
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=DEFAULT_SECONDS,
        help="how long faults strike (default: %(default)g)",
    )
    parser.add_argument(
        "--seed", type=int, help="repeats a run's decisions (default: by chance)"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        choices=range(1, 1000),
        default=1,
        metavar="N",
        help="repeat this on the same nodes with the next seeds, and look what they"
        " keep of clients that have gone; node 1 is never killed then"
        " (default: %(default)d)",
    )
    parser.add_argument(
        "--clients",
        type=_clients,
        default=8,
        help="how many Python clients (default: %(default)d)",
    )
    parser.add_argument(
        "--web-clients",
        type=int,
        choices=range(100),
        metavar="N",
        help="how many web clients, which need a checkout and Node (default: 2 there)",
    )
    parser.add_argument(
        "--nodes",
        type=int,
        choices=range(1, 10),
        default=3,
        metavar="N",
        help="nodes started for the run (default: %(default)d)",
    )
    parser.add_argument(
        "--sentinel",
        action="store_true",
        help="start a primary with two replicas under three Sentinels in place of one"
        " Valkey, and strike these as well",
    )
    parser.add_argument(
        "--durability",
        type=_durability,
        default="memory",
        metavar="LEVEL",
        help="memory, fsync or replicas:N of nodes started for the run"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--rate",
        type=_positive,
        default=2.0,
        help="messages a second of each client (default: %(default)g)",
    )
    parser.add_argument(
        "--faults",
        default="",
        metavar="TEXT",
        help="only faults with this in their name, for example 'Redis'",
    )
    parser.add_argument(
        "--report",
        type=Path,
        help="write the report there, as JSON; after each round, if there are several",
    )
    parser.add_argument(
        "--histories", type=Path, help="keep what each client wrote down in this folder"
    )


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number


def _durability(text: str) -> str:
    if not re.fullmatch("memory|fsync|replicas:[12]", text):
        raise argparse.ArgumentTypeError(
            "must be memory, fsync, replicas:1 or replicas:2"
        )
    return text


def _clients(text: str) -> int:
    number = int(text)
    if number < LEAST_CLIENTS:
        raise argparse.ArgumentTypeError(f"must be at least {LEAST_CLIENTS}")
    return number
