"""The ``chatroom`` command, run in this process: one of its own takes a second more."""

import asyncio
import io
from contextlib import redirect_stderr, redirect_stdout

from realtime.cli import main


async def chatroom(*arguments: str) -> tuple[int, str]:
    """Run the command; return its status and all that it said."""
    said = io.StringIO()

    def run() -> int:
        with redirect_stdout(said), redirect_stderr(said):
            try:
                main(arguments)
            except SystemExit as error:
                return int(error.code or 0)
        return 0

    return await asyncio.to_thread(run), said.getvalue()
