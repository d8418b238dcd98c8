"""What the tests of weights share."""

import logging

import pytest


@pytest.fixture
def line(caplog):
    """The one line of the report, made anew for each use."""
    caplog.set_level(logging.INFO)

    def last() -> str:
        (message,) = caplog.messages
        caplog.clear()
        return message

    return last
