"""A worker's process, as the supervisor starts it: ``python -m realtime.workers``."""

import asyncio
import faulthandler
import os
import signal
import sys

from realtime.engineio.event_loop import new_event_loop
from realtime.errors import StartError
from realtime.node.serving import serve
from realtime.node.settings_io import load_settings
from realtime.workers.port import WorkerPort
from realtime.workers.seat import Seat, share_of


def main(text: str) -> None:
    """Serve as one of several workers; exits with 1 and one readable text if it cannot.

    Args:
        text: Which one, as :meth:`~realtime.workers.seat.Seat.to_text` wrote it.
    """
    # Whoever ends one that hangs wants to know where it was.
    faulthandler.enable()
    # For the supervisor.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    seat = Seat.from_text(text)
    try:
        settings = share_of(load_settings(os.environ))
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(serve(settings, WorkerPort(seat, settings)))
    except StartError as error:
        # Written to the standard error, with the exit code 1.
        raise SystemExit(f"chatroom: {error}") from None


if __name__ == "__main__":
    main(sys.argv[1])
