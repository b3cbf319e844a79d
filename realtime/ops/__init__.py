"""Commands for whoever runs the server: they look at it, and serve nobody.

A command reads the settings of the nodes and asks Redis what they would ask, or asks a
server as its clients do.
"""
