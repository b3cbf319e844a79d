"""What nodes tell each other of themselves: leases, and how fast users are."""

from collections.abc import Awaitable
from typing import NamedTuple

from realtime.redis.script import ScriptRunner
from realtime.store.scripts.loading import Parsed, load

LEASES_RENEW = load("leases_renew")
USER_RATES_REPORT = load("user_rates_report")


class Lease(NamedTuple):
    """Whether a life's lease is held, and lives of nodes that are to be swept."""

    held: bool
    dead: list[str]


def leases_renew(
    redis: ScriptRunner,
    *,
    nodes: str,
    node: str,
    lease_ms: int,
    begins: bool,
    former: str,
) -> Awaitable[Lease]:
    """Renew the lease of a node's life, or begin one; list a few that are dead."""
    reply = redis.run_script(
        LEASES_RENEW, (nodes,), (node, lease_ms, int(begins), former)
    )
    return Parsed(
        reply, lambda said: Lease(said[0] == 1, [each.decode() for each in said[1]])
    )


class Wait(NamedTuple):
    """Milliseconds until a user may take more, and until they may take all."""

    more_ms: int
    all_ms: int


def user_rates_report(
    redis: ScriptRunner, *, rate: str, taken_ms: int, burst_ms: int
) -> Awaitable[Wait]:
    """Add what a user took; return how long they have to wait."""
    reply = redis.run_script(USER_RATES_REPORT, (rate,), (taken_ms, burst_ms))
    return Parsed(reply, lambda said: Wait(*said))
