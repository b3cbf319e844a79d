"""A Lua script as EVALSHA names it."""

import hashlib
from dataclasses import dataclass, field


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
