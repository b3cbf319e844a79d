"""Several processes on one port: a supervisor, and workers that each are a node.

Promises that clients see one server: whichever worker a connection reaches, it is
handed to the one whose session it names, between two requests. The supervisor starts
workers, starts those again that died, and replaces them one by one when told to.
"""
