"""The wire protocol as schemas: every event, ack and broadcast.

Start at :mod:`schemas.catalog`. This package imports marshmallow and the standard
library only.
"""
