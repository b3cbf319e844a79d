"""``chatroom check`` finds what is wrong, and says it in a sentence that helps."""

import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from realtime.cli import main
from realtime.node.settings_io import load_settings
from realtime.ops.check import look
from realtime.ops.findings import Finding, Level
from realtime.ops.redis_checks import of_redis
from realtime.ops.server_checks import of_server
from realtime.ops.system_checks import System, of_system
from tests.kit.nodes import HOST, run_nodes
from tests.kit.redis_server import RedisServer
from verify.harness.redis_cluster import RedisCluster

SECRET = "a-secret-of-at-least-32-characters"
# A machine with which nothing is wrong.
WELL = {
    "proc/sys/net/core/somaxconn": "4096",
    "proc/sys/net/ipv4/tcp_max_syn_backlog": "4096",
    "proc/sys/net/ipv4/ip_local_port_range": "10240\t65535",
    "proc/sys/net/netfilter/nf_conntrack_max": "1000000",
    "proc/sys/vm/overcommit_memory": "1",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
    "proc/meminfo": "MemFree: 1 kB\nMemTotal: 33554432 kB",
    "proc/mounts": "/dev/sda1 / ext4 rw 0 0",
}


def machine(root: Path, **faults: str) -> System:
    """Return a machine with some files that differ from what is well."""
    for name, text in {**WELL, **faults}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return System(root)


def told(found: Iterator[Finding] | list[Finding]) -> list[str]:
    return [f"{each.level} {each.text}" for each in found]


def only(found: list[str], words: str) -> str:
    """Return the one sentence that has some words."""
    having = [each for each in found if words in each]
    assert len(having) == 1, found
    return having[0]


SYSTEM_FAULTS = {
    "proc/sys/net/core/somaxconn": ("128", "net.core.somaxconn is 128"),
    "proc/sys/net/ipv4/tcp_max_syn_backlog": ("512", "tcp_max_syn_backlog is 512"),
    "proc/sys/net/ipv4/ip_local_port_range": ("50000 60000", "50000 to 60000"),
    "proc/sys/net/netfilter/nf_conntrack_max": ("65536", "nf_conntrack_max is 65536"),
    "proc/sys/vm/overcommit_memory": ("0", "vm.overcommit_memory is 0"),
    "sys/kernel/mm/transparent_hugepage/enabled": ("[always] never", "huge pages"),
    "sys/fs/cgroup/memory.max": ("536870912", "There are 512 MiB of memory"),
    "sys/fs/cgroup/cpu.max": ("100000 100000", "may use 1 cores"),
    "proc/mounts": ("server:/x / nfs4 rw 0 0", "is on nfs4"),
}


def test_each_fault_of_the_machine_is_a_sentence(tmp_path: Path) -> None:
    """One that is planted is found, alone; a machine that is well has none."""
    variables = {"CHATROOM_DATA_DIR": str(tmp_path), "CHATROOM_WORKERS": "2"}
    settings = load_settings({**variables, "CHATROOM_IMAGE_FREE_BYTES": "0"})
    assert not told(iter(of_system(settings, machine(tmp_path / "well"))))
    for number, (path, (text, words)) in enumerate(SYSTEM_FAULTS.items()):
        system = machine(tmp_path / str(number), **{path: text})
        (sentence,) = told(iter(of_system(settings, system)))
        assert words in sentence
    full = load_settings({**variables, "CHATROOM_DATA_FREE_BYTES": str(2**60)})
    (sentence,) = told(iter(of_system(full, machine(tmp_path / "well"))))
    assert sentence.startswith("error The disk of")


async def test_each_fault_of_settings_is_a_sentence(tmp_path: Path) -> None:
    """Those that cannot be read, and those that are wrong together."""
    words = tmp_path / "words"
    words.write_bytes(b"\xff\xfe")

    async def found(**variables: str) -> list[str]:
        given = {f"CHATROOM_{name}": text for name, text in variables.items()}
        given = {"CHATROOM_DATA_DIR": str(tmp_path), **given}
        return told(await look(given, {}, url=None, system=machine(tmp_path / "root")))

    all_wrong = await found(PORT="x", LOG_LEVEL="loud", JWT_SECRETT=SECRET)
    assert all(each.startswith("error CHATROOM_") for each in all_wrong)
    assert len(all_wrong) == 3
    only(await found(FORCE_DEVELOPMENT="true"), "may take any name")
    only(await found(JWT_SECRET=SECRET, WORDS_FILE=str(words)), "CHATROOM_WORDS_FILE:")
    keys = await found(JWKS_URL="http://127.0.0.1:1/keys")
    only(keys, "the key set cannot be fetched")
    only(keys, "without CHATROOM_JWT_AUDIENCE")
    far = await found(
        JWT_SECRET=SECRET,
        HOST="0.0.0.0",
        REDIS_URL="redis://192.0.2.1:1",
        REDIS_TIMEOUT_SECONDS="0.2",
    )
    only(far, "CHATROOM_METRICS_TOKEN is not set")
    only(far, "without a password and without TLS")
    only(far, "set CHATROOM_IMAGES_URL")
    only(far, "cannot be reached")


@contextmanager
def configured(server: RedisServer, **settings: str) -> Iterator[None]:
    """Have a server configured otherwise until the block ends."""
    names = {name.replace("_", "-"): text for name, text in settings.items()}
    before = {name: str(server.admin.config_get(name)[name]) for name in names}
    for name, text in names.items():
        server.admin.config_set(name, text)
    try:
        yield
    finally:
        for name, text in before.items():
            server.admin.config_set(name, text)


