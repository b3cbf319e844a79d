"""A primary with replicas under three Sentinels, as real processes to be killed."""

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import redis

from realtime.valkey_process import die_with_parent, valkey_binary
from tests.waiting import MS, wait_until_sync

SERVICE = "chat"
SENTINELS = 3
QUORUM = 2
DOWN_AFTER_MS = 1_000
START_SECONDS = 20_000 * MS


class SentinelGroup:
    """One primary, two replicas, three Sentinels; all die with the test's process."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="chatroom-sentinel-"))
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.ports = _free_ports(3)
        self._sentinel_ports = _free_ports(SENTINELS)

    @property
    def url(self) -> str:
        """The address that nodes use."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._sentinel_ports)
        return f"sentinel://{hosts}/0/{SERVICE}"

    def start(self) -> None:
        """Start all and return when replicas have synced and Sentinels agree."""
        first, *others = self.ports
        self._start_server(first)
        for port in others:
            self._start_server(port, "--replicaof", f"127.0.0.1 {first}")
        wait_until_sync(self._replicated, "replicas have synced", seconds=START_SECONDS)
        for port in self._sentinel_ports:
            self._start_sentinel(port, first)
        wait_until_sync(self._watched, "Sentinels agree", seconds=START_SECONDS)

    def stop(self) -> None:
        """End all and leave nothing behind."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        shutil.rmtree(self._folder)

    def primary(self) -> int:
        """Return the port of the primary, as the first Sentinel has it."""
        sentinel = redis.Redis(port=self._sentinel_ports[0], decode_responses=True)
        with sentinel:
            found = sentinel.sentinel_get_master_addr_by_name(SERVICE)
        assert isinstance(found, tuple)
        return int(found[1])

    def admin(self, port: int) -> redis.Redis:
        """Return a client of one server."""
        return redis.Redis(port=port, decode_responses=True)

    def kill(self, port: int) -> None:
        """SIGKILL one server."""
        process = self._processes.pop(port)
        process.kill()
        process.wait()

    def fail_over(self) -> None:
        """Have the Sentinels hand the primary's place over, as for maintenance."""
        with redis.Redis(port=self._sentinel_ports[0]) as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", SERVICE)

    def _start_server(self, port: int, *options: str) -> None:
        folder = self._folder / str(port)
        folder.mkdir()
        self._start(
            port,
            "--port",
            str(port),
            *("--dir", str(folder), "--appendonly", "yes", "--save", ""),
            *("--repl-diskless-sync-delay", "0"),
            *options,
        )

    def _start_sentinel(self, port: int, primary: int) -> None:
        config = self._folder / f"sentinel-{port}.conf"
        config.write_text(
            f"port {port}\nsentinel monitor {SERVICE} 127.0.0.1 {primary} {QUORUM}\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        self._start(port, str(config), "--sentinel")

    def _start(self, port: int, *arguments: str) -> None:
        with (self._folder / f"{port}.log").open("ab") as output:
            self._processes[port] = subprocess.Popen(
                [str(valkey_binary()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(),
            )

    def _replicated(self) -> bool:
        try:
            with self.admin(self.ports[0]) as primary:
                info = primary.info("replication")
        except redis.RedisError:
            return False
        states = [info.get(f"slave{number}", {}) for number in range(2)]
        return all(each.get("state") == "online" for each in states)

    def _watched(self) -> bool:
        try:
            for port in self._sentinel_ports:
                with redis.Redis(port=port, decode_responses=True) as sentinel:
                    state = sentinel.sentinel_master(SERVICE)
                others = int(state["num-other-sentinels"])
                if others != SENTINELS - 1 or int(state["num-slaves"]) != 2:
                    return False
        except redis.RedisError:
            return False
        return True


def _free_ports(count: int) -> list[int]:
    """Return ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
