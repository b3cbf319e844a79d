"""What is left of the rates that a user is held to, as fields of an answer.

``RateLimit`` and ``RateLimit-Policy`` of the IETF's httpapi working group: sent where a
rate is met, and where little is left of one.
"""

import math
import time
from typing import Final

from realtime.errors import ChatError, RateLimitedError
from realtime.presence.sessions import ChatSession
from realtime.rates import CONNECTION, USER, USER_REQUESTS, Quota
from realtime.services import Services

# Part of a rate's burst below which its fields are sent.
LITTLE: Final = 0.2

# The policy of a limit of `realtime.limits`; `rate_event` is of the event's name.
_POLICIES: Final = {
    "rate_connection": CONNECTION,
    "rate_user_requests": USER_REQUESTS,
    "rate_user": USER,
}


def quota_fields(
    services: Services, session: ChatSession, event: str
) -> dict[str, str]:
    """Return the fields of an answer that is granted: none while much is left."""
    found = _quotas(services, session, event)
    tightest = min(found, key=lambda each: each.left / each.rate.burst, default=None)
    if tightest is None or tightest.left >= tightest.rate.burst * LITTLE:
        return {}
    left = max(0, math.floor(tightest.left))
    full = (tightest.rate.burst - tightest.left) / tightest.rate.per_second
    return _fields(tightest, left, math.ceil(full))


def violated(
    services: Services, session: ChatSession, event: str, error: ChatError
) -> tuple[str, dict[str, str]] | None:
    """Return the policy that a refusal is by, and its fields; None: by none."""
    if not isinstance(error, RateLimitedError) or error.limit is None:
        return None
    is_event = error.limit == "rate_event"
    name = event if is_event else _POLICIES.get(error.limit)
    for each in _quotas(services, session, event):
        if each.name == name:
            wait = math.ceil((error.retry_after_ms or 0) / 1000)
            return each.name, _fields(each, 0, wait)
    return None


def _quotas(services: Services, session: ChatSession, event: str) -> list[Quota]:
    now = time.monotonic()
    found = (
        services.rates.quota(session.sid, event, now),
        services.rates.quota(session.sid, CONNECTION, now),
        services.rates.quota(session.user, USER_REQUESTS, now),
        services.user_rates.quota(session.user),
    )
    return [each for each in found if each is not None]


def _fields(quota: Quota, left: int, seconds: int) -> dict[str, str]:
    rate = quota.rate
    window = math.ceil(rate.burst / rate.per_second)
    return {
        "RateLimit-Policy": f'"{quota.name}";q={rate.burst};w={window}',
        "RateLimit": f'"{quota.name}";r={left};t={seconds}',
    }