async def test_each_fault_of_redis_is_a_sentence(redis_server: RedisServer) -> None:
    """What it is set to, what it holds, and whether it takes writes."""

    async def found(**more: str) -> list[str]:
        given = {"CHATROOM_REDIS_URL": redis_server.url, **more}
        return told(iter(await of_redis(load_settings(given))))

    assert await found() == []
    with configured(redis_server, maxmemory_policy="allkeys-lru"):
        only(await found(), "it would evict messages")
    with configured(redis_server, appendfsync="everysec"):
        only(await found(), "appendfsync of Redis is everysec")
    with configured(redis_server, appendonly="no"):
        only(await found(), "has no append-only file")
    with configured(redis_server, min_replicas_to_write="1"):
        only(await found(), "takes no writes")
    with configured(
        redis_server, client_output_buffer_limit="pubsub 1048576 1048576 60"
    ):
        only(await found(), "limit pubsub of Redis is 1 MiB")
    used = redis_server.admin.info("memory")["used_memory"]
    with configured(redis_server, maxmemory=str(round(used * 1.2))):
        only(await found(), "MiB that maxmemory allows")
    only(await found(CHATROOM_DURABILITY="replicas:2"), "Redis has 0 replicas")
    redis_server.admin.set("session:1", "of something else", ex=60)
    only(await found(), "Something else keeps data in Redis, 'session:1'")
    redis_server.admin.delete("session:1")
    redis_server.admin.execute_command("REPLICAOF", HOST, "1")
    try:
        only(await found(), "leads to a replica")
    finally:
        redis_server.admin.execute_command("REPLICAOF", "NO", "ONE")


async def test_a_clock_that_is_wrong_is_found(redis_url: str) -> None:
    """By how much, and in which direction."""
    settings = load_settings({"CHATROOM_REDIS_URL": redis_url})
    found = await of_redis(settings, clock=lambda: time.time() + 90)
    assert "The clock of Redis is 90.0 s behind" in only(told(iter(found)), "clock")


@asynccontextmanager
async def proxy(handler: object) -> AsyncIterator[str]:
    """Run a server that answers everything by a handler; give its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)  # type: ignore[arg-type] # is one
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        yield f"http://{HOST}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_what_keeps_clients_from_a_server_is_found(redis_url: str) -> None:
    """Proxies that lead nowhere, spread a session, rename the host, drop upgrades."""
    async with run_nodes(1, redis_url) as (node,):
        assert told(iter(await of_server(node.url))) == []
    only(told(iter(await of_server(node.url))), "cannot be reached")

    async def elsewhere(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>Welcome to nginx!</h1>")

    async with proxy(elsewhere) as url:
        only(told(iter(await of_server(url))), "answers 200 and no Socket.IO")

    async def nobody(_request: web.Request) -> web.Response:
        return web.Response(status=503)

    async with proxy(nobody) as url:
        only(told(iter(await of_server(url))), "no node is ready")

    async def careless(request: web.Request) -> web.Response:
        if request.method == "POST" or request.headers.get("Upgrade"):
            return web.Response(status=400)
        refused = "Origin" in request.headers
        return web.Response(status=403 if refused else 200, text='0{"sid":"x"}')

    async with proxy(careless) as url:
        found = told(iter(await of_server(url)))
    only(found, "reach different machines")
    only(found, f"A page of {url} is refused")
    only(found, "WebSockets are not passed on (the answer is 400)")


def chatroom(*arguments: str) -> int:
    """Run the command in this process; return its exit code."""
    try:
        main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_command_says_all_and_exits_by_the_worst(
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In words and in JSON; a warning keeps nothing from starting, unless asked to."""
    monkeypatch.setenv("CHATROOM_JWT_SECRET", SECRET)
    monkeypatch.setenv("CHATROOM_IMAGE_LIMIT_PIXELS", str(10**10))
    flags = ("check", "--redis-url", redis_url, "--data-dir", str(tmp_path))
    assert chatroom(*flags) == 0
    assert "warning: system: There are" in capsys.readouterr().out
    assert chatroom(*flags, "--json", "--strict") == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert {each["level"] for each in found} == {Level.WARNING}
    assert chatroom("check", "--redis-url", "redis://127.0.0.1:1") == 1
    assert "error: redis: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["check", "trace", "tail", "top", "backup", "restore"]
)
def test_help_says_what_is_read_and_how_it_exits(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever writes a script around it has to guess nothing."""
    assert chatroom(command, "--help") == 0
    output = capsys.readouterr().out
    assert "CHATROOM_…" in output
    assert "exit codes: 0 " in output


@pytest.mark.timeout(60)
async def test_each_shard_of_a_cluster_is_looked_at() -> None:
    """What is wrong with one is told of that one."""
    folder = Path(tempfile.mkdtemp(prefix="chatroom-test-"))
    try:
        async with RedisCluster.start("valkey", folder) as cluster:
            settings = load_settings({"CHATROOM_REDIS_URL": cluster.url})
            usual = told(iter(await of_redis(settings)))
            port, *_others = await cluster.primaries()
            await cluster.ask(port, "CONFIG", "SET", "min-replicas-to-write", "9")
            found = told(iter(await of_redis(settings)))
    finally:
        shutil.rmtree(folder)
    assert not [each for each in usual if each.startswith("error")]
    sentence = only(found, "takes no writes")
    assert f":{port} takes no writes" in sentence
