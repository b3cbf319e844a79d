"""An Engine.IO v4 server on aiohttp: polling, WebSocket and the upgrade.

Promises packets in order, once, and an end of each session with its reason, whatever a
client sends or leaves unread. ``server.EngineServer`` is the way in. ``protocol``,
``frames``, ``frame_parser`` and ``timers`` know no I/O; nothing here knows Socket.IO.
"""
