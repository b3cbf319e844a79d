"""``chatroom verify``: flags in, a run, a report out."""

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace

import orjson

from realtime.errors import StartError
from realtime.node.settings import Settings
from verify.client.web_client import can_run
from verify.faults.schedule import kinds_of
from verify.harness.tokens import signed_auth
from verify.plan import Plan, Tell, given_plan
from verify.report import Report
from verify.runs import round_plans, stage

# Web clients where they can run: each is a process of its own.
DEFAULT_WEB_CLIENTS = 2


def run(
    given: argparse.Namespace, settings: Settings, tell: Tell, progress: Tell
) -> bool:
    """Carry out a run and tell of it; true if every promise was kept.

    Args:
        given: What :func:`verify.plan.add_arguments` defines.
        settings: Say how to sign tokens for ``--url``.
        tell: Takes the reports.
        progress: Takes each line of progress.

    Raises:
        StartError: The run could not begin.
    """
    plan = plan_of(given, settings)
    try:
        return asyncio.run(_run(plan, tell, progress))
    except KeyboardInterrupt:
        proven = "what is in the report" if plan.rounds > 1 else "nothing"
        raise StartError(f"broken off; {proven} is proven") from None


def plan_of(given: argparse.Namespace, settings: Settings) -> Plan:
    """Return what the flags ask for.

    Raises:
        StartError: They do not go together.
    """
    plan = given_plan(given)
    problems = {
        "--sentinel, --cluster, --webhooks and --durability are for nodes of the run's"
        " own.": plan.urls
        and (
            plan.sentinel
            or plan.cluster
            or plan.webhooks
            or plan.durability != "memory"
        ),
        "It is either --sentinel or --cluster.": plan.sentinel and plan.cluster,
        "One Valkey has no replicas: replicas:N needs --sentinel or --cluster.": (
            not (plan.sentinel or plan.cluster)
            and plan.durability.startswith("replicas")
        ),
        "A shard has one replica: --cluster goes with replicas:1 at most.": plan.cluster
        and plan.durability == "replicas:2",
        "--redis and --ca are for nodes of your own: --url.": not plan.urls
        and (plan.redis_url or plan.ca),
        f"--ca: there is no file {plan.ca}.": plan.ca and not plan.ca.is_file(),
        "Web clients need a checkout, `make page`, and Node.": plan.web_clients
        and not can_run(),
    }
    for text, is_so in problems.items():
        if is_so:
            raise StartError(text)
    kinds_of(plan)
    if plan.web_clients is None:
        plan = replace(plan, web_clients=DEFAULT_WEB_CLIENTS if can_run() else 0)
    if not hasattr(given, "seed"):
        plan = replace(plan, seed=random.SystemRandom().randrange(1_000_000))
    if plan.urls and settings.jwt_secret is not None:
        issuer, audience = settings.jwt_issuer, settings.jwt_audience
        make_auth = signed_auth(settings.jwt_secret, issuer=issuer, audience=audience)
        plan = replace(plan, make_auth=make_auth)
    return plan


async def _run(plan: Plan, tell: Tell, progress: Tell) -> bool:
    progress(f"seed {plan.seed}")
    began = time.monotonic()
    reports: list[Report] = []
    plans = round_plans(plan)

    def tell_time(line: str) -> None:
        progress(f"{time.monotonic() - began:6.1f} s  {line}")

    async with stage(plans[0], tell_time) as (_, run_round):
        for each in plans:
            reports.append(await run_round(each))
            tell(reports[-1].to_text())
            if plan.report is not None:
                plan.report.write_bytes(_to_json(reports, plan.rounds))
    wrong = [str(each.seed) for each in reports if not each.good]
    if plan.rounds > 1:
        messages = sum(each.figures["messages"] for each in reports)
        verdict = f"Seeds that went wrong: {', '.join(wrong) or 'none'}."
        tell(f"{plan.rounds} rounds, {messages} messages acknowledged. {verdict}")
    return not wrong


def _to_json(reports: Sequence[Report], rounds: int) -> bytes:
    members = reports[0].members()
    if rounds > 1:
        good = len(reports) == rounds and all(each.good for each in reports)
        told = [each.members() for each in reports]
        members = {"planned": rounds, "good": good, "rounds": told}
    return orjson.dumps(members, option=orjson.OPT_INDENT_2)
