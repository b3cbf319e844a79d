"""Carries a plan out: makes the site, lets rounds run on it, and takes it down."""

import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from verify.harness.deployment import deployment
from verify.harness.site import Site
from verify.plan import Plan, Tell
from verify.released import Census
from verify.remote import remote_site
from verify.report import Report
from verify.trial import Trial

# Carries out one round on a site that is up.
RunRound = Callable[[Plan], Awaitable[Report]]


async def run_trial(plan: Plan, tell: Tell) -> Report:
    """Carry a plan out and return what came of it.

    Raises:
        StartError: It could not begin: a node does not start or cannot be reached.
    """
    async with stage(plan, tell) as (_, run_round):
        return await run_round(plan)


def round_plans(plan: Plan) -> list[Plan]:
    """Return the plans of the rounds: each has the next seed, and its own folder.

    If there are others, the first node is spared what ends a process: what rounds leave
    shows in a node that lives through all of them.
    """
    count = plan.rounds
    spare = count > 1 and plan.nodes > 1 and not plan.urls
    return [
        replace(
            plan,
            seed=plan.seed + number,
            spared=frozenset({0}) if spare else frozenset(),
            histories=plan.histories
            and (
                plan.histories / f"round-{number + 1}" if count > 1 else plan.histories
            ),
        )
        for number in range(count)
    ]


@asynccontextmanager
async def stage(plan: Plan, tell: Tell) -> AsyncIterator[tuple[Site, RunRound]]:
    """Bring a plan's site up; yield it and what runs a round on it, again and again.

    Raises:
        StartError: A node does not start or cannot be reached.
    """
    async with AsyncExitStack() as stack:
        if plan.urls:
            site = await stack.enter_async_context(remote_site(plan))
            web_url = plan.urls[0]
        else:
            prefix = "chatroom-verify-"
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix))
            own = deployment(
                Path(folder),
                nodes=plan.nodes,
                command=plan.command,
                sentinel=plan.sentinel,
                cluster=plan.cluster,
                durability=plan.durability,
                webhooks=plan.webhooks,
            )
            site = await stack.enter_async_context(own)
            line = site.switchboard(plan.seed)
            stack.push_async_callback(line.aclose)
            web_url = f"http://127.0.0.1:{await line.listen_tcp()}"
        census = Census(site.places)
        await census.begin()

        async def run_round(each: Plan) -> Report:
            return await Trial(each, site, tell, web_url, census).run()

        yield site, run_round
