"""The way of a message through the code, as the architecture's page tells it."""

import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from tests.kit.members import member
from tests.kit.nodes import run_nodes

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
# What runs meanwhile for the sender's ack, which is another way.
ACK = {
    "handlers/chat.py",
    "handlers/guard.py",
    "realtime/engineio/flow_control.py",
    "realtime/engineio/handler_tasks.py",
    "realtime/json_codec.py",
    "realtime/pacing.py",
    "realtime/socketio/server.py",
    # Which is measured.
    "realtime/traffic.py",
    # Once it is written: lists of rooms are told of it, if anybody watches.
    "realtime/rooms/rooms_changed.py",
    "realtime/rooms/watch.py",
}
# What the clock may bring along.
TIMED = (
    "realtime/engineio/heartbeat.py",
    "realtime/engineio/timers.py",
    "realtime/node/",
    "realtime/presence/",
    "realtime/redis/reconnect.py",
    "realtime/rooms/position_check.py",
    # Lists of rooms are told of it a quarter of a second later, by the names of keys.
    "realtime/rooms/rooms_changed.py",
    "realtime/rooms/watch.py",
    "realtime/store/keys.py",
    "realtime/tasks.py",
)
FILES_AT_MOST = 25


def told() -> list[str]:
    """Return the files that the page lists."""
    section = PAGE.read_text().partition("## A message's way")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


class Trace:
    """The files whose functions are called, from the handler of `send` on."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self._begun = False

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Take note of a call; what ``sys.setprofile`` takes."""
        path = Path(frame.f_code.co_filename)
        if event != "call" or not path.is_relative_to(ROOT):
            return
        name = path.relative_to(ROOT).as_posix()
        self._begun = self._begun or frame.f_code.co_name == "on_send"
        if self._begun and name.startswith(("handlers/", "realtime/")):
            self.files.add(name)


async def test_a_message_passes_the_files_that_the_page_names(redis_url: str) -> None:
    """Who follows the page from file to file has read all of it."""
    trace = Trace()
    async with (
        run_nodes(1, redis_url) as (node,),
        member(node, "ann", "42") as ann,
        member(node, "bob", "42") as bob,
    ):
        await ann.send("the first one makes what is made once")
        await bob.next("message")
        sys.setprofile(trace)
        try:
            await ann.send("traced")
            await bob.next("message", text="traced")
        finally:
            sys.setprofile(None)
    scripts = {name for name in told() if name.endswith(".lua")}
    passed = {name for name in trace.files - ACK if not name.startswith(TIMED)}
    assert passed == set(told()) - scripts
    assert len(told()) <= FILES_AT_MOST
