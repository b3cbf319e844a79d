"""What ``chatroom chat`` takes; apart, because every command imports it."""

import argparse
from typing import Final

# Where `chatroom serve` listens by default.
DEFAULT_URL: Final = "http://localhost:5000"

# The user's own token: a secret, which does not belong on a command line.
TOKEN_VARIABLE: Final = "CHATROOM_TOKEN"  # noqa: S105 - a name, no secret


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("room", help="the room to join")
    parser.add_argument(
        "--url", default=DEFAULT_URL, help="the server (default: %(default)s)"
    )
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--token", help=f"your token; better in {TOKEN_VARIABLE}")
    who.add_argument("--user", help="your id, in development mode")
    parser.add_argument("--name", help="what others see of you, with --user")
    parser.add_argument("--plain", action="store_true", help="no colours")
