"""Log lines of libraries have the same format as Treaty's."""

import json
import logging
import sys

import pytest

from treaty.app import build_library_formatter


@pytest.fixture
def record():
    try:
        int("no number")
    except ValueError:
        return logging.LogRecord(
            "uvicorn.error", logging.ERROR, __file__, 1, "Request %s failed\nwith\nlines", (7,), sys.exc_info()
        )


def test_a_line_of_a_library_is_json_if_the_log_is_json(record):
    (line,) = build_library_formatter("json").format(record).splitlines()
    logged = json.loads(line)
    assert (logged["event"], logged["level"], logged["logger"]) == (
        "Request 7 failed\nwith\nlines",
        "error",
        "uvicorn.error",
    )
    assert logged["exception"][0]["exc_value"].startswith("invalid literal")
    assert "timestamp" in logged


def test_a_line_of_a_library_begins_with_its_time_and_level_otherwise(record):
    text = build_library_formatter("default").format(record)
    assert "[error    ] Request 7 failed" in text
    assert "ValueError: invalid literal" in text
