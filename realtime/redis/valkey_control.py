"""A connection to one Valkey process, to ask it how it is and to tell it what to do."""

import asyncio
from pathlib import Path

# Longest wait for an answer: loading its data, or a slow script, holds Valkey up.
ANSWER_SECONDS = 10.0

# Valkey's own way to refuse what would write, and nothing else: it has no replicas.
REFUSE_WRITES = "min-replicas-to-write"


async def ping(socket: Path) -> bytes | None:
    """Return what whoever listens at a socket answers to PING; None: nothing."""
    control = await ValkeyControl.connect(socket)
    if control is None:
        return None
    try:
        return await control.ask("PING")
    finally:
        control.close()


class ValkeyControl:
    """Stays with the process it was opened to, whoever takes its socket's place."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, socket: Path) -> "ValkeyControl | None":
        """Return a connection; None: nobody listens."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return cls(*await asyncio.open_unix_connection(socket))
        except (OSError, TimeoutError):
            return None

    async def ask(self, command: str) -> bytes | None:
        """Return the answer, of one line, to a command; None: there is none."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self._writer.write(f"{command}\r\n".encode())
                return (await self._reader.readline()).strip() or None
        except (OSError, TimeoutError):
            return None

    async def refuse_writes(self, refuse: bool) -> bool:
        """Have writes refused, or taken again; false: it could not be told."""
        return await self.ask(f"CONFIG SET {REFUSE_WRITES} {int(refuse)}") == b"+OK"

    def close(self) -> None:
        """Cut the connection."""
        self._writer.transport.abort()
