"""Who is here: this node's sessions, the rooms' session lists, the nodes' leases.

Promises that a session that ended, or whose node died, leaves every list. Knows the
stores, no sockets.
"""
