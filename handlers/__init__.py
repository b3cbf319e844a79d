"""What clients can reach: the ``/chat`` namespace and the HTTP routes."""
