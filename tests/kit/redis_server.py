"""A real Valkey for tests, which can be killed, paused and started again."""

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import redis

from realtime.redis.valkey_process import SOCKET_NAME, die_with_parent, valkey_command
from tests.kit.waiting import wait_until_sync
from verify.processes import bring_back_data, keep_data


class RedisServer:
    """A Valkey of its own, with its append-only file in a temporary folder.

    It dies with the test process, even when that is killed.
    """

    def __init__(self, *options: str) -> None:
        # Directly among the temporary files: a socket's path must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="chatroom-test-"))
        self._socket = self._folder / SOCKET_NAME
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.admin = redis.Redis(unix_socket_path=str(self._socket))

    @property
    def url(self) -> str:
        """The address that nodes and clients use."""
        return f"unix://{self._socket}"

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self, *options: str, wait: bool = True) -> None:
        """Start on the data there is and return when commands are answered.

        Args:
            options: For this start only.
            wait: False to return at once: it may have to load its data first.
        """
        command = [*valkey_command(self._folder, self._socket), *self._options]
        command += options
        with (self._folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(),
            )
        if wait:
            wait_until_sync(self._answers, "Valkey answers")

    def kill(self) -> None:
        """SIGKILL: what was answered is in the append-only file, nothing else is."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def keep(self) -> None:
        """Keep a copy of the data as it is now, for :meth:`go_back`."""
        keep_data(self._folder)

    def go_back(self) -> None:
        """Lose all since :meth:`keep`: what a power cut or a failover may do."""
        self.kill()
        bring_back_data(self._folder)
        self.start()

    def reset(self) -> None:
        """Make it as new: running, not paused, empty, without clients but this one."""
        if not self.running:
            self.start()
        self.resume()
        self.admin.client_kill_filter(skipme=True, _type="normal")
        self.admin.client_kill_filter(skipme=True, _type="pubsub")
        self.admin.flushall()
        self.admin.script_flush()
        self.admin.config_resetstat()

    def keys_without_expiry(self) -> list[str]:
        """Return the keys that would stay for ever; none while it is not running."""
        if not self.running:
            return []
        self.resume()
        keys: list[bytes] = list(self.admin.scan_iter(count=1000))
        return [key.decode() for key in keys if self.admin.ttl(key) == -1]

    def close(self) -> None:
        """Stop and remove the data."""
        self.admin.close()
        if self.running:
            self.resume()
            self.kill()
        shutil.rmtree(self._folder)

    def _answers(self) -> bool:
        assert self.running, (self._folder / "valkey.log").read_text()
        try:
            return bool(self.admin.ping())
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False
