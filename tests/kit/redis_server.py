"""The Valkey of the tests, in a temporary folder of its own."""

import shutil
import tempfile
from pathlib import Path

from redis.asyncio import Redis

from verify.harness.valkey import Valkey


class RedisServer(Valkey):
    """A Valkey that can be made as new, so that tests can share one.

    It dies with the test process, even when that is killed.
    """

    def __init__(self, *options: str) -> None:
        # Directly among the temporary files: a socket's path must be short.
        super().__init__(Path(tempfile.mkdtemp(prefix="chatroom-test-")), *options)

    def start(self, *options: str, wait: bool = True) -> None:
        """Start on the data there is and return when commands are answered.

        Args:
            options: For this start only.
            wait: False to return at once: it may have to load its data first.
        """
        super().start(*options)
        if wait:
            self.wait_ready()

    def go_back(self) -> None:
        """Lose all since :meth:`keep`, and go on."""
        super().go_back()
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

    def client(self) -> Redis:
        """Return a client with decoded answers: what ``redis-cli`` would see."""
        return Redis.from_url(self.url, decode_responses=True)

    def keys_without_expiry(self) -> list[str]:
        """Return the keys that would stay for ever; none while it is not running."""
        if not self.running:
            return []
        self.resume()
        keys: list[bytes] = list(self.admin.scan_iter(count=1000))
        return [key.decode() for key in keys if self.admin.ttl(key) == -1]

    def close(self) -> None:
        """Stop and remove the data."""
        super().close()
        shutil.rmtree(self.folder)
