"""Side by side with the peers: what a delivery, a session and a join cost."""
