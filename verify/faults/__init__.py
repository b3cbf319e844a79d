"""What can go wrong, when it does, and what a failover may cost.

Promises that a seed strikes the same faults at the same times, and that each fault has
ended when the run has. Knows the processes and proxies of a run, and no clients.
"""
