"""Floods: what users and strangers who attack a node cost the others."""
