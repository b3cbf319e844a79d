"""Redis and Valkey Cluster: the same calls and subscriptions, over a link a shard.

Promises that the calls of a slot are carried out in the order in which they were made,
over redirects, failovers and slots that move. Knows no chat.
"""
