"""The HTTP API: the catalogue's requests by routes, for backends and for users.

It promises that a route does what the request over a socket does, by the same rules,
and that each answer that is none is a problem of RFC 9457. It may know the namespace's
requests, the authenticator and aiohttp; no store.
"""

from handlers.api.routing import api_routes

__all__ = ("api_routes",)
