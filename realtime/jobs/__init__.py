"""Work that takes minutes: what there is of a user is exported, or erased.

Promises that a job ends, whatever dies meanwhile, and is done once. Knows the stores,
and what rooms are told; no handlers.
"""
