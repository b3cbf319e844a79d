"""Redis addresses: what they mean, and that an error never tells a password."""

from pathlib import Path
from typing import Any

import pytest

from realtime.redis.url import connection_factory
from tests.kit.tls import certificate

TIMEOUT_SECONDS = 1.5


def made(url: str) -> Any:
    """Return the unconnected connection that an address leads to."""
    return connection_factory(url, timeout_seconds=TIMEOUT_SECONDS)()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://localhost", {"host": "localhost", "port": 6379, "db": 0}),
        ("redis://localhost:7000/3", {"host": "localhost", "port": 7000, "db": 3}),
        ("redis://[::1]:7000", {"host": "::1", "port": 7000}),
        (
            "redis://ann:p%40ss%2F@10.0.0.1",
            {"host": "10.0.0.1", "username": "ann", "password": "p@ss/"},
        ),
        ("rediss://localhost", {"host": "localhost", "port": 6379}),
        ("unix:///run/valkey.sock", {"path": "/run/valkey.sock"}),
        (
            "unix://:secret@/run/valkey.sock?db=2",
            {"path": "/run/valkey.sock", "password": "secret", "db": 2},
        ),
    ],
)
def test_an_address_says_where_and_who(url: str, expected: dict[str, object]) -> None:
    """Host, port, socket, database and credentials, percent-decoded."""
    connection = made(url)
    assert {name: getattr(connection, name) for name in expected} == expected


@pytest.mark.parametrize(
    "url", ["redis://localhost", "rediss://localhost", "unix:///s.sock"]
)
def test_every_step_has_a_deadline(url: str) -> None:
    """Connecting and the handshake end, whatever the other side does."""
    connection = made(url)
    assert connection.socket_timeout == TIMEOUT_SECONDS
    assert connection.socket_connect_timeout == TIMEOUT_SECONDS


def test_tls_is_told_by_the_scheme() -> None:
    """``rediss`` encrypts, ``redis`` does not."""
    assert made("rediss://localhost").ssl_context is not None
    assert not hasattr(made("redis://localhost"), "ssl_context")


@pytest.mark.parametrize("scheme", ["sentinel", "redis+sentinel"])
def test_a_sentinel_address(scheme: str) -> None:
    """The Sentinels are asked for the primary; the credentials are the primary's."""
    url = f"{scheme}://ann:p%40ss@one:1001,two/4/main?sentinel_password=s%20x"
    factory = connection_factory(url, timeout_seconds=TIMEOUT_SECONDS)
    connection: Any = factory()
    sentinels = connection.sentinels
    assert sentinels.hosts == (("one", 1001), ("two", 26379))
    assert sentinels.service == "main"
    asked = sentinels.options
    assert asked["password"] == "s x"
    # One that is silent leaves time to connect.
    for step in ("socket_timeout", "socket_connect_timeout"):
        assert asked[step] == TIMEOUT_SECONDS / 3
    assert (connection.db, connection.username, connection.password) == (
        4,
        "ann",
        "p@ss",
    )
    assert connection.socket_timeout == TIMEOUT_SECONDS


def test_a_sentinel_address_with_tls_to_the_primary() -> None:
    """``rediss+sentinel`` encrypts what matters: the way to the data."""
    connection = made("rediss+sentinel://one:1001/0/main")
    assert connection.ssl_context is not None


def test_sentinels_with_tls_users_and_ipv6(tmp_path: Path) -> None:
    """All that a deployment with TLS has: its own CA, a login at the Sentinels."""
    authority = certificate(tmp_path)
    connection = made(
        f"rediss+sentinel://ann:x@[::1]:1001,[fd00::2],two/0/main%20one"
        f"?ssl_ca_certs={authority}&ssl_check_hostname=false"
        "&sentinel_username=guard&sentinel_password=s%26x"
    )
    sentinels = connection.sentinels
    assert sentinels.hosts == (("::1", 1001), ("fd00::2", 26379), ("two", 26379))
    assert sentinels.service == "main one"
    for asked in (sentinels.kind(host="x", **sentinels.options), connection):
        context = asked.ssl_context
        assert (context.ca_certs, context.check_hostname) == (str(authority), False)
    assert sentinels.options["username"] == "guard"
    assert sentinels.options["password"] == "s&x"


def test_sentinels_without_tls_beside_a_primary_with_it() -> None:
    """``sentinel_tls`` says when the two differ, in both directions."""
    mixed = made("rediss+sentinel://one/0/main?sentinel_tls=false")
    assert mixed.ssl_context is not None
    assert not hasattr(mixed.sentinels.kind(host="x"), "ssl_context")
    assert made("rediss+sentinel://one/0/main").sentinels.kind(host="x").ssl_context
    plain = made("redis+sentinel://one/0/main?sentinel_tls=true").sentinels
    assert plain.kind(host="x", **plain.options).ssl_context


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://one?foo=1", "'foo' is no option of redis:// addresses; known are db"),
        ("redis://one?socket_timeout=1", "'socket_timeout' is no option"),
        ("redis://one?ssl_ca_certs=/x", "'ssl_ca_certs' is no option of redis://"),
        ("rediss://one?ssl_cert_req=none", "'ssl_cert_req' is no option of rediss://"),
        ("rediss://one?ssl_ca_certs=/no/such.pem", "there is no file /no/such.pem"),
        ("rediss://one?ssl_cert_reqs=no", "ssl_cert_reqs is none, optional or req"),
        ("rediss://one?ssl_check_hostname=x", "ssl_check_hostname is true or false"),
        ("unix:///s.sock?db=x", "db is a number"),
        ("redis+sentinel://one/0/main?sentinel_user=x", "'sentinel_user' is no option"),
        ("redis+sentinel://one/0/main?ssl_cert_reqs=none", "ssl_cert_reqs is for TLS"),
        ("redis+sentinel://one/0/main?db=1", "'db' is no option of redis+sentinel://"),
        ("redis+sentinel://::1:26379/0/main", "in brackets: [::1]:26379"),
        ("redis+sentinel://one:0/0/main", "host:port,host:port"),
        ("redis+sentinel://one:70000/0/main", "host:port,host:port"),
    ],
)
def test_what_an_address_cannot_mean_is_named(url: str, said: str) -> None:
    """In one sentence, at the start: an option that is ignored protects nothing."""
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is looked at
        made(url)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:topsecret@localhost",
        "localhost:6379/topsecret",
        "redis://user:topsecret@localhost:port",
        "redis://user:topsecret@localhost:99999999",
        "redis://user:topsecret@localhost/zero?db=topsecret",
        "redis://localhost/topsecret",
        "redis://user:topsecret/x@localhost:6379/0",
        "redis://user:topsecret#x@localhost:6379/0",
        "redis://user:topsecret?x@localhost:6379/0",
        "redis://user:x@topsecret/y@localhost:6379/0",
        "redis://user:1?topsecret@localhost:6379/0",
        "sentinel://user:topsecret@one:1001",
        "sentinel://user:topsecret@one:1001/main",
        "sentinel://user:topsecret@one:1001/0/",
        "sentinel://user:topsecret@one:port/0/main",
        "sentinel://user:topsecret@/0/main",
        "redis://user:topsecret@[::1",
        "topsecret",
    ],
)
def test_an_unusable_address_is_refused_without_repeating_it(url: str) -> None:
    """It may hold a password, and the error goes to logs and screens."""
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the text is looked at
        made(url)
    assert "topsecret" not in str(raised.value)
    assert str(raised.value)
