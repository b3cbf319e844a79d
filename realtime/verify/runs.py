"""Carries a plan out: makes the site, lets a round run on it, and takes it down."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from realtime.verify.deployment import Deployment
from realtime.verify.plan import Plan, Tell
from realtime.verify.report import Report
from realtime.verify.site import RemoteSite, Site, switchboard
from realtime.verify.trial import Trial


async def run_trial(plan: Plan, tell: Tell) -> Report:
    """Carry a plan out and return what came of it.

    Args:
        plan: What to do.
        tell: Takes a line of progress now and then.

    Raises:
        StartError: It could not begin: a node does not start or cannot be reached.
    """
    async with _site_of(plan) as (site, web_url):
        return await Trial(plan, site, tell, web_url=web_url).run()


@asynccontextmanager
async def _site_of(plan: Plan) -> AsyncIterator[tuple[Site, str]]:
    """Make the site of a plan; with it goes the address for web clients."""
    async with AsyncExitStack() as stack:
        if plan.urls:
            remote = await stack.enter_async_context(RemoteSite(plan.urls))
            yield remote, plan.urls[0]
            return
        prefix = "chatroom-verify-"
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix))
        own = Deployment(Path(folder), nodes=plan.nodes, command=plan.command)
        await stack.enter_async_context(own)
        line = switchboard(own, plan.seed)
        web_url = f"http://127.0.0.1:{await line.listen_tcp()}"
        stack.push_async_callback(line.aclose)
        yield own, web_url
