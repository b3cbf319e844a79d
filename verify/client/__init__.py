"""The clients of a run: they chat through every outage and write all of it down.

Nothing is repaired here: what the server hands over is what is shown.
"""
