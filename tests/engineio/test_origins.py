"""Which pages may connect, as operators and other programs state it."""

from collections.abc import Mapping
from typing import Any

import pytest

from realtime.engineio.options import Origins
from realtime.engineio.origins import OriginPolicy

PAGE = "https://page.example"
ELSEWHERE = "https://evil.example"


def environ(origin: str | None = PAGE, **more: str) -> dict[str, Any]:
    """Return what is known of a request that a page has caused."""
    found: dict[str, Any] = {"wsgi.url_scheme": "http", "REQUEST_METHOD": "GET", **more}
    return found if origin is None else {**found, "HTTP_ORIGIN": origin}


def by_origin(origin: str) -> bool:
    """Decide as a program that knows the origin alone."""
    return origin == PAGE


def by_request(origin: str, request: Mapping[str, Any]) -> bool:
    """Decide as a program that looks at the request, too."""
    return by_origin(origin) and request["REQUEST_METHOD"] == "GET"


@pytest.mark.parametrize(
    "allowed", [PAGE, [PAGE, "https://other.example"], by_origin, by_request]
)
def test_a_page_that_is_allowed_reads_the_answers(allowed: Origins) -> None:
    """However it was stated; another one is kept out."""
    policy = OriginPolicy(allowed, credentials=False)
    assert policy.admits(environ())
    assert policy.headers(environ()) == {
        "Access-Control-Allow-Origin": PAGE,
        "Vary": "Origin",
    }
    assert not policy.admits(environ(ELSEWHERE))
    assert policy.headers(environ(ELSEWHERE)) == {}
    assert policy.admits(environ(None)), "who is no browser sends none"


@pytest.mark.parametrize("allowed", ["*", ["*"]])
def test_all_pages_may_be_allowed(allowed: Origins) -> None:
    """For a server that tells who somebody is by tokens alone."""
    assert OriginPolicy(allowed, credentials=True).admits(environ(ELSEWHERE))


def test_a_server_behind_a_proxy_knows_its_own_name() -> None:
    """The page's address is the proxy's, which the first proxy says first."""
    policy = OriginPolicy(None, credentials=False)
    inside = {"HTTP_HOST": "node-1:5000"}
    assert not policy.admits(environ(**inside))
    outside = {
        "HTTP_X_FORWARDED_PROTO": "https, http",
        "HTTP_X_FORWARDED_HOST": "page.example, inner.example",
    }
    assert policy.admits(environ(**inside, **outside))
    assert policy.admits(environ("http://node-1:5000", **inside, **outside))
    assert not policy.admits(environ(ELSEWHERE, **inside, **outside))
    assert not policy.admits(environ()), "without a host there is no own origin"


def test_checks_can_be_left_to_a_proxy() -> None:
    """An empty list: nobody is kept out, and no header is added."""
    policy = OriginPolicy([], credentials=True)
    assert policy.admits(environ(ELSEWHERE))
    assert policy.headers(environ(ELSEWHERE, REQUEST_METHOD="OPTIONS")) == {}
