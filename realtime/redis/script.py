"""A Lua script as EVALSHA names it, and what carries scripts out."""

import hashlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from realtime.redis.connection import Argument


@dataclass(frozen=True)
class Script:
    """A script's source and the digest that EVALSHA takes."""

    name: str
    source: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        # SHA-1 is what EVALSHA names scripts by; nothing here relies on its strength.
        digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "digest", digest)


class ScriptRunner(Protocol):
    """Carries scripts out: the client, or one that waits until the write is safe."""

    @property
    def publish_command(self) -> str:
        """What scripts publish with."""

    def run_script(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> Awaitable[Any]:
        """Run a script and return its reply."""
