"""The clients of a run: they chat through every outage and write all of it down.

Promises a history that hides nothing: what the server hands over is what is written
down, and nothing is repaired. Knows the protocol as users of it do, and no faults.
"""
