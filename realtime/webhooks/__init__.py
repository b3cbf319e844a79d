"""Tells applications what happens: at least once, in the order of each room."""
