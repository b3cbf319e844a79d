"""How the text of an environment variable becomes a setting's value."""

import os
import re
from pathlib import Path
from typing import Final

from marshmallow import ValidationError, fields, validate

from realtime.addresses import parse_networks
from realtime.engineio.origin_names import parse_allowed
from realtime.outbound.signature import parse_secret
from realtime.rates import parse_rates
from realtime.redis.url import check_url

# Processes on one port, at most. More cores than that are better used by more machines.
MOST_WORKERS: Final = 64


class PathText(fields.Field[Path]):
    """A path, relative to the working directory; ``~`` is the home folder.

    Args:
        must_exist: Whether it must be a file.
        holds: A file of the folder, which need not be there, but must not be hidden
            from this user.
    """

    def __init__(self, *, must_exist: bool = False, holds: str = "") -> None:
        super().__init__()
        self._must_exist = must_exist
        self._holds = holds

    def _deserialize(self, value: object, *_: object, **__: object) -> Path:
        if not isinstance(value, str | Path) or not str(value):
            raise ValidationError("Not a path.")
        path = Path(value).expanduser()
        try:
            if self._must_exist and not path.is_file():
                raise ValidationError("There is no such file.")
            if self._holds:
                (path / self._holds).is_file()
        except OSError as error:
            raise ValidationError(f"It cannot be read: {error.strerror}.") from None
        return path


class Origins(fields.Field[tuple[str, ...]]):
    """Origins as browsers send them, separated by commas; ``*`` stands for all."""

    def _deserialize(self, value: object, *_: object, **__: object) -> tuple[str, ...]:
        if not isinstance(value, str):
            raise ValidationError("Not a list of texts.")
        parts = [part.strip() for part in value.split(",")]
        try:
            # Anything else equals no origin, and would keep everybody out.
            return tuple(parse_allowed(part) for part in parts if part)
        except ValueError as error:
            raise ValidationError(f"{error}.") from None


class HostNames(fields.Field[tuple[str, ...]]):
    """Host names separated by commas, without ports; ``*`` stands for all."""

    def _deserialize(self, value: object, *_: object, **__: object) -> tuple[str, ...]:
        if not isinstance(value, str):
            raise ValidationError("Not a list of texts.")
        names = tuple(part.strip().lower() for part in value.split(",") if part.strip())
        for name in names:
            if not re.fullmatch(r"\*|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", name):
                raise ValidationError(
                    f"{name!r} is no host name: chat.example.org, without scheme, port"
                    " and path."
                )
        return names


class UrlPath(fields.Field[str]):
    """The path part of an address, kept without a slash at its end."""

    def _deserialize(self, value: object, *_: object, **__: object) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not a path.")
        path = value.rstrip("/")
        # The characters that need no encoding (RFC 3986, 2.3), and no "." and "..".
        if not re.fullmatch(r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~-]+)*", path):
            raise ValidationError(
                f"{value!r} is no path: it begins with a slash and has letters, digits"
                " and . _ ~ - between slashes, as /chat or /apps/chat."
            )
        return path


class RedisUrl(fields.Field[str]):
    """The address of a Redis, of one of the schemes that the server knows."""

    def _deserialize(self, value: object, *_: object, **__: object) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not an address.")
        try:
            check_url(value)
        except ValueError as error:
            # Its text never repeats the address, which may hold a password.
            raise ValidationError(f"Not usable: {error}.") from None
        return value


class RatesText(fields.Field[str]):
    """Rates by name, ``name=per_second/burst, …``, or ``off``."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__()
        self._names = names

    def _deserialize(self, value: object, *_: object, **__: object) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not a list of rates.")
        try:
            parse_rates(value, self._names)
        except ValueError as error:
            raise ValidationError(f"Not usable: {error}.") from None
        return value


class Networks(fields.Field[str]):
    """Addresses and networks separated by commas, or ``none``."""

    def _deserialize(self, value: object, *_: object, **__: object) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not a list of networks.")
        try:
            parse_networks(value)
        except ValueError as error:
            raise ValidationError(f"Not usable: {error}.") from None
        return value


class WebhookSecret(fields.Field[str]):
    """A secret as Standard Webhooks has them, ``whsec_`` and base64."""

    def _deserialize(self, value: object, *_: object, **__: object) -> str:
        if not isinstance(value, str):
            raise ValidationError("Not a secret.")
        try:
            parse_secret(value)
        except ValueError as error:
            raise ValidationError(f"Not usable: {error}.") from None
        return value


class WorkerCount(fields.Field[int]):
    """A number of processes, or ``auto``: the cores that this process may use."""

    def _deserialize(self, value: object, *_: object, **__: object) -> int:
        text = str(value)
        count = available_cores() if text == "auto" else 0
        if text.isascii() and text.isdecimal():
            count = int(text)
        if not 1 <= count <= MOST_WORKERS:
            raise ValidationError(f"Must be 1 to {MOST_WORKERS}, or auto.")
        return count


def available_cores() -> int:
    """Return how many cores this process may use, :data:`MOST_WORKERS` at most."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return min(count, MOST_WORKERS)


def positive() -> fields.Float:
    """Return a parser of numbers above zero."""
    above_zero = validate.Range(
        min=0, min_inclusive=False, error="Must be greater than 0."
    )
    return fields.Float(validate=above_zero)
