"""``docs/metrics.md`` has every metric, and what asks for metrics asks for these."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from realtime.node.metrics import SHARD_GAUGES
from tests.kit.metric_names import OF_WORKERS, asked_for, documented, families, unknown
from tests.kit.nodes import run_nodes
from tests.kit.waiting import wait_until

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "chatroom.json"


async def test_the_page_has_every_metric_and_no_other(redis_url: str) -> None:
    """Whoever reads it knows what a node tells, and by which name."""
    async with run_nodes(1, redis_url) as (node,):
        await wait_until(
            lambda: node.parts.traffic.redis_ahead_seconds is not None,
            "Redis was asked the time",
        )
        told = families(node.running.metrics_text())
    told = {name: kind for name, kind in told.items() if name.startswith("chatroom_")}
    # None of one server, and a label each of a cluster's.
    told |= {f"chatroom_{name}": "gauge" for name in SHARD_GAUGES}
    workers = set(re.findall(r'"(chatroom_\w+)"', OF_WORKERS.read_text()))
    page = documented()
    assert {name: kind for name, kind in page.items() if name not in workers} == told
    assert workers <= page.keys()


def _targets(panel: dict[str, Any]) -> Iterator[str]:
    for target in panel.get("targets", ()):
        yield target["expr"]
    for inner in panel.get("panels", ()):
        yield from _targets(inner)


def test_the_dashboard_asks_for_what_there_is() -> None:
    """No graph is empty for a name that was changed."""
    board = json.loads(DASHBOARD.read_text())
    queries = [query for panel in board["panels"] for query in _targets(panel)]
    assert len(queries) > 20
    assert not unknown(queries)
    # Each names its datasource by the variable, so that it can be imported anywhere.
    assert '"uid": "${datasource}"' in DASHBOARD.read_text()


def test_the_alarms_ask_for_what_there_is() -> None:
    """No alarm sleeps for a name that was changed."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    rules = [rule["expr"] for group in groups for rule in group["rules"]]
    assert rules
    assert not unknown(rules)


def test_a_name_that_is_nobodys_is_found() -> None:
    """In whatever part of a query it stands."""
    query = (
        'histogram_quantile(0.99, sum by (le, instance) (rate(chatroom_x_bucket{a="b_c"'
        "}[5m]))) > 2 * max(up) or chatroom_nothing"
    )
    assert asked_for(query) == {"chatroom_x", "up", "chatroom_nothing"}
    assert unknown([query]) == {"chatroom_x", "chatroom_nothing"}
