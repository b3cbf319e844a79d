"""Proof by trial: clients write histories, faults strike, a checker compares.

A program beside the server: ``chatroom verify`` runs it, ``docs/reliability.md`` says
what it proves. It may use all of the server; of the server only the command line knows
of it. ``client``, ``faults``, ``checker`` and ``harness`` say what they are for.
"""
