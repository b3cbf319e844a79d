"""The commands' connection: in order, repaired by itself, and honest when it cannot."""

import asyncio
from pathlib import Path

import pytest

from realtime.errors import OutcomeUnknownError, UnavailableError
from realtime.redis.client import WATCH_SECONDS, RedisClient
from realtime.redis.connection import ReplyError
from realtime.redis.script import Script
from realtime.redis.url import connection_factory
from realtime.store import scripts
from tests.kit.redis_server import RedisServer
from tests.kit.store_fixtures import TIMEOUT_SECONDS, LinkMaker
from tests.kit.waiting import MS, wait_until
from verify.harness.proxy import Direction, FaultProxy, Line

# The deadline, the look at it, and a busy machine.
ANSWER_SECONDS = TIMEOUT_SECONDS + 2 * WATCH_SECONDS + 3_000 * MS
SCRIPT = Script("test", "return redis.call('INCR', KEYS[1])")
PUSH = Script("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])")
# Repeating it changes nothing, and its order is seen.
ADD = Script(
    "add",
    "local score = redis.call('ZCARD', KEYS[1])"
    " return redis.call('ZADD', KEYS[1], 'NX', score, ARGV[1])",
)


async def test_calls_are_carried_out_in_their_order(link: RedisClient) -> None:
    """Awaited or not, over more than one write: what is called first comes first."""
    calls = [link.call("RPUSH", "list:rooms", number) for number in range(500)]
    await asyncio.sleep(0)
    calls += [link.call("RPUSH", "list:rooms", number) for number in range(500, 900)]
    assert await asyncio.gather(*calls) == list(range(1, 901))
    found = await link.call("LRANGE", "list:rooms", 0, -1)
    assert [int(each) for each in found] == list(range(900))


async def test_calls_of_one_turn_travel_together(
    link: RedisClient, redis_server: RedisServer
) -> None:
    """A busy node pays a system call for many commands, not for each."""
    await link.call("PING")
    before = redis_server.admin.info("stats")["total_reads_processed"]
    await asyncio.gather(*(link.call("PING") for _ in range(300)))
    reads = redis_server.admin.info("stats")["total_reads_processed"] - before
    assert reads < 10


async def test_an_error_of_redis_is_the_caller_s(link: RedisClient) -> None:
    """One wrong command fails alone."""
    good = link.call("SET", "a:rooms", 1)
    wrong = link.call("INCR", "a:rooms", "too", "many")
    after = link.call("GET", "a:rooms")
    assert await good == b"OK"
    with pytest.raises(ReplyError, match="wrong number"):
        await wrong
    assert await after == b"1"


async def test_a_cut_is_not_noticed(
    link: RedisClient, redis_server: RedisServer
) -> None:
    """What was under way is sent again on the next connection, in order."""
    await link.call("PING")
    calls = []
    for turn in range(20):
        calls += [link.call("SADD", "set:rooms", turn * 50 + n) for n in range(50)]
        redis_server.admin.client_kill_filter(skipme=True, _type="normal")
        await asyncio.sleep(0)
    await asyncio.gather(*calls)
    assert await link.call("SCARD", "set:rooms") == 1000


