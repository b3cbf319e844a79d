"""What the node can tell a Prometheus: one table, read from the parts when asked.

Nothing is counted twice for it: the parts keep their own numbers, and a scrape reads
them. Every limit of the server shows here, by its name or by the code of its answer.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from realtime.moderation.numbers import ModerationNumbers
from realtime.traffic import Timings, Traffic
from realtime.webhooks.numbers import WebhookNumbers

# Name to meaning; each is prefixed with ``chatroom_``.
GAUGES: Final[Mapping[str, str]] = {
    "ready": "1 while this node can serve, as /readyz says.",
    "sessions": "Authenticated sessions of this node.",
    "unauthenticated": "Connections of this node that are nobody's yet.",
    "rooms": "Rooms with a session at this node.",
    "requests": "Requests that wait for their answer.",
    "redis_calls": "Redis calls under way.",
    "redis_up": "1 while Redis answers commands in time.",
    "pubsub_up": "1 while all channels are subscribed and Redis is heard.",
    "fan_out_bytes": "Bytes of packets that are on their way round large rooms.",
}

# The same of each shard of a cluster, by the address of its primary.
SHARD_GAUGES: Final[Mapping[str, str]] = {
    "redis_shard_up": "1 while the shard answers commands in time.",
    "pubsub_shard_up": "1 while the shard's channels are subscribed and it is heard.",
}


class Metrics:
    """The numbers of one node.

    Args:
        gauges: By the names of :data:`GAUGES`, what returns the value now.
        errors: Event and code to how often a request was answered so.
        endings: Reason to how many sessions ended for it.
        limited: Limit of :mod:`realtime.limits` to how often it was met.
        logged: Level to how many messages of the process's log had it.
        moderated: What became of messages that were looked at.
        told: What became of events that applications are told of.
        traffic: How busy it is, and whether messages are late.
        delivered: Returns how many events were handed to sessions.
        shards: By the names of :data:`SHARD_GAUGES`, what returns how each shard of a
            cluster is; none: it is none.
    """

    def __init__(
        self,
        *,
        gauges: Mapping[str, Callable[[], float]],
        errors: Counter[tuple[str, str]],
        endings: Counter[str],
        limited: Counter[str],
        logged: Counter[str],
        moderated: ModerationNumbers,
        told: WebhookNumbers,
        traffic: Traffic,
        delivered: Callable[[], int],
        shards: Mapping[str, Callable[[], Mapping[str, bool]]],
    ) -> None:
        if gauges.keys() != GAUGES.keys():
            raise ValueError("the gauges are not those of the table")
        self._registry = CollectorRegistry()
        self._registry.register(_Numbers(gauges, errors, endings, limited, logged))
        self._registry.register(_Moderated(moderated))
        self._registry.register(_Told(told))
        self._registry.register(_Passed(traffic, delivered))
        self._registry.register(_Shards(shards))

    def text(self) -> bytes:
        """Return all numbers in Prometheus's text format."""
        return generate_latest(self._registry)


class _Numbers(Collector):
    def __init__(
        self,
        gauges: Mapping[str, Callable[[], float]],
        errors: Counter[tuple[str, str]],
        endings: Counter[str],
        limited: Counter[str],
        logged: Counter[str],
    ) -> None:
        self._gauges = gauges
        self._errors = errors
        self._endings = endings
        self._limited = limited
        self._logged = logged

    def collect(self) -> Iterable[Metric]:
        for name, read in self._gauges.items():
            yield GaugeMetricFamily(f"chatroom_{name}", GAUGES[name], value=read())
        errors = CounterMetricFamily(
            "chatroom_errors", "Requests answered with an error.", labels=_LABELS
        )
        for labels, count in self._errors.items():
            errors.add_metric(labels, count)
        yield errors
        yield _counted(
            "endings", "Sessions that ended, by reason.", "reason", self._endings
        )
        yield _counted("limited", "Times that a limit was met.", "limit", self._limited)
        yield _counted(
            "log_messages", "Messages of the log, by level.", "level", self._logged
        )


class _Moderated(Collector):
    def __init__(self, numbers: ModerationNumbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterable[Metric]:
        numbers = self._numbers
        yield _counted(
            "moderated",
            "Messages that were looked at before they were stored, by what came of it.",
            "outcome",
            numbers.outcomes,
        )
        yield _timed(
            "hook_seconds",
            "How long the application took to answer about a message.",
            numbers,
        )


class _Told(Collector):
    def __init__(self, numbers: WebhookNumbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterable[Metric]:
        numbers = self._numbers
        yield _counted(
            "webhook_events",
            "Events for endpoints of webhooks, by what came of them.",
            "outcome",
            numbers.outcomes,
        )
        yield _timed(
            "webhook_seconds",
            "How long endpoints of webhooks took to answer.",
            numbers,
        )
        waiting = GaugeMetricFamily(
            "chatroom_webhook_waiting",
            "Events that wait for an endpoint to which this node delivers.",
            labels=("endpoint",),
        )
        for endpoint, count in numbers.waiting.items():
            waiting.add_metric((endpoint,), count)
        yield waiting


class _Passed(Collector):
    def __init__(self, traffic: Traffic, delivered: Callable[[], int]) -> None:
        self._traffic = traffic
        self._delivered = delivered

    def collect(self) -> Iterable[Metric]:
        traffic = self._traffic
        for name, meaning, count in (
            ("messages", "Messages that were stored.", traffic.messages),
            (
                "deliveries",
                "Events handed to sessions, one for each that gets it.",
                self._delivered(),
            ),
            ("connects", "Sessions that began.", traffic.connects),
        ):
            yield CounterMetricFamily(f"chatroom_{name}", meaning, value=count)
        yield _counted(
            "recoveries",
            "Sessions that came back to a room, by where what they missed was found.",
            "outcome",
            traffic.recoveries,
        )
        yield _timed(
            "send_seconds", "From a send that was read to its ack.", traffic.send
        )
        yield _timed(
            "delivery_seconds",
            "From a message's being stored to its being written to sessions.",
            traffic.delivery,
        )
        yield _timed(
            "redis_seconds", "How long Redis takes to answer anything.", traffic.redis
        )
        if traffic.redis_ahead_seconds is not None:
            yield GaugeMetricFamily(
                "chatroom_redis_ahead_seconds",
                "How far Redis's clock is ahead of this machine's.",
                value=traffic.redis_ahead_seconds,
            )


class _Shards(Collector):
    def __init__(self, shards: Mapping[str, Callable[[], Mapping[str, bool]]]) -> None:
        self._shards = shards

    def collect(self) -> Iterable[Metric]:
        for name, read in self._shards.items():
            if found := read():
                up = GaugeMetricFamily(
                    f"chatroom_{name}", SHARD_GAUGES[name], labels=("shard",)
                )
                for shard, is_up in found.items():
                    up.add_metric((shard,), is_up)
                yield up


def _timed(name: str, meaning: str, numbers: Timings) -> Metric:
    bounds = [*map(str, numbers.buckets), "+Inf"]
    return HistogramMetricFamily(
        f"chatroom_{name}",
        meaning,
        buckets=list(zip(bounds, accumulate(numbers.counts), strict=True)),
        sum_value=numbers.sum_seconds,
    )


def _counted(name: str, meaning: str, label: str, counts: Counter[str]) -> Metric:
    found = CounterMetricFamily(f"chatroom_{name}", meaning, labels=(label,))
    for value, count in counts.items():
        found.add_metric((value,), count)
    return found


_LABELS: Final = ("event", "code")
