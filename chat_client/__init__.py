"""``chatroom chat``: a client for the command line, to try a server out.

It is no part of the server and knows nothing of it but the protocol.
"""
