"""The end of a server: sessions closed, their ends announced, all in bounded time."""

import asyncio
from typing import Final

from realtime.engineio.engine import Engine
from realtime.engineio.frames import CloseCode
from realtime.engineio.protocol import Reason

# Sessions closed before the event loop gets its turn: some 2 ms of work.
_CLOSED_A_TURN: Final = 50
# Seconds between two looks at what is left; once in a server's life an event would not
# pay.
_LOOK_SECONDS: Final = 0.01


async def close_sessions(engine: Engine, seconds: float) -> None:
    """Close all sessions and wait, at most so many seconds, for their ends.

    ``disconnect`` handlers have been called when it returns, what hangs is cancelled
    or aborted, and the timer is stopped.
    """
    for count, session in enumerate(list(engine.sessions.values()), start=1):
        session.close(Reason.SERVER_DISCONNECT, CloseCode.GOING_AWAY)
        if count % _CLOSED_A_TURN == 0:
            await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    closing, dispatcher = engine.context.closing, engine.dispatcher
    while (closing or dispatcher.is_announcing) and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_SECONDS)
    closing.abort_all()
    await engine.tasks.finish(deadline)
    engine.context.unfetched.clear()
    engine.timers.close()
