"""What Redis keeps of rooms and users, each change one atomic script.

Promises that what is stored is published and what is published is stored. Knows the
Redis client, no sockets.
"""
