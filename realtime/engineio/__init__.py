"""An Engine.IO v4 server on aiohttp: polling, WebSocket and the upgrade.

``server.EngineServer`` is the way in. ``protocol``, ``frames``, ``frame_parser`` and
``timers`` know no I/O.
"""
