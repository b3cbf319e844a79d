"""Pure: the texts of origins, in the one form that browsers send (RFC 6454)."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final

ANY: Final = "*"

PROTOCOLS: Final[Mapping[str, str]] = {"ws": "http", "wss": "https"}
"""What proxies say of a WebSocket's request, and the scheme of the page behind it."""

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_ORIGIN: Final = re.compile(
    r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]\\]+)(?::([0-9]{1,5}))?"
)
_WILD: Final = "*."
_LABELS: Final = re.compile(r"[^*,;]+")


def normalise(text: str) -> str | None:
    """Return an origin in small letters, without its scheme's own port.

    Names beyond ASCII are encoded (IDNA). None: it is no origin.
    """
    found = _ORIGIN.fullmatch(text.lower())
    if found is None:
        return None
    scheme, host, port = found.groups()
    if port is not None and not 0 < int(port) <= 65_535:
        return None
    try:
        if host.startswith("["):
            host = f"[{ipaddress.IPv6Address(host[1:-1])}]"
        elif not host.isascii():
            host = host.encode("idna").decode()
    except ValueError:
        return None
    if port is None or int(port) == DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}"


def parse_allowed(text: str) -> str:
    """Return an entry of a list of origins as it is compared.

    Raises:
        ValueError: It cannot match what a browser sends; the text says why.
    """
    if text in (ANY, "null"):
        return text
    scheme, _, rest = text.partition("://")
    found = normalise(f"{scheme}://{rest.removeprefix(_WILD)}")
    if found is None or not _LABELS.fullmatch(found):
        raise ValueError(
            f"{text!r} is no origin: scheme://host or scheme://host:port, without a"
            " slash at the end; https://*.example.org for all names below one"
        )
    if scheme.lower() in PROTOCOLS:
        right = PROTOCOLS[scheme.lower()]
        raise ValueError(
            f"{text!r} matches nothing: the origin of a page begins with {right}://"
        )
    if not rest.startswith(_WILD):
        return found
    scheme, _, rest = found.partition("://")
    if rest.startswith("[") or rest.partition(":")[0].replace(".", "").isdigit():
        raise ValueError(f"{text!r} matches nothing: addresses have no names below")
    return f"{scheme}://{_WILD}{rest}"


class OriginSet:
    """Origins, and patterns of them.

    Args:
        entries: As for :func:`parse_allowed`; others match the very same text.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._exact: set[str] = set()
        self._below: list[tuple[str, str]] = []
        self._has_all = False
        for entry in entries:
            try:
                parsed = parse_allowed(entry)
            except ValueError:
                parsed = entry
            scheme, _, rest = parsed.partition("://")
            if parsed == ANY:
                self._has_all = True
            elif rest.startswith(_WILD):
                self._below.append((f"{scheme}://", rest[1:]))
            else:
                self._exact.add(parsed)

    def __contains__(self, origin: str) -> bool:
        """Return whether an origin, as a browser sent it, is one of them."""
        if self._has_all or origin in self._exact:
            return True
        # Browsers send the one form: anything else is not from one.
        return normalise(origin) == origin and any(
            origin.startswith(scheme)
            and origin.endswith(end)
            and len(origin) > len(scheme) + len(end)
            for scheme, end in self._below
        )
