"""What the sessions and connections of one server share."""

from collections import Counter
from dataclasses import dataclass

from realtime.engineio.closing import ClosingConnections, UnfetchedPackets
from realtime.engineio.cork import Cork
from realtime.engineio.dispatch import Dispatcher
from realtime.engineio.heartbeat import Heartbeat
from realtime.engineio.held_bytes import HeldBytes
from realtime.engineio.interfaces import ClosedSessions, Observer, UpgradingSession
from realtime.engineio.options import Options
from realtime.engineio.timers import TimeoutQueue


@dataclass(slots=True, kw_only=True)
class Context:
    """The parts of a server that each of its sessions refers to, in one place.

    A session has one reference for all of them: there are tens of thousands.
    """

    options: Options
    # Counts how often a limit was met.
    limited: Counter[str]
    # Of connections whose user is not known yet.
    held_bytes: HeldBytes
    cork: Cork
    dispatcher: Dispatcher
    heartbeat: Heartbeat
    # Sessions with a WebSocket that has not completed its upgrade yet.
    upgrades: TimeoutQueue[UpgradingSession]
    closing: ClosingConnections
    unfetched: UnfetchedPackets
    # Where a session takes itself out.
    registry: ClosedSessions
    observer: Observer | None = None
