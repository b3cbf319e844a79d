"""Who a client is: from its token to an identity.

Verifies JSON Web Tokens against configured or fetched keys and promises that an
identity was proven. Knows no sockets, no rooms and no Redis.
"""
