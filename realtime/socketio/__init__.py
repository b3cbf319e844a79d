"""A Socket.IO v5 server: packets, namespaces, this node's rooms, emits to all nodes.

Promises python-socketio's API on this project's engine. Knows the engine and Redis,
no chat messages and no members.
"""
