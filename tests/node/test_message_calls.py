"""What a message costs, in function calls: a count, so that it grows only on purpose.

Counted are calls of the server's functions, and of Python's own by them, from the
sender's frame to its ack and the delivery to both members of a room. Times vary with
the machine; a tenth of the calls is about a tenth of the time.
"""

import sys
from pathlib import Path
from types import FrameType
from typing import Any

from tests.kit.nodes import run_nodes
from tests.kit.raw_chat import RawChat, raw_chat

ROOT = Path(__file__).parents[2]
OWN = tuple(f"{ROOT / name}/" for name in ("handlers", "realtime", "schemas"))
MESSAGES = 30
CALLS_AT_MOST = 284


class Calls:
    """Counts calls; what ``sys.setprofile`` takes."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Take note of a call of a function of ours, or by one of ours."""
        if event in ("call", "c_call") and frame.f_code.co_filename.startswith(OWN):
            self.count += 1


async def joined(chat: RawChat, user: str) -> None:
    """Connect and join the room."""
    await chat.connect({"user": user})
    answer = await chat.ask('["join",{"room":"42"}]')
    assert answer["ok"]


async def test_a_message_costs_so_many_calls(redis_url: str) -> None:
    """The least of some messages: what the clock brings along is not in it."""
    found = []
    async with (
        run_nodes(1, redis_url) as (node,),
        raw_chat(node) as ann,
        raw_chat(node) as bob,
    ):
        await joined(ann, "ann")
        await joined(bob, "bob")
        for number in range(MESSAGES):
            message = f'{{"room":"42","clientId":"{number}","type":"text","text":"x"}}'
            calls = Calls()
            sys.setprofile(calls)
            try:
                await ann.ask(f'["send",{message}]')
                await bob.frame('42/chat,["message"')
            finally:
                sys.setprofile(None)
            found.append(calls.count)
    assert min(found) <= CALLS_AT_MOST, sorted(found)
    # What is counted is really there: it cannot be this little.
    assert min(found) > CALLS_AT_MOST / 2
