"""Proof by trial: clients record histories, faults strike, a checker compares.

``chatroom verify`` runs it; ``docs/reliability.md`` says what it proves.
"""
