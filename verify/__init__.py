"""Proof by trial: clients write histories, faults strike, a checker compares.

A program beside the server: ``chatroom verify`` runs it, ``docs/reliability.md`` says
what it proves. It may know all of the server, of which only the command knows of it.
``client``, ``faults``, ``checker`` and ``harness`` say what they are for.
"""
