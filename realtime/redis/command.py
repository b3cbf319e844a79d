"""One command on its way to Redis, and how it is answered when Redis does not."""

import asyncio
from typing import Any

from realtime.errors import OutcomeUnknownError, UnavailableError
from realtime.redis.connection import Argument, pack
from realtime.redis.script import Script


class PendingCommand:
    """One command on its way.

    Attributes:
        packed: What is sent.
        deadline: When it is given up, in the time of the event loop.
        resend: Whether it may be sent again when it may have been carried out.
        reply: The answer.
        script: What it runs by its digest; None: nothing.
        arguments: What follows the script's digest in the command.
        written: Whether it was handed to a connection, and not refused there.
        doubtful: Whether it was handed to an earlier connection as well, and may have
            been carried out there: a later refusal does not prove the contrary.
    """

    __slots__ = (
        "arguments",
        "deadline",
        "doubtful",
        "packed",
        "reply",
        "resend",
        "script",
        "written",
    )

    def __init__(
        self,
        packed: bytes,
        deadline: float,
        resend: bool,
        reply: asyncio.Future[Any],
        script: Script | None = None,
        arguments: tuple[Argument, ...] = (),
    ) -> None:
        self.packed = packed
        self.deadline = deadline
        self.resend = resend
        self.reply = reply
        self.script = script
        self.arguments = arguments
        self.written = False
        self.doubtful = False

    def use_source(self) -> None:
        """Have the script's source sent, which needs nothing loaded before."""
        if self.script is not None:
            self.packed = pack("EVAL", self.script.source, *self.arguments)
            self.script = None

    def resolve(self, reply: Any) -> None:
        """Answer with what Redis said."""
        if not self.reply.done():
            self.reply.set_result(reply)

    def refuse(
        self,
        because: str,
        *,
        limit: str | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        """Answer that nothing was done, unless an earlier connection may have done it.

        Args:
            because: One sentence for the person who reads it.
            limit: The limit that was met.
            retry_after_ms: When it may be tried again.
        """
        if self.doubtful:
            because = f"{because} It may have been done before."
            self.reject(OutcomeUnknownError(because, limit=limit))
        else:
            self.reject(
                UnavailableError(because, limit=limit, retry_after_ms=retry_after_ms)
            )

    def give_up(self) -> None:
        """Answer that the deadline has passed, or the connection is no more."""
        if self.written:
            self.reject(OutcomeUnknownError("Redis did not answer in time."))
        else:
            self.refuse("Redis cannot be reached.")

    def reject(self, error: Exception) -> None:
        """Answer with an error."""
        if not self.reply.done():
            self.reply.set_exception(error)
            # Who asked may have been cancelled: that is no error of its own.
            self.reply.exception()
