"""``chatroom verify``: flags in, a run, a report out."""

import argparse
import asyncio
import random
import time
from collections.abc import Mapping, Sequence

import jwt

from realtime.node.settings import Settings
from realtime.start_error import StartError
from verify.crowd import MakeAuth
from verify.faults import CLIENT_KINDS, KINDS, REDIS_KINDS, SENTINEL_KINDS
from verify.plan import Plan, Tell, dev_auth
from verify.report import Report
from verify.rounds_report import RoundsReport
from verify.runs import run_rounds, run_trial
from verify.web_recorder import can_run

MEMORY = "memory"
"""Durability of nodes that are not told otherwise."""

DEFAULT_WEB_CLIENTS = 2
"""Web clients where they can run: each is a process of its own."""

TOKEN_SECONDS = 24 * 3600
"""Validity of the clients' tokens: longer than any run."""


def run(given: argparse.Namespace, settings: Settings, tell: Tell) -> bool:
    """Carry out a run and tell of it; true if every promise was kept.

    Args:
        given: What :func:`verify.arguments.add_arguments` defines.
        settings: Say how to sign tokens for ``--url``.
        tell: Takes each line of progress, and the report.

    Raises:
        StartError: The run could not begin.
    """
    plan = _plan(given, settings)
    tell(f"seed {plan.seed}")
    began = time.monotonic()

    def tell_time(line: str) -> None:
        tell(f"{time.monotonic() - began:6.1f} s  {line}")

    def keep(report: Report | RoundsReport) -> None:
        if given.report is not None:
            given.report.write_bytes(report.to_json())

    report: Report | RoundsReport
    try:
        if given.rounds > 1:
            running = run_rounds(plan, given.rounds, tell_time, keep=keep)
            report = asyncio.run(running)
        else:
            report = asyncio.run(run_trial(plan, tell_time))
            keep(report)
    except KeyboardInterrupt:
        proven = "what is in the report" if given.rounds > 1 else "nothing"
        raise StartError(f"broken off; {proven} is proven") from None
    tell(report.to_text())
    return report.good


def _plan(given: argparse.Namespace, settings: Settings) -> Plan:
    _check_flags(given)
    seed = given.seed
    if seed is None:
        seed = random.SystemRandom().randrange(1_000_000)
    return Plan(
        seed=seed,
        seconds=given.seconds,
        clients=given.clients,
        web_clients=_web_clients(given.web_clients),
        nodes=given.nodes,
        urls=given.urls,
        redis_url=given.redis_url,
        ca=given.ca,
        kinds=_kinds(given),
        send_seconds=1 / given.rate,
        make_auth=_signed(settings) if given.urls else dev_auth,
        histories=given.histories,
        sentinel=given.sentinel,
        durability=given.durability,
    )


def _check_flags(given: argparse.Namespace) -> None:
    """Refuse flags that do not go together."""
    if given.urls and (given.sentinel or given.durability != MEMORY):
        raise StartError("--sentinel and --durability are for nodes of the run's own.")
    if given.durability.startswith("replicas") and not given.sentinel:
        raise StartError("One Valkey has no replicas: replicas:N needs --sentinel.")
    if (given.redis_url or given.ca) and not given.urls:
        raise StartError("--redis and --ca are for nodes of your own: --url.")
    if given.ca is not None and not given.ca.is_file():
        raise StartError(f"--ca: there is no file {given.ca}.")


def _kinds(given: argparse.Namespace) -> list[str]:
    known: Sequence[str] = SENTINEL_KINDS if given.sentinel else KINDS
    if given.urls:
        known = (*CLIENT_KINDS, *(REDIS_KINDS if given.redis_url else ()))
    kinds = [kind for kind in known if given.faults in kind]
    if not kinds:
        names = ", ".join(known)
        raise StartError(
            f"No fault has {given.faults!r} in its name. There are: {names}"
        )
    return kinds


def _web_clients(asked: int | None) -> int:
    if asked and not can_run():
        raise StartError("Web clients need a checkout, `make page`, and Node.")
    if asked is None:
        return DEFAULT_WEB_CLIENTS if can_run() else 0
    return asked


def _signed(settings: Settings) -> MakeAuth:
    """Return what makes credentials for the user's own nodes: their settings tell."""
    secret = settings.jwt_secret
    if secret is None:
        return dev_auth

    def make_auth(user: str) -> Mapping[str, object]:
        now = int(time.time())
        claims: dict[str, object] = {
            "sub": user,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
        }
        optional = {"aud": settings.jwt_audience, "iss": settings.jwt_issuer}
        claims |= {name: value for name, value in optional.items() if value is not None}
        return {"token": jwt.encode(claims, secret, algorithm="HS256")}

    return make_auth
