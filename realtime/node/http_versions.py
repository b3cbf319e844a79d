"""Keeps aiohttp's and Python's versions out of answers: strangers need not know them.

The private name of aiohttp in use is ``_prepare_hook`` of its request: the signal
``on_response_prepare`` is not sent for what is no HTTP.
"""

from typing import Any

from aiohttp import hdrs, web


class QuietRequest(web.Request):
    """A request whose answer does not say what the server is made of."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        await super()._prepare_hook(response)
        response.headers.popall(hdrs.SERVER, None)


def hide_versions(server: web.Server) -> None:
    """Leave the header ``Server`` out of all answers from now on."""
    make: Any = server.request_factory

    def make_quiet(*parts: Any) -> web.BaseRequest:
        # The last parameter of an application's factory is the class.
        request: web.BaseRequest = make(*parts, QuietRequest)
        return request

    server.request_factory = make_quiet
