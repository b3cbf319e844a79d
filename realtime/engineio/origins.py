"""Which web pages may connect (``Origin`` header), and the CORS headers they get."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from realtime.engineio.options import Origins
from realtime.engineio.origin_names import PROTOCOLS, OriginSet, normalise

SHOWN_CHARACTERS: Final = 200
"""Of an origin or a host that a client sent."""

_logger = logging.getLogger(__name__)


class OriginPolicy:
    """Origins as python-engineio's ``cors_allowed_origins`` states them.

    Beyond it ``https://*.example.org`` stands for all names below one.

    Args:
        allowed: None for the server's own origin only; ``*`` for all; an origin or
            several; a callable of the origin (and the environment); ``[]`` for no
            checks and no headers at all.
        credentials: Whether browsers may send cookies from those origins.
        trusts: Whether the peer with an address is a proxy whose ``X-Forwarded-Proto``
            and ``X-Forwarded-Host`` are believed.
    """

    def __init__(
        self,
        allowed: Origins,
        *,
        credentials: bool,
        trusts: Callable[[str], bool] = lambda _peer: False,
    ) -> None:
        self._allowed = allowed
        self._credentials = credentials
        self._trusts = trusts
        self._off = not callable(allowed) and allowed is not None and len(allowed) == 0
        self._listed: OriginSet | None = None
        if allowed is not None and not callable(allowed):
            self._listed = OriginSet([allowed] if isinstance(allowed, str) else allowed)

    def admits(self, environ: Mapping[str, Any]) -> bool:
        """Return whether a request may go on; one without an origin always may."""
        origin = environ.get("HTTP_ORIGIN")
        return self._off or not origin or self._is_allowed(origin, environ)

    def refusal(self, environ: Mapping[str, Any]) -> str:
        """Return why a request may not go on, which is logged; empty: it may."""
        if self.admits(environ):
            return ""
        shown = environ["HTTP_ORIGIN"][:SHOWN_CHARACTERS]
        if self._allowed is not None:
            why = f"Origin {shown} is not one of the allowed ones"
        else:
            own = " or ".join(self._own_origins(environ)) or "without a Host header"
            why = f"Origin {shown} is not this server's own, {own[:SHOWN_CHARACTERS]}"
        _logger.warning("%s is refused.%s", ascii(why)[1:-1], self._hint(environ))
        return why

    def headers(self, environ: Mapping[str, Any]) -> dict[str, str]:
        """Return the headers that let a browser read the answer."""
        if self._off:
            return {}
        headers = {}
        origin = environ.get("HTTP_ORIGIN")
        if origin and self._is_allowed(origin, environ):
            headers["Access-Control-Allow-Origin"] = origin
            # The answer depends on who asked: caches must not mix them up.
            headers["Vary"] = "Origin"
        if environ.get("REQUEST_METHOD") == "OPTIONS":
            headers["Access-Control-Allow-Methods"] = "OPTIONS, GET, POST"
        wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS")
        if wanted:
            headers["Access-Control-Allow-Headers"] = wanted
        if self._credentials:
            headers["Access-Control-Allow-Credentials"] = "true"
        return headers

    def _is_allowed(self, origin: str, environ: Mapping[str, Any]) -> bool:
        if callable(self._allowed):
            return _ask(self._allowed, origin, environ)
        if self._listed is not None:
            return origin in self._listed
        return origin in self._own_origins(environ)

    def _own_origins(self, environ: Mapping[str, Any]) -> list[str]:
        """Return the origins that this server is seen under, also behind a proxy."""
        found = (normalise(each) for each in self._seen_as(environ))
        return list(dict.fromkeys(each for each in found if each))

    def _seen_as(self, environ: Mapping[str, Any]) -> Iterator[str]:
        host = environ.get("HTTP_HOST")
        if host is None:
            return
        scheme = environ["wsgi.url_scheme"]
        yield f"{scheme}://{host}"
        if not self._trusts(environ.get("REMOTE_ADDR", "")):
            return
        # The first of several is what the browser reached.
        said = (_first(environ, "HTTP_X_FORWARDED_PROTO") or scheme).lower()
        scheme = PROTOCOLS.get(said, said)
        hosts = {host, _first(environ, "HTTP_X_FORWARDED_HOST") or host}
        port = _first(environ, "HTTP_X_FORWARDED_PORT")
        for each in hosts:
            yield f"{scheme}://{each}"
            if port and ":" not in each.rpartition("]")[2]:
                yield f"{scheme}://{each}:{port}"

    def _hint(self, environ: Mapping[str, Any]) -> str:
        """Return what to do about a refused origin that may be meant to connect."""
        peer = environ.get("REMOTE_ADDR", "")
        forwarded = any(name in environ for name in _FORWARDED)
        if self._allowed is None and forwarded and not self._trusts(peer):
            return (
                f" X-Forwarded-Proto and X-Forwarded-Host of {peer} are not believed:"
                " if it is your proxy, name it in CHATROOM_TRUSTED_PROXIES."
            )
        return (
            " If it is a page of yours, name it in CHATROOM_ALLOWED_ORIGINS; a proxy"
            " must pass on Host and X-Forwarded-Proto."
        )


_FORWARDED: Final = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")


def _first(environ: Mapping[str, Any], name: str) -> str:
    value: str = environ.get(name, "")
    return value.partition(",")[0].strip()


def _ask(allowed: Callable[..., bool], origin: str, environ: Mapping[str, Any]) -> bool:
    try:
        return bool(allowed(origin, environ))
    except TypeError:
        return bool(allowed(origin))
