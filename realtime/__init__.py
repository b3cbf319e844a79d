"""The chatroom server.

This package imports nothing of its own here: ``handlers`` sits between
``realtime.node.app`` above it and the stores below it, and an import at this place
would close that circle.
"""

__version__ = "0.1.0"
