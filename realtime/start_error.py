"""The error of a server that cannot start, meant for the operator's eyes."""


class StartError(Exception):
    """A reason not to start, in words that say what to change.

    The command line prints its text without a traceback: it stands for a wrong
    setting, a Redis that does not fit or a busy port, never for a defect.
    """
