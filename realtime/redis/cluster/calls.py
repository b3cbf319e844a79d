"""One call to a cluster on its way: a command, and the slot that it is of."""

import asyncio
from typing import Any

from realtime.redis.command import PendingCommand
from realtime.redis.connection import Argument
from realtime.redis.script import Script


class SlotCall(PendingCommand):
    """A command of a slot.

    Attributes:
        slot: The slot of its keys.
        redirects: How often a shard named another one for it.
        link: The shard that it was last sent to.
    """

    __slots__ = ("link", "redirects", "slot")

    def __init__(
        self,
        packed: bytes,
        deadline: float,
        resend: bool,
        reply: asyncio.Future[Any],
        slot: int,
        script: Script | None = None,
        arguments: tuple[Argument, ...] = (),
    ) -> None:
        super().__init__(packed, deadline, resend, reply, script, arguments)
        self.slot = slot
        self.redirects = 0
        self.link: Any = None
