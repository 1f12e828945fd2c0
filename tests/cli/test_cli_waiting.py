"""`wait` with brokers that have no event log, or are not available."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

FOR = ("wait", "--for", "contract_published")


def test_a_broker_without_an_event_log_is_named(run: Run) -> None:
    result = run(*FOR)
    assert result.exit_code == 2
    assert "This broker has no event log. Only Treaty brokers do." in result.output
    assert "use a webhook" in result.output


def test_the_wait_ends_with_the_error_of_a_broker_that_stays_unavailable(
    run: Run, broker: OtherBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("treaty.cli.waiting.INITIAL_DELAY_SECONDS", 0.01)
    broker.answer_all("/events", {"cursor": "a", "_embedded": {"events": []}, "_links": {}})
    for seconds in (0, 1):
        path = f"/events?name[]=contract_published&limit=1&wait={seconds}&after=a"
        broker.answer(f"GET {path}", {"error": "restarting"}, status=503)
    result = run(*FOR, "--timeout", "0.2")
    assert result.exit_code == 2
    assert result.stderr.count("Waiting until the broker is available again.") == 1
    assert "restarting" in result.output
