"""``chatroom verify``: flags in, a run, a report out."""

import argparse
import asyncio
import random
import time
from collections.abc import Callable, Sequence

import orjson

from realtime.node.settings import Settings
from realtime.start_error import StartError
from verify.client.web_client import can_run
from verify.faults.kinds import CLIENT_KINDS, KINDS, REDIS_KINDS, SENTINEL_KINDS
from verify.harness.tokens import MakeAuth, development_auth, signed_auth
from verify.plan import Plan, Tell
from verify.report import Report
from verify.runs import round_plans, stage

DEFAULT_WEB_CLIENTS = 2
"""Web clients where they can run: each is a process of its own."""


def run(given: argparse.Namespace, settings: Settings, tell: Tell) -> bool:
    """Carry out a run and tell of it; true if every promise was kept.

    Args:
        given: What :func:`verify.arguments.add_arguments` defines.
        settings: Say how to sign tokens for ``--url``.
        tell: Takes each line of progress, and the reports.

    Raises:
        StartError: The run could not begin.
    """
    plan = plan_of(given, settings)
    tell(f"seed {plan.seed}")

    def keep(reports: Sequence[Report]) -> None:
        if given.report is not None:
            given.report.write_bytes(_to_json(reports, given.rounds))

    try:
        return asyncio.run(_run(plan, given.rounds, tell, keep))
    except KeyboardInterrupt:
        proven = "what is in the report" if given.rounds > 1 else "nothing"
        raise StartError(f"broken off; {proven} is proven") from None


async def _run(
    plan: Plan, rounds: int, tell: Tell, keep: Callable[[Sequence[Report]], None]
) -> bool:
    began = time.monotonic()
    reports: list[Report] = []
    plans = round_plans(plan, rounds)

    def tell_time(line: str) -> None:
        tell(f"{time.monotonic() - began:6.1f} s  {line}")

    async with stage(plans[0], tell_time) as (_, run_round):
        for each in plans:
            reports.append(await run_round(each))
            keep(reports)
            tell(reports[-1].to_text())
    wrong = [str(each.seed) for each in reports if not each.good]
    if rounds > 1:
        messages = sum(each.figures["messages"] for each in reports)
        verdict = (
            f"WRONG with seeds {', '.join(wrong)}." if wrong else "Nothing is wrong."
        )
        tell(f"{rounds} rounds, {messages} messages acknowledged. {verdict}")
    return not wrong


def _to_json(reports: Sequence[Report], rounds: int) -> bytes:
    members = reports[0].members()
    if rounds > 1:
        good = len(reports) == rounds and all(each.good for each in reports)
        told = [each.members() for each in reports]
        members = {"planned": rounds, "good": good, "rounds": told}
    return orjson.dumps(members, option=orjson.OPT_INDENT_2)


def plan_of(given: argparse.Namespace, settings: Settings) -> Plan:
    """Return what the flags ask for.

    Raises:
        StartError: They do not go together.
    """
    if given.urls and (given.sentinel or given.durability != "memory"):
        raise StartError("--sentinel and --durability are for nodes of the run's own.")
    if given.durability.startswith("replicas") and not given.sentinel:
        raise StartError("One Valkey has no replicas: replicas:N needs --sentinel.")
    if (given.redis_url or given.ca) and not given.urls:
        raise StartError("--redis and --ca are for nodes of your own: --url.")
    if given.ca is not None and not given.ca.is_file():
        raise StartError(f"--ca: there is no file {given.ca}.")
    if given.web_clients and not can_run():
        raise StartError("Web clients need a checkout, `make page`, and Node.")
    web_clients = given.web_clients
    if web_clients is None:
        web_clients = DEFAULT_WEB_CLIENTS if can_run() else 0
    seed = given.seed
    if seed is None:
        seed = random.SystemRandom().randrange(1_000_000)
    return Plan(
        seed=seed,
        seconds=given.seconds,
        clients=given.clients,
        web_clients=web_clients,
        nodes=given.nodes,
        urls=given.urls,
        redis_url=given.redis_url,
        ca=given.ca,
        kinds=_kinds(given),
        send_seconds=1 / given.rate,
        make_auth=_make_auth(settings) if given.urls else development_auth,
        histories=given.histories,
        sentinel=given.sentinel,
        durability=given.durability,
    )


def _kinds(given: argparse.Namespace) -> list[str]:
    known = SENTINEL_KINDS if given.sentinel else KINDS
    if given.urls:
        known = (*CLIENT_KINDS, *(REDIS_KINDS if given.redis_url else ()))
    kinds = [kind for kind in known if given.faults in kind]
    if not kinds:
        names = ", ".join(known)
        raise StartError(
            f"No fault has {given.faults!r} in its name. There are: {names}"
        )
    return kinds


def _make_auth(settings: Settings) -> MakeAuth:
    """Return what makes credentials for the user's own nodes: their settings tell."""
    if settings.jwt_secret is None:
        return development_auth
    return signed_auth(
        settings.jwt_secret,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )
