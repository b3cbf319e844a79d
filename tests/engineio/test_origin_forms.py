"""Which pages may connect: the forms in which proxies, people and browsers say it."""

import logging

import pytest

from realtime.addresses import Addresses, parse_networks
from realtime.engineio.origin_names import OriginSet, parse_allowed
from tests.kit.serving import Served, serve

LOOPBACK = Addresses(parse_networks("127.0.0.1"))


async def opened(served: Served, **headers: str) -> tuple[int, str]:
    """Ask for a session with these headers; return the status and what is said."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with served.http.get(served.url(), headers=named) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "x.example", "X_Forwarded_Proto": "https"},
        # Traefik says so of WebSockets, HAProxy and others lists.
        {"Host": "x.example", "X_Forwarded_Proto": "wss"},
        {"Host": "x.example", "X_Forwarded_Proto": "https, http"},
        {"Host": "x.example", "X_Forwarded_Proto": "HTTPS"},
        {"Host": "x.example:443", "X_Forwarded_Proto": "https"},
        {"Host": "X.Example", "X_Forwarded_Proto": "https"},
        {
            "Host": "node1:5000",
            "X_Forwarded_Host": "x.example",
            "X_Forwarded_Proto": "https",
        },
        {
            "Host": "node1",
            "X_Forwarded_Host": "x.example:443",
            "X_Forwarded_Proto": "wss",
        },
    ],
)
async def test_the_own_origin_behind_a_proxy(headers: dict[str, str]) -> None:
    """Whatever form the proxy of this machine says it in, it is the page's."""
    async with serve(addresses=LOOPBACK) as served:
        assert (await opened(served, Origin="https://x.example", **headers))[0] == 200
        status, _ = await opened(served, Origin="https://y.example", **headers)
        assert status == 400


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://x.example", "x.example:80"),
        ("http://x.example", "X.EXAMPLE"),
        ("http://x.example:5000", "x.example:5000"),
        ("http://[::1]:5000", "[::1]:5000"),
        ("http://[::1]:5000", "[0:0::1]:5000"),
    ],
)
async def test_the_own_origin_without_a_proxy(origin: str, host: str) -> None:
    """The default port and the case of a name make no other origin."""
    async with serve() as served:
        assert (await opened(served, Origin=origin, Host=host))[0] == 200


async def test_a_port_that_the_proxy_tells_beside_the_host() -> None:
    """``Host $host`` of nginx has no port; X-Forwarded-Port says it."""
    headers = {"X_Forwarded_Proto": "https", "X_Forwarded_Port": "8443"}
    async with serve(addresses=LOOPBACK) as served:
        status, _ = await opened(
            served, Origin="https://x.example:8443", Host="x.example", **headers
        )
        assert status == 200


async def test_strangers_do_not_say_where_they_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only a trusted proxy tells scheme and host; the log says how to name one."""
    forged = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https"}
    async with serve() as served:
        status, said = await opened(served, Origin="https://evil.example", **forged)
    assert status == 400
    own = f"http://127.0.0.1:{served.port}"
    assert f"Origin https://evil.example is not this server's own, {own}" in said
    assert f"not this server's own, {own} is refused." in caplog.text
    assert "of 127.0.0.1 are not believed" in caplog.text
    assert "CHATROOM_TRUSTED_PROXIES" in caplog.text


async def test_a_refusal_is_logged_with_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The origin, the reason and the setting; no line of the stranger's own."""
    caplog.set_level(logging.WARNING)
    async with serve(cors_allowed_origins=["https://x.example"]) as served:
        status, said = await opened(
            served, Origin="https://y.example/\u2028" + "y" * 999
        )
    assert status == 400
    assert "is not one of the allowed ones" in said
    [record] = caplog.records
    line = record.getMessage()
    assert line.startswith("Origin https://y.example/")
    assert "CHATROOM_ALLOWED_ORIGINS" in line
    assert line.isascii()
    assert len(line) < 500


@pytest.mark.parametrize(
    ("entry", "matches", "others"),
    [
        ("https://x.example:443", ["https://x.example"], ["http://x.example"]),
        ("http://x.example:80", ["http://x.example"], ["http://x.example:81"]),
        ("HTTPS://X.Example", ["https://x.example"], []),
        ("https://채팅.example", ["https://xn--ou6bo7j.example"], []),
        ("http://[::0001]:5000", ["http://[::1]:5000"], []),
        ("capacitor://localhost", ["capacitor://localhost"], ["http://localhost"]),
        ("null", ["null"], ["https://null"]),
        (
            "https://*.example.org",
            ["https://a.example.org", "https://a.b.example.org"],
            [
                "https://example.org",
                "https://xexample.org",
                "https://a.example.org:444",
                "http://a.example.org",
                "https://a.example.org.evil.example",
                "https://evil.example/.example.org",
                "https://evil.example#.example.org",
                "https://A.example.org",
                "https://.example.org@x.example.org:1",
            ],
        ),
        (
            "https://*.example.org:8443",
            ["https://a.example.org:8443"],
            ["https://a.example.org"],
        ),
    ],
)
def test_a_list_says_it_in_any_form(
    entry: str, matches: list[str], others: list[str]
) -> None:
    """Each entry matches what browsers send of the origin that it names."""
    allowed = OriginSet([parse_allowed(entry)])
    for origin in matches:
        assert origin in allowed, origin
    for origin in others:
        assert origin not in allowed, origin


@pytest.mark.parametrize(
    "entry",
    [
        "x.example",
        "*.x.example",
        "https://x.example/",
        "https://x.example/chat",
        "https://",
        "https://*",
        "https://*.",
        "https://a*.example",
        "https://*.*.example",
        "https://*.10.0.0.1",
        "https://*.[::1]",
        "https://x.example:0",
        "https://x.example:70000",
        "https://x.example:port",
        "https://ann@x.example",
        "wss://x.example",
        "https://x.example https://y.example",
    ],
)
def test_what_matches_nothing_is_refused(entry: str) -> None:
    """In one sentence that repeats it: it would keep everybody out."""
    with pytest.raises(ValueError, match=r"no origin|matches nothing") as raised:
        parse_allowed(entry)
    assert entry in str(raised.value)
