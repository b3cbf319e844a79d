"""What clients can reach: the ``/chat`` namespace and the HTTP routes.

Promises that each request is checked against the catalogue and the access gate before
anything is done, and answered once. Knows the services and no settings.
"""

import socketio

from handlers.chat import ChatNamespace
from realtime.services import Services


def register(server: socketio.AsyncServer, services: Services) -> ChatNamespace:
    """Answer the events of ``/chat`` on a Socket.IO server.

    Args:
        server: The server; its manager must be the one that the services publish by.
        services: The parts that carry the requests out.
    """
    namespace = ChatNamespace(services)
    server.register_namespace(namespace)
    return namespace
