"""The flags of the commands for operators; apart, because every command imports it."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

# Exit codes, as the help of each command says them.
CODES: Final = "exit codes: 0 %s; 1 %s; 2 a flag is wrong"

Adder = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace], None]

# Between two pictures of `top`, in seconds.
EVERY_SECONDS: Final = 2.0


def add_commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    add_redis_flags: Adder,
    run: Run,
) -> None:
    """Add the commands to those that there are.

    Args:
        commands: Where they are added.
        add_redis_flags: Adds the flags that say which Redis, and which data folder.
        run: Runs the one that was given, whose name is its ``operation``.
    """
    for name, text, codes, flags in (
        (
            "check",
            "say what is wrong with settings, Redis, this machine and a server",
            ("it may start so", "something is wrong"),
            _check,
        ),
        (
            "trace",
            "say what became of a message: stored, where, who may see it",
            ("it was stored", "it was not, or Redis cannot be reached"),
            _trace,
        ),
        (
            "tail",
            "show what is published in a room, as it happens, until Ctrl-C",
            ("it was ended", "Redis cannot be reached"),
            _tail,
        ),
        (
            "top",
            "show the nodes as they are: sessions, rates, lags, leases",
            ("it was ended", "no node answers"),
            _top,
        ),
        (
            "backup",
            "copy the data folder of nodes with the embedded Valkey, while they run",
            ("it is copied", "it is not"),
            _backup,
        ),
        (
            "restore",
            "make a data folder of such a copy, and see whether Valkey takes it",
            ("it does", "it does not, or there is data already"),
            _restore,
        ),
    ):
        command = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}. Reads the nodes' settings from"
            " CHATROOM_… variables, as `serve` does.",
            epilog=CODES % codes,
        )
        add_redis_flags(command)
        flags(command)
        command.set_defaults(run=run, operation=name)


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--json", action="store_true", help="for programs: JSON instead of words"
    )


def _backup(command: argparse.ArgumentParser) -> None:
    command.add_argument("target", type=Path, help="a folder that is made for it")


def _restore(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", type=Path, help="what `backup` made")


def _check(command: argparse.ArgumentParser) -> None:
    _add_json(command)
    command.add_argument(
        "--url",
        help="ask this server as well, from outside, as its clients do:"
        " https://chat.example.org",
    )
    command.add_argument(
        "--strict", action="store_true", help="warnings are something wrong, too"
    )


def _trace(command: argparse.ArgumentParser) -> None:
    _add_json(command)
    command.add_argument("client_id", help="the clientId that it was sent with")
    command.add_argument("--room", required=True, help="the room it was sent to")
    command.add_argument(
        "--user", help="who sent it (default: looked for among the members)"
    )
    command.add_argument("--to", metavar="USER", help="who did not see it")


def _tail(command: argparse.ArgumentParser) -> None:
    _add_json(command)
    command.add_argument("room", help="the room")
    command.add_argument(
        "--last",
        type=int,
        default=10,
        metavar="N",
        help="show the last messages first (default: %(default)s)",
    )


def _top(command: argparse.ArgumentParser) -> None:
    _add_json(command)
    command.add_argument(
        "--url",
        action="append",
        metavar="URL",
        help="a node's own address; again for each one (default: that of this machine)",
    )
    command.add_argument(
        "--once", action="store_true", help="one picture, over one period"
    )
    command.add_argument(
        "--every",
        type=float,
        default=EVERY_SECONDS,
        metavar="SECONDS",
        help="between two pictures (default: %(default)g)",
    )
