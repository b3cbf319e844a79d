"""Carries a plan out: makes the site, lets rounds run on it, and takes it down."""

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from verify.census import Census
from verify.deployment import Deployment
from verify.node_watch import NodeWatch
from verify.plan import Plan, Tell
from verify.report import Report
from verify.rounds_report import RoundsReport
from verify.site import RemoteSite, Site, switchboard
from verify.trial import Trial
from verify.welcome import try_places

SPARED = 0
"""Index of the node that lives through all rounds, so that what they leave shows."""


async def run_trial(plan: Plan, tell: Tell) -> Report:
    """Carry a plan out and return what came of it.

    Args:
        plan: What to do.
        tell: Takes a line of progress now and then.

    Raises:
        StartError: It could not begin: a node does not start or cannot be reached.
    """
    async with _stage(plan, tell) as stage:
        return await stage(plan)


async def run_rounds(
    plan: Plan, rounds: int, tell: Tell, *, keep: Callable[[RoundsReport], None]
) -> RoundsReport:
    """Carry a plan out several times on the same nodes, each time with the next seed.

    Each round has its own clients, rooms and faults. The first node is spared what
    ends a process, if there are others.

    Args:
        plan: The first round.
        rounds: How many.
        tell: Takes a line of progress now and then.
        keep: Takes what there is after each round.

    Raises:
        StartError: A round could not begin.
    """
    spare = plan.nodes > 1 and not plan.urls
    spared = frozenset({SPARED}) if spare else frozenset()
    over: list[Report] = []
    report = RoundsReport(planned=rounds, rounds=[], violations=[])
    async with _stage(replace(plan, spared=spared), tell) as stage:
        for number in range(rounds):
            tell(f"Round {number + 1} of {rounds}, seed {plan.seed + number}.")
            folder = plan.histories and plan.histories / f"round-{number + 1}"
            over.append(
                await stage(
                    replace(
                        plan,
                        seed=plan.seed + number,
                        spared=spared,
                        histories=folder,
                    )
                )
            )
            report = RoundsReport(
                planned=rounds, rounds=list(over), violations=stage.census.grown()
            )
            keep(report)
            tell(over[-1].to_text())
    return report


class _Stage:
    """A site with what a round needs besides it; the call is a round."""

    def __init__(
        self, site: Site, web_url: str, watch: NodeWatch, census: Census, tell: Tell
    ) -> None:
        self._site = site
        self._web_url = web_url
        self._watch = watch
        self.census = census
        self._tell = tell

    async def __call__(self, plan: Plan) -> Report:
        return await Trial(
            plan,
            self._site,
            self._tell,
            web_url=self._web_url,
            watch=self._watch,
            census=self.census,
        ).run()


@asynccontextmanager
async def _stage(plan: Plan, tell: Tell) -> AsyncIterator[_Stage]:
    async with (
        _site_of(plan) as (site, web_url),
        NodeWatch(site.slots) as watch,
    ):
        spared = frozenset(site.slots[index].name for index in plan.spared)
        census = Census(await watch.at_rest(), spared)
        yield _Stage(site, web_url, watch, census, tell)


@asynccontextmanager
async def _site_of(plan: Plan) -> AsyncIterator[tuple[Site, str]]:
    """Make the site of a plan; with it goes the address for web clients."""
    async with AsyncExitStack() as stack:
        if plan.urls:
            own_site = RemoteSite(plan.urls, redis_url=plan.redis_url, ca=plan.ca)
            remote = await stack.enter_async_context(own_site)
            await try_places(remote, plan.make_auth("verify"))
            yield remote, plan.urls[0]
            return
        prefix = "chatroom-verify-"
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix))
        own = Deployment(
            Path(folder),
            nodes=plan.nodes,
            command=plan.command,
            sentinel=plan.sentinel,
            durability=plan.durability,
        )
        await stack.enter_async_context(own)
        line = switchboard(own, plan.seed)
        web_url = f"http://127.0.0.1:{await line.listen_tcp()}"
        stack.push_async_callback(line.aclose)
        yield own, web_url
