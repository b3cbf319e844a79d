"""What the server calls by itself: signed, and only where it may.

The before-send hook and the webhooks are two users of it; both are the application's.
"""
