"""The sizes in ``docs/fleet.md`` are those that the model reckons, of what is so."""

import argparse
import re
from pathlib import Path

from benchmarks.sizing import Kept, measure, model

PAGE = Path(__file__).parents[2] / "docs" / "fleet.md"
# As the page says.
KEPT = Kept(message=820, file=1185, room=920)
KEPT_MESSAGES = 200
ROW = re.compile(
    r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (\d+) \| ([\d.]+) GiB \| ([\d.]+)[^|]*"
    r"\| ([\d.]+) GiB \| (\d+) Mbit/s \|$",
    re.MULTILINE,
)


def number(text: str) -> float:
    return float(text.replace(",", ""))


def test_the_table_is_what_the_model_says() -> None:
    """Whoever changes the one is told of the other."""
    rows = ROW.findall(PAGE.read_text())
    assert len(rows) == 3
    for row in rows:
        sessions, messages, rooms, *told = map(number, row)
        load = argparse.Namespace(
            sessions=int(sessions),
            messages=messages,
            room=10,
            rooms=int(rooms),
            kept=KEPT_MESSAGES,
        )
        need = model(load, KEPT)
        reckoned = (
            *(need.workers, need.memory_gib, need.redis_cores),
            *(need.redis_gib, need.out_mbit),
        )
        for said, is_so in zip(told, reckoned, strict=True):
            assert abs(said - is_so) <= max(0.05 * is_so, 0.05), (row, reckoned)


async def test_a_message_takes_in_redis_what_the_page_says() -> None:
    """Measured again: a change of what is kept shows here first."""
    kept = await measure(1_000, 100)
    assert abs(kept.message - KEPT.message) < 0.15 * KEPT.message
    assert abs(kept.file - KEPT.file) < 0.15 * KEPT.file
    assert abs(kept.room - KEPT.room) < 0.25 * KEPT.room
