"""A soak test of some seconds, and its checks, which find growth and lost deliveries."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.receiver import Arrival
from bench.soak_checks import Sample, find_growth, find_lost, find_unacknowledged
from bench.soak_clients import PUBLISHED, Delivery
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
EXPECTED = Delivery(PUBLISHED, "Till", "1")


@pytest.mark.slow  # the checks have tests of their own below
def test_a_short_soak_finds_no_problems():
    command = [sys.executable, "-m", "bench.soak", "--minutes", "0.2", "--clients", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10 * PATIENCE, check=False)
    # Caches fill in the first seconds, so that growing memory is expected.
    problems = [line for line in done.stdout.splitlines() if line.startswith("PROBLEM") and "memory" not in line]
    assert problems == [], done.stdout + done.stderr
    assert ", 0 failed;" in done.stdout, done.stderr
    assert " 0 acknowledged" not in done.stdout.splitlines()[-2]


def _samples(**changes: int) -> list[Sample]:
    usual = {"memory": 100, "files": 20, "connections": 10}
    late = {**usual, **changes}
    return [
        Sample(seconds=second, **{name: late[name] if second >= 80 else usual[name] for name in usual})
        for second in range(100)
    ]


@pytest.mark.parametrize(
    ("changes", "reports"),
    [
        ({}, []),
        ({"memory": 109, "files": 25, "connections": 16}, []),
        ({"memory": 120}, ["memory has grown from 100 to 120 MiB"]),
        ({"files": 40}, ["open files have grown from 20 to 40"]),
        ({"connections": 30}, ["open connections have grown from 10 to 30"]),
    ],
)
def test_growth_is_found(changes, reports):
    assert list(find_growth(_samples(**changes), 100)) == reports


def test_too_few_samples_are_a_problem():
    assert list(find_growth([], 100)) == ["there are too few samples to compare"]


def test_a_rejected_delivery_is_unacknowledged_until_a_retry():
    body = str(EXPECTED)
    assert find_unacknowledged([EXPECTED], [Arrival(1.0, body, is_acknowledged=False)]) == [EXPECTED]
    assert (
        find_unacknowledged(
            [EXPECTED], [Arrival(1.0, body, is_acknowledged=False), Arrival(2.0, body, is_acknowledged=True)]
        )
        == []
    )


def _server(*webhooks: dict[str, Any], logs: str = "HTTP/1.1 503 Service Unavailable") -> Callable[..., Any]:
    def fetch(_path: str, /, *, accept: str) -> Any:
        return logs if accept == "text/plain" else {"_embedded": {"triggeredWebhooks": list(webhooks)}}

    return fetch


def _webhook(status: str) -> dict[str, Any]:
    return {"eventName": PUBLISHED, "status": status, "_links": {"pb:logs": {"href": "/logs"}}}


@pytest.mark.parametrize(
    ("server", "reports"),
    [
        (_server(_webhook("retrying")), []),
        (_server(), [f"{EXPECTED}: the server has no such delivery"]),
        (
            _server(_webhook("success")),
            [f"{EXPECTED}: the status is success, but the receiver has not acknowledged it"],
        ),
        (
            _server(_webhook("retrying"), logs=""),
            [f"{EXPECTED}: the status is retrying, but the receiver has not acknowledged it"],
        ),
    ],
)
def test_an_unacknowledged_delivery_is_lost_unless_it_is_retried_with_a_reason_in_its_log(server, reports):
    assert list(find_lost([EXPECTED], {EXPECTED: "/pact"}, server)) == reports
