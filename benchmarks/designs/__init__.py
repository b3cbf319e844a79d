"""The designs that a chat can have, on the same work: why this server is what it is.

``python -m benchmarks.designs`` runs all of them in turn; what came of it stands in
docs/decisions/0002-websocket-and-redis.md.
"""
