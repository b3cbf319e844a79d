"""The WSGI environment of a session's handshake, for python-socketio's handlers."""

import json
import sys
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from aiohttp import web

# As python-engineio's driver, the same for every request.
_CONSTANTS: dict[str, Any] = {
    "wsgi.version": (1, 0),
    "wsgi.async": True,
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "SERVER_SOFTWARE": "aiohttp",
    "SERVER_NAME": "aiohttp",
    "SERVER_PORT": "0",
    "SCRIPT_NAME": "",
}
# Headers that CGI names without the prefix.
_PLAIN_HEADERS = {"CONTENT-TYPE": "CONTENT_TYPE", "CONTENT-LENGTH": "CONTENT_LENGTH"}


class Environ(MutableMapping[str, Any]):
    """A WSGI environment that takes little memory while it is not read.

    A session keeps its environment as long as it lives. :meth:`pack` turns it into one
    string and drops the request; the next access unpacks it again. After packing,
    ``aiohttp.request``, ``wsgi.input`` and other values that are no text are gone.
    """

    __slots__ = ("_packed", "_values")

    def __init__(self, values: dict[str, Any]) -> None:
        self._values: dict[str, Any] | None = values
        self._packed: bytes | None = None

    def pack(self) -> None:
        """Keep only the values that are text, in one string."""
        if self._values is None:
            return
        texts = {
            name: value
            for name, value in self._values.items()
            if isinstance(value, str) and _CONSTANTS.get(name) != value
        }
        self._packed = json.dumps(texts, separators=(",", ":")).encode()
        self._values = None

    def _unpacked(self) -> dict[str, Any]:
        if self._values is None:
            self._values = {**_CONSTANTS, **json.loads(self._packed or b"{}")}
            self._packed = None
        return self._values

    def __getitem__(self, name: str) -> Any:
        return self._unpacked()[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._unpacked()[name] = value

    def __delitem__(self, name: str) -> None:
        del self._unpacked()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._unpacked())

    def __len__(self) -> int:
        return len(self._unpacked())


def read_environ(request: web.Request, trusts: Callable[[str], bool]) -> Environ:
    """Return the environment of a request, with python-engineio's names.

    ``REMOTE_ADDR`` is the peer's address as aiohttp knows it; python-engineio's driver
    says 127.0.0.1 of everybody.

    Args:
        request: From a client.
        trusts: Whether the proxy with an address is believed what scheme it saw.
    """
    version = request.version
    values: dict[str, Any] = {
        **_CONSTANTS,
        "wsgi.input": request.content,
        "wsgi.errors": sys.stderr,
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string or "",
        "RAW_URI": request.path_qs,
        "PATH_INFO": request.path,
        "SERVER_PROTOCOL": f"HTTP/{version.major}.{version.minor}",
        "REMOTE_ADDR": request.remote or "",
        "REMOTE_PORT": _remote_port(request),
        "aiohttp.request": request,
    }
    for name, value in request.headers.items():
        upper = name.upper()
        key = _PLAIN_HEADERS.get(upper) or "HTTP_" + upper.replace("-", "_")
        values[key] = f"{values[key]},{value}" if key in values else value
    values["wsgi.url_scheme"] = request.scheme
    said = values.get("HTTP_X_FORWARDED_PROTO")
    if said and trusts(values["REMOTE_ADDR"]):
        values["wsgi.url_scheme"] = said
    return Environ(values)


def _remote_port(request: web.Request) -> str:
    peer = request.get_extra_info("peername")
    return str(peer[1]) if isinstance(peer, tuple) and len(peer) > 1 else "0"
