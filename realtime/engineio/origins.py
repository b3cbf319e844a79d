"""Which web pages may connect (``Origin`` header), and the CORS headers they get."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from realtime.engineio.options import Origins


class OriginPolicy:
    """Origins as python-engineio's ``cors_allowed_origins`` states them.

    Args:
        allowed: None for the server's own origin only; ``*`` for all; an origin or
            several; a callable of the origin (and the environment); ``[]`` for no
            checks and no headers at all.
        credentials: Whether browsers may send cookies from those origins.
    """

    def __init__(self, allowed: Origins, *, credentials: bool) -> None:
        self._allowed = allowed
        self._credentials = credentials
        self._off = not callable(allowed) and allowed is not None and len(allowed) == 0

    def admits(self, environ: Mapping[str, Any]) -> bool:
        """Return whether a request may go on; one without an origin always may."""
        origin = environ.get("HTTP_ORIGIN")
        if self._off or not origin:
            return True
        return self._is_allowed(origin, environ)

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
        allowed = self._allowed
        if allowed is None:
            return origin in _own_origins(environ)
        if callable(allowed):
            return _ask(allowed, origin, environ)
        if isinstance(allowed, str):
            return allowed in ("*", origin)
        return _is_listed(origin, allowed)


def _is_listed(origin: str, allowed: Collection[str]) -> bool:
    return "*" in allowed or origin in allowed


def _ask(allowed: Callable[..., bool], origin: str, environ: Mapping[str, Any]) -> bool:
    try:
        return bool(allowed(origin, environ))
    except TypeError:
        return bool(allowed(origin))


def _own_origins(environ: Mapping[str, Any]) -> list[str]:
    """Return the origins that this server is seen under, also behind a proxy."""
    host = environ.get("HTTP_HOST")
    if host is None:
        return []
    scheme = environ.get("wsgi.url_scheme", "http")
    origins = [f"{scheme}://{host}"]
    if "HTTP_X_FORWARDED_PROTO" in environ or "HTTP_X_FORWARDED_HOST" in environ:
        first_scheme = environ.get("HTTP_X_FORWARDED_PROTO", scheme).split(",")[0]
        first_host = environ.get("HTTP_X_FORWARDED_HOST", host).split(",")[0]
        origins.append(f"{first_scheme.strip()}://{first_host.strip()}")
    return origins
