"""Uploaded images: recognised, proven by decoding, stored by content, served signed.

Promises that what it stores is an image that browsers show, and that a hostile file
harms one worker process only. Knows no sockets, no rooms and no Redis.
"""
