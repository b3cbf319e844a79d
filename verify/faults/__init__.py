"""What can go wrong, when it does, and what a failover may cost."""
