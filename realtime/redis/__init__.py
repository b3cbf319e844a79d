"""A Redis client for an asyncio server: pipelined, resent after a cut, never silent.

Promises that a call ends within its deadline, and that an error says whether the
command may have been carried out. Knows no chat.
"""
