"""A room on this node: its feed, who enters and leaves, what was missed.

Promises that a session that enters a room gets every event from its position on, once
and in order. Knows the stores and Socket.IO rooms, no handlers.
"""
