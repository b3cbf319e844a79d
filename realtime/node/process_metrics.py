"""How the process itself fares, for a Prometheus: its loop, and what it holds."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from realtime.node.loop_lag import BUCKETS, LoopLag


class ProcessMetrics:
    """The numbers of the process that a node is.

    ``process_…`` (memory, descriptors, CPU time) are named as in other programs. They
    come from ``/proc``, and are missing where there is none.

    Args:
        lag: How late the event loop was.
        objects: Returns what the node holds, counted by kind.
    """

    def __init__(
        self, lag: LoopLag, *, objects: Callable[[], Mapping[str, int]]
    ) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(_LoopLags(lag))
        self._registry.register(_Objects(objects))

    def text(self) -> bytes:
        """Return all numbers in Prometheus's text format."""
        return generate_latest(self._registry)


def count_tasks() -> dict[str, int]:
    """Return how many tasks there are, the node's own among them: some twenty."""
    return {"asyncio_tasks": len(asyncio.all_tasks())}


class _LoopLags(Collector):
    def __init__(self, lag: LoopLag) -> None:
        self._lag = lag

    def collect(self) -> Iterable[Metric]:
        lag = self._lag
        bounds = [*map(str, BUCKETS), "+Inf"]
        yield HistogramMetricFamily(
            "chatroom_loop_lag_seconds",
            "How late the event loop ran what was due; stops of the process excluded.",
            buckets=list(zip(bounds, accumulate(lag.counts), strict=True)),
            sum_value=lag.sum_seconds,
        )
        yield GaugeMetricFamily(
            "chatroom_loop_lag_worst_seconds",
            "The longest lag of the event loop since the start.",
            value=lag.worst_seconds,
        )
        yield GaugeMetricFamily(
            "chatroom_loop_lag_worst_busy_seconds",
            "CPU time of the event loop's thread in the longest lag.",
            value=lag.worst_busy_seconds,
        )


class _Objects(Collector):
    def __init__(self, objects: Callable[[], Mapping[str, int]]) -> None:
        self._objects = objects

    def collect(self) -> Iterable[Metric]:
        objects = GaugeMetricFamily(
            "chatroom_objects",
            "What the node holds for its connections and rooms, by kind.",
            labels=("kind",),
        )
        for kind, count in self._objects().items():
            objects.add_metric((kind,), count)
        yield objects
