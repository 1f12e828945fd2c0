"""The soak, for some seconds; and that it would notice what it looks for."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.receiver import Arrival
from bench.soak_checks import Sample, growth, unexplained, untaken
from bench.soak_clients import PUBLISHED, Delivery
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
OWED = Delivery(PUBLISHED, "Till", "1")


@pytest.mark.slow  # the checks have tests of their own below
def test_a_short_soak_finds_that_all_is_well():
    command = [sys.executable, "-m", "bench.soak", "--minutes", "0.2", "--clients", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10 * PATIENCE, check=False)
    # In its first seconds a server's caches still fill, so that it grows is no surprise.
    problems = [line for line in done.stdout.splitlines() if line.startswith("PROBLEM") and "memory" not in line]
    assert problems == [], done.stdout + done.stderr
    assert ", 0 failed;" in done.stdout, done.stderr
    assert "0 taken" not in done.stdout.splitlines()[-2]


def _samples(**grown: int) -> list[Sample]:
    usual = {"memory": 100, "files": 20, "connections": 10}
    late = {**usual, **grown}
    return [
        Sample(seconds=second, **{name: late[name] if second >= 80 else usual[name] for name in usual})
        for second in range(100)
    ]


@pytest.mark.parametrize(
    ("grown", "reports"),
    [
        ({}, []),
        ({"memory": 109, "files": 25, "connections": 16}, []),
        ({"memory": 120}, ["memory has grown from 100 to 120 MiB"]),
        ({"files": 40}, ["open files have grown from 20 to 40"]),
        ({"connections": 30}, ["open connections have grown from 10 to 30"]),
    ],
)
def test_growth_is_noticed(grown, reports):
    assert list(growth(_samples(**grown), 100)) == reports


def test_too_few_samples_are_no_proof():
    assert list(growth([], 100)) == ["there are too few samples to compare"]


def test_a_delivery_that_was_refused_is_not_taken():
    body = str(OWED)
    assert untaken([OWED], [Arrival(1.0, body, is_taken=False)]) == [OWED]
    assert untaken([OWED], [Arrival(1.0, body, is_taken=False), Arrival(2.0, body, is_taken=True)]) == []


def _server(*hooks: dict[str, Any], logs: str = "HTTP/1.1 503 Service Unavailable") -> Callable[..., Any]:
    def ask(_path: str, /, *, accept: str) -> Any:
        return logs if accept == "text/plain" else {"_embedded": {"triggeredWebhooks": list(hooks)}}

    return ask


def _hook(status: str) -> dict[str, Any]:
    return {"eventName": PUBLISHED, "status": status, "_links": {"pb:logs": {"href": "/logs"}}}


@pytest.mark.parametrize(
    ("server", "reports"),
    [
        (_server(_hook("retrying")), []),
        (_server(), [f"{OWED}: nothing is known of it"]),
        (_server(_hook("success")), [f"{OWED}: is success, but it was not taken"]),
        (_server(_hook("retrying"), logs=""), [f"{OWED}: is retrying, but it was not taken"]),
    ],
)
def test_a_delivery_that_neither_arrived_nor_waits_with_its_reason_is_noticed(server, reports):
    assert list(unexplained([OWED], {OWED: "/pact"}, server)) == reports
