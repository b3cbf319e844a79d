"""What a test's log may hold."""

import logging

import pytest


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    """Fail if the log holds an error or a traceback, of whatever phase of the test.

    In a fixture's teardown ``caplog.records`` would be those of the teardown alone.
    """
    bad = [
        f"{each.name}: {each.getMessage()} {each.exc_info or ''}"
        for phase in ("setup", "call", "teardown")
        for each in caplog.get_records(phase)
        if each.exc_info or each.levelno >= logging.ERROR
    ]
    assert not bad, bad