async def test_what_is_sent_again_keeps_its_order(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Redis died with many calls in hand; the next one gets them in their order."""
    async with make_link(timeout_seconds=8_000 * MS) as link:
        await link.call("PING")
        redis_server.pause()
        calls = []
        for turn in range(5):
            calls += [link.call("RPUSH", "l:rooms", turn * 20 + n) for n in range(20)]
            await asyncio.sleep(0)
        redis_server.kill()
        await wait_until(lambda: not link.connected, "the cut is noticed")
        calls.append(link.call("RPUSH", "l:rooms", 100))
        redis_server.start()
        assert await asyncio.gather(*calls) == list(range(1, 102))
        found = await link.call("LRANGE", "l:rooms", 0, -1)
        assert [int(each) for each in found] == list(range(101))


async def test_what_must_not_happen_twice_is_not_sent_again(
    link: RedisClient, redis_server: RedisServer
) -> None:
    """A bare PUBLISH under way at a cut: nobody knows, and the caller is told so."""
    await link.call("PING")
    redis_server.pause()
    call = link.call("INCR", "n:rooms", resend=False)
    await asyncio.sleep(0)
    redis_server.resume()
    redis_server.admin.client_kill_filter(skipme=True, _type="normal")
    try:
        assert await call == 1
    except OutcomeUnknownError:
        assert await link.call("GET", "n:rooms") in (None, b"1")


async def test_redis_that_hangs_is_told_within_the_deadline(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Handed over: unknown. Not handed over: unavailable, nothing was done."""
    async with make_link() as link:
        await link.call("PING")
        redis_server.pause()
        async with asyncio.timeout(ANSWER_SECONDS):
            with pytest.raises(OutcomeUnknownError):
                await link.call("INCR", "n:rooms")
        await wait_until(lambda: not link.connected, "the connection is given up")
        async with asyncio.timeout(ANSWER_SECONDS):
            with pytest.raises(UnavailableError):
                await link.call("INCR", "m:rooms")
        assert not link.healthy
        redis_server.resume()
        await wait_until(lambda: link.connected, "Redis is reached again")
        assert await link.call("GET", "m:rooms") is None


async def test_a_restart_of_redis_is_healed(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """SIGKILL: unavailable while it is away; then it goes on, with what was stored."""
    async with make_link() as link:
        await link.call("SET", "a:rooms", "kept")
        redis_server.kill()
        await wait_until(lambda: not link.connected, "the cut is noticed")
        with pytest.raises(UnavailableError):
            await link.call("GET", "a:rooms")
        redis_server.start()
        await wait_until(lambda: link.connected, "Redis is reached again")
        assert await link.call("GET", "a:rooms") == b"kept"
        assert link.healthy


async def test_a_call_outlives_a_short_restart(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Within its deadline a call waits for the next connection."""
    async with make_link(timeout_seconds=8_000 * MS) as link:
        await link.call("PING")
        redis_server.kill()
        await wait_until(lambda: not link.connected, "the cut is noticed")
        call = link.call("INCR", "n:rooms")
        redis_server.start()
        assert await call == 1


async def test_too_many_calls_are_refused_at_once(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Memory is bounded while Redis hangs, and what is refused was not done."""
    async with make_link(limit_calls=10) as link:
        await link.call("PING")
        redis_server.pause()
        waiting = [link.call("INCR", "n:rooms") for _ in range(10)]
        refused = link.call("INCR", "n:rooms")
        assert refused.done()
        with pytest.raises(UnavailableError, match="too many"):
            await refused
        redis_server.resume()
        assert await asyncio.gather(*waiting) == list(range(1, 11))


async def test_a_script_that_redis_forgot_is_sent_whole(
    link: RedisClient, redis_server: RedisServer
) -> None:
    """SCRIPT FLUSH, or a failover to a replica that never saw it."""
    assert await link.run_script(SCRIPT, ["n:rooms"], []) == 1
    redis_server.admin.script_flush()
    assert await link.run_script(SCRIPT, ["n:rooms"], []) == 2
    assert await link.run_script(SCRIPT, ["n:rooms"], []) == 3


async def test_forgotten_scripts_change_no_order(
    link: RedisClient, redis_server: RedisServer
) -> None:
    """SCRIPT FLUSH while calls are on their way: none overtakes another."""
    calls: list[asyncio.Future[object]] = []
    for _ in range(20):
        redis_server.admin.script_flush()
        for _ in range(60):
            call = link.run_script(PUSH, ["l:rooms"], [len(calls)])
            calls.append(asyncio.ensure_future(call))
            await asyncio.sleep(0)
        await asyncio.gather(*calls)
    found = await link.call("LRANGE", "l:rooms", 0, -1)
    assert [int(each) for each in found] == list(range(len(calls)))


async def test_forgotten_scripts_and_a_cut_change_no_order(
    link: RedisClient, redis_server: RedisServer
) -> None:
    """Redis asks for the script and is gone before the rest is answered."""
    for first in range(0, 600, 30):
        redis_server.admin.script_flush()
        calls = []
        for number in range(first, first + 30):
            calls.append(link.run_script(ADD, ["l:rooms"], [number]))
            await asyncio.sleep(0)
            if number == first + 15:
                redis_server.admin.client_kill_filter(skipme=True, _type="normal")
        await asyncio.gather(*calls)
    found = await link.call("ZRANGE", "l:rooms", 0, -1)
    assert [int(each) for each in found] == list(range(600))


async def test_a_link_that_may_not_load_scripts_sends_them_whole(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Another one's Redis user may be allowed less than we document."""
    redis_server.admin.execute_command("ACL", "SETUSER", "default", "-script|load")
    try:
        async with make_link() as link:
            calls = [
                link.run_script(PUSH, ["l:rooms"], [number]) for number in range(9)
            ]
            assert await asyncio.gather(*calls) == list(range(1, 10))
            assert await link.run_script(PUSH, ["l:rooms"], [9]) == 10
    finally:
        redis_server.admin.execute_command("ACL", "SETUSER", "default", "+@all")
    found = redis_server.admin.lrange("l:rooms", 0, -1)
    assert [int(each) for each in found] == list(range(10))


async def test_a_redis_that_loads_its_data_is_waited_for(
    make_link: LinkMaker, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes connections and refuses everything: nothing was done, and no doubt.

    Once it serves it knows the scripts, and what waits is carried out in its order.
    """
    with redis_server.admin.pipeline(transaction=False) as pipe:
        for number in range(30_000):
            pipe.set("a:rooms", number)
        pipe.execute()
    async with (
        make_link(timeout_seconds=300 * MS) as short,
        make_link(timeout_seconds=8_000 * MS) as link,
    ):
        await asyncio.gather(short.call("PING"), link.call("PING"))
        redis_server.kill()
        await wait_until(lambda: not short.connected, "the cut is noticed")
        redis_server.start("--key-load-delay", "20", wait=False)
        await wait_until(lambda: "LOADING" in caplog.text, "it loads")
        with pytest.raises(UnavailableError):
            await short.run_script(PUSH, ["l:rooms"], [0])
        assert not short.connected
        redis_server.admin.config_set("key-load-delay", 0)
        calls = [link.run_script(PUSH, ["l:rooms"], [number]) for number in range(9)]
        assert await asyncio.gather(*calls) == list(range(1, 10))
        digest = scripts.MESSAGE_LOG_APPEND.digest
        assert await link.call("SCRIPT", "EXISTS", digest) == [1]


async def test_a_redis_that_refuses_to_write_is_unavailable(
    link: RedisClient, redis_server: RedisServer
) -> None:
    """Out of memory: nothing was stored, and it may work later."""
    redis_server.admin.config_set("maxmemory", "1")
    try:
        with pytest.raises(UnavailableError):
            await link.call("SET", "a:rooms", "b")
        with pytest.raises(UnavailableError):
            await link.run_script(SCRIPT, ["n:rooms"], [])
    finally:
        redis_server.admin.config_set("maxmemory", "0")
    assert await link.call("EXISTS", "a:rooms", "n:rooms") == 0


async def test_a_primary_that_became_a_replica_is_left(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """READONLY: the connection is made anew, so that Sentinel is asked again."""
    async with make_link() as link:
        first = await link.call("CLIENT", "ID")
        redis_server.admin.replicaof("localhost", "1")
        try:
            with pytest.raises(UnavailableError):
                await link.call("SET", "a:rooms", "b")
        finally:
            redis_server.admin.replicaof("NO", "ONE")
        await wait_until(lambda: link.connected, "it connects again")
        assert await link.call("CLIENT", "ID") > first


async def test_a_blocked_loop_is_no_reason_to_give_up(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """A node that was stopped for longer than the deadline reads what has come."""
    async with make_link(timeout_seconds=300 * MS) as link:
        first = await link.call("CLIENT", "ID")
        call = link.call("INCR", "n:rooms")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        # Blocks this process while Redis answers, as SIGSTOP would.
        redis_server.admin.blpop(["nothing:rooms"], 1)
        assert await call == 1
        assert await link.call("CLIENT", "ID") == first


async def test_the_end_of_a_node_fails_what_waits(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Nobody waits for ever for a link that is closed, and nothing new begins."""
    async with make_link(timeout_seconds=9_000 * MS) as link:
        await link.call("PING")
        redis_server.pause()
        handed_over = link.call("INCR", "n:rooms")
        await asyncio.sleep(0)
        await link.aclose()
        with pytest.raises(OutcomeUnknownError):
            await handed_over
        with pytest.raises(UnavailableError, match="shutting down"):
            await link.call("INCR", "n:rooms")


async def test_a_link_may_end_while_it_connects(
    make_link: LinkMaker, redis_server: RedisServer
) -> None:
    """Redis takes the connection and says nothing: no socket may stay behind."""
    redis_server.pause()
    async with make_link() as link:
        waiting = link.call("PING")
        await asyncio.sleep(0)
    with pytest.raises(UnavailableError):
        await waiting
    redis_server.resume()
    await wait_until(
        lambda: redis_server.admin.info("clients")["connected_clients"] == 1,
        "no connection is left",
    )


@pytest.mark.parametrize("login", ["", "nobody:knows@"], ids=["let-in", "refused"])
@pytest.mark.parametrize("turns", range(20))
async def test_a_link_may_end_at_any_step_of_its_start(
    make_link: LinkMaker, redis_server: RedisServer, turns: int, login: str
) -> None:
    """A node that is stopped while it connects stops, whatever redis-py is doing."""
    url = redis_server.url.replace("://", f"://{login}")
    async with asyncio.timeout(5_000 * MS), make_link(url=url):
        for _ in range(turns):
            await asyncio.sleep(0)


async def test_a_refusal_after_a_cut_proves_nothing(
    make_link: LinkMaker, redis_server: RedisServer, tmp_path: Path
) -> None:
    """The answer was lost with its connection, and the next one refuses: unknown.

    ``unavailable`` promises that nothing was stored, which is not true here.
    """
    path = tmp_path / "proxy.sock"
    proxy = FaultProxy(lambda: asyncio.open_unix_connection(redis_server.url[7:]))
    await proxy.listen_unix(path)
    link = RedisClient(
        connection_factory(f"unix://{path}", timeout_seconds=TIMEOUT_SECONDS),
        timeout_seconds=8_000 * MS,
        limit_calls=100,
        scripts=(SCRIPT,),
    )
    link.start()
    try:
        await link.call("PING")
        proxy.set_line(Line(stalled=frozenset({Direction.DOWN})))
        call = asyncio.ensure_future(link.run_script(SCRIPT, ["n:rooms"], []))
        await wait_until(lambda: redis_server.admin.get("n:rooms"), "it is done")
        redis_server.admin.config_set("min-replicas-to-write", "1")
        proxy.reset()
        proxy.set_line(Line())
        with pytest.raises(OutcomeUnknownError):
            await call
        with pytest.raises(UnavailableError):
            await link.run_script(SCRIPT, ["n:rooms"], [])
    finally:
        redis_server.admin.config_set("min-replicas-to-write", "0")
        await link.aclose()
        await proxy.aclose()
    assert redis_server.admin.get("n:rooms") == b"1"
