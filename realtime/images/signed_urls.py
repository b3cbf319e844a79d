"""Addresses of images: signed, and valid for a time.

An image has no access rule of its own. Whoever may read a message is given an address
that only this server could have made; after a while it is worth nothing.
"""

import base64
import hmac
import re
import time
from collections.abc import Callable
from typing import Final

from realtime.errors import ForbiddenError

NAME_PATTERN: Final = r"[0-9a-f]{64}\.(?:png|jpg|webp|gif)"

# An address stays the same for this part of its life, so that caches can use it.
STEPS: Final = 4

_EXPIRES: Final = re.compile(r"[0-9]{1,12}")


class ImageLinks:
    """Makes addresses of images and tells its own from forged ones.

    Args:
        secret: Returns what signs, the same on every node: 32 bytes or more.
        valid_seconds: The longest life of an address; the shortest is three quarters.
        clock: Returns Unix seconds.
        prefix: Path before all addresses, without a slash at its end.
    """

    def __init__(
        self,
        secret: Callable[[], bytes],
        *,
        valid_seconds: int,
        clock: Callable[[], float] = time.time,
        prefix: str = "",
    ) -> None:
        self._secret = secret
        self._valid_seconds = valid_seconds
        self._step_seconds = max(1, valid_seconds // STEPS)
        self._clock = clock
        self._prefix = prefix

    def address(self, name: str) -> str:
        """Return a fresh address, ``/images/<name>?expires=…&signature=…``."""
        now = int(self._clock())
        expires = now - now % self._step_seconds + self._valid_seconds
        signature = self._sign(name, str(expires))
        query = f"expires={expires}&signature={signature}"
        return f"{self._prefix}/images/{name}?{query}"

    def check(self, name: str, expires: str, signature: str) -> int:
        """Return the seconds for which an address is still valid.

        The signature is compared in constant time, and before the time is looked at.

        Args:
            name: ``<sha256>.<extension>``.
            expires: The address's parameter as it came.
            signature: The address's parameter as it came.

        Raises:
            ForbiddenError: It was not made here, or it has expired.
        """
        genuine = self._sign(name, expires).encode()
        given = signature.encode("utf-8", "replace")
        if not hmac.compare_digest(genuine, given) or not _EXPIRES.fullmatch(expires):
            raise ForbiddenError("The address of this image was not made here.")
        left = int(expires) - int(self._clock())
        if left <= 0:
            raise ForbiddenError(
                "The address of this image has expired; read the message again."
            )
        return left

    def _sign(self, name: str, expires: str) -> str:
        text = f"{name}\n{expires}".encode("utf-8", "replace")
        mac = hmac.digest(self._secret(), text, "sha256")
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")
