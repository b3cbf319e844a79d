"""The chatroom server: a package for each duty, and modules that all of them may use.

Nothing is imported here: ``handlers`` stands between ``node`` and ``rooms``.
"""

__version__ = "0.1.0"
