"""The process: its settings, parts, tasks, HTTP routes, logs, metrics and end.

``wiring`` is the one composition root. Everything may be known here; nothing below
knows this package.
"""
