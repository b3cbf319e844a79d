"""How the highest rate is found and told, and what the peers of the same job run."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from benchmarks.capacity_report import MARKS, report
from benchmarks.rate_search import CLOSE, Probe, highest, probe_of
from benchmarks.rust_peer import VARIABLE
from benchmarks.servers import PEERS, SERVERS, Start, available

ROOT = Path(__file__).parents[2]
CARRIED = 13_000.0


def probe(rate: float, *, p99_ms: float = 20.0, late_ms: float = 1.0) -> Probe:
    """Return what a server did at a rate, as far as it matters here."""
    return Probe(
        rate=rate,
        p99_ms=p99_ms,
        failed=0,
        late_ms=late_ms,
        server=0.9,
        redis=0.4,
        load=0.3,
        cpu_us=70.0,
        clean=True,
    )


@pytest.mark.parametrize("begin", [500.0, 12_900.0, 90_000.0])
def test_the_highest_rate_is_found_from_wherever_the_search_begins(
    begin: float,
) -> None:
    """It is at most as far below what the server carries as two rates are apart."""
    tried: list[float] = []

    def ask(rate: float) -> Probe:
        tried.append(rate)
        return probe(rate, p99_ms=20 if rate <= CARRIED else 51)

    best, over = highest(ask, begin, step=2.0, least=50)
    assert best is not None
    assert over is not None
    assert CARRIED / CLOSE <= best.rate <= CARRIED < over.rate
    assert len(tried) <= 15


def test_a_server_that_carries_nothing_ends_the_search() -> None:
    """The least rate is the last one that is tried."""
    best, over = highest(
        lambda rate: probe(rate, p99_ms=400), 2_000, step=2.0, least=50
    )
    assert best is None
    assert over is not None
    assert 50 <= over.rate < 100


@pytest.mark.parametrize(
    ("traffic", "lost"),
    [({"refused": 1}, 0), ({"delivered": 99_999}, 0), ({"sent": 900}, 0), ({}, 1)],
)
def test_a_rate_that_was_not_served_whole_did_not_hold(
    traffic: dict[str, int], lost: int
) -> None:
    """However fast the rest was: refused, missing, not sent, or a session lost."""
    fast = {"p99_us": 3_000}
    whole = {"sent": 1_000, "refused": 0, "expected": 100_000, "delivered": 100_000}
    figures: dict[str, Any] = {
        "groups": [{**whole, "delivery": fast, "late": fast}],
        "lost": 0,
        "server_cpu_seconds": 0.5,
        **dict.fromkeys(("server_share", "redis_share", "load_share"), 0.5),
        **dict.fromkeys(("other_share", "stolen_share"), 0.0),
    }
    assert probe_of(figures, 0, 1_000, 1.0).held
    figures["groups"][0] |= traffic
    assert not probe_of(figures | {"lost": lost}, 0, 1_000, 1.0).held


def test_a_run_in_which_the_load_was_late_says_nothing_of_the_server() -> None:
    """The table has a sign of it before what the server carried at least."""
    late = probe(1_500, p99_ms=90, late_ms=40)
    assert late.void
    assert not probe(1_500, p99_ms=20, late_ms=40).void
    figures = {
        "p99_ms": 20.0,
        "cpu_us": 70.0,
        "late_ms": 1.0,
        "failed": 0,
        "clean": True,
    }
    shares = {"server": 0.9, "redis": 0.4, "load": 0.3}
    best, over = ({"rate": rate, **figures, **shares} for rate in (1_200.0, 1_500.0))
    rounds = [{"best": best, "over": over, "only_load": late.void}]
    machine = {"cores": 2, "cpu": "", "memory_gib": 1, "kernel": "", "python": ""}
    shown = report(
        {"chatroom": {"room": rounds}},
        {"chatroom": "this server"},
        {**machine, "python_compiler": ""},
        {},
        [],
    )
    assert "| ≥ 1,200,000 |" in shown


def test_the_document_has_the_marks_between_which_the_tables_go() -> None:
    """``--write`` finds its place in docs/benchmarks.md."""
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    begin, end = MARKS
    assert text.index(begin) < text.index(end)


async def published(told: PubSub, end: str) -> list[str]:
    """Return what was published before the end."""
    found: list[str] = []
    async for each in told.listen():
        if each["type"] == "message":
            if each["data"] == end:
                break
            found.append(each["data"])
    return found


async def test_the_peers_script_does_what_is_called_the_same_job(
    redis_client: Redis,
) -> None:
    """Members only; numbered, kept and published once, however often it is sent."""
    script = redis_client.register_script((PEERS / "append.lua").read_text())
    parts = ("log", "messages", "meta", "lastRead", "members", "sent:ann:c1")
    keys = [f"{{chatroom-1}}:{part}" for part in parts]
    told = redis_client.pubsub()
    await told.subscribe("chatroom-1")
    args = ["chatroom-1", "ann", "u1", '"text":"hello"']
    assert await script(keys, args) == [-1]
    await redis_client.hset(keys[4], "ann", "{}")
    assert await script(keys, args) == [0, 1]
    assert await script(keys, args) == [1, 1]
    assert await redis_client.xlen(keys[0]) == 1
    assert await redis_client.hget(keys[3], "ann") == "1"
    event = await redis_client.hget(keys[1], "1")
    assert str(event).startswith('["message",{"offset":1,"uid":"u1","message":1,"text"')
    await redis_client.publish("chatroom-1", "the end")
    assert await asyncio.wait_for(published(told, "the end"), 5) == [event]
    await told.aclose()
    await redis_client.delete(*keys)


def test_the_programs_of_the_peers_can_be_read(tmp_path: Path) -> None:
    """What is started is there, and Node finds no mistake in it."""
    start = Start(1, "redis://127.0.0.1:1", tmp_path, tmp_path)
    scripts = {
        Path(word)
        for server in SERVERS
        if server.name in ("bun", "node", "stock", "bun-same", "node-same")
        for word in server.command(start)
        if word.startswith(str(PEERS)) and Path(word).suffix
    }
    assert {each.name for each in scripts} == {"bun.mjs", "node.mjs", "stock.py"}
    for module in PEERS.glob("*.mjs"):
        subprocess.run(["node", "--check", str(module)], check=True, timeout=30)


def test_a_peer_that_cannot_run_here_is_left_out_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All others are measured."""
    monkeypatch.setenv(VARIABLE, "/nowhere/peer")
    assert [each.name for each in available(["chatroom", "rust"])] == ["chatroom"]
    said = capsys.readouterr().out
    assert said == f"rust is left out: {VARIABLE} names no program: /nowhere/peer\n"
