"""``docs/limits.md`` names what there is: settings, constants and metrics."""

import dataclasses
import importlib
import re
from pathlib import Path

import pytest

from realtime.engineio.options import Options
from realtime.engineio.protocol import Reason
from realtime.limits import LIMITS
from realtime.node.settings import options
from schemas.acks import ERROR_CODES
from tests.kit.metrics import scrape
from tests.kit.nodes import run_nodes

PAGE = Path(__file__).parents[2] / "docs" / "limits.md"
ROWS = [
    [cell.strip() for cell in line.strip("|\n ").split(" | ")]
    for line in PAGE.read_text().partition("## Where it is held")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| limit |")
]
CONSTANT = re.compile(r"([0-9,]+)[^`:]*: `([A-Za-z_.]+)`")
METRIC = re.compile(r"`([a-z_]+)(?:\{([a-z_ ]+)\})?`")


def names(row: list[str]) -> str:
    return row[0]


@pytest.mark.parametrize("row", ROWS, ids=names)
def test_a_limit_has_its_setting_and_answer(row: list[str]) -> None:
    """A setting that exists, or a constant with the value that it has."""
    assert len(row) == 4
    _limit, setting, answer, metric = row
    assert answer
    assert metric
    variables = {each.variable for each in options()}
    for name in re.findall(r"CHATROOM_\w+", setting):
        assert name in variables
    for value, path in CONSTANT.findall(setting):
        assert constant(path) == int(value.replace(",", ""))
    assert "`" in setting or re.search("aiohttp's|sessions times", setting)


def constant(path: str) -> object:
    """Return the value of a module's constant, or of an engine option's default."""
    owner, _, name = path.rpartition(".")
    if owner == "Options":
        return next(e.default for e in dataclasses.fields(Options) if e.name == name)
    return getattr(importlib.import_module(owner), name)


async def test_every_metric_is_exposed(redis_url: str) -> None:
    """What an operator is told to watch can be watched, before it happens as well."""
    async with run_nodes(1, redis_url) as (node,):
        _, numbers = await scrape(node.url)
    reasons = {getattr(Reason, name) for name in vars(Reason) if name.isupper()}
    exposed = {"errors": set(ERROR_CODES), "endings": reasons, "limited": set(LIMITS)}
    for row in ROWS:
        found = METRIC.findall(row[3])
        assert found, row
        for name, label in found:
            if name == "limited":
                assert f'chatroom_limited_total{{limit="{label}"}}' in numbers, row
            elif name == "objects":
                assert f'chatroom_objects{{kind="{label}"}}' in numbers, row
            elif label:
                assert label in exposed[name], row
            else:
                assert {name, f"chatroom_{name}"} & numbers.keys(), row


def test_every_limit_that_is_counted_is_on_the_page() -> None:
    """A limit that somebody adds is told about."""
    told = {label for row in ROWS for name, label in METRIC.findall(row[3])}
    assert set(LIMITS) <= told


async def test_every_kind_of_object_that_is_counted_is_held_by_somebody(
    redis_url: str,
) -> None:
    """What a node says that it holds is on the page."""
    async with run_nodes(1, redis_url) as (node,):
        kinds = set(node.parts.held())
    told = {label for row in ROWS for name, label in METRIC.findall(row[3])}
    named = set(re.findall(r"objects\{([a-z_]+)\}", PAGE.read_text()))
    assert not kinds - told - named
