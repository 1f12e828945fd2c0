"""`comparison-engine` shows which verdicts a newer engine would change, and accepts them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

FINDING = {"type": "error", "code": "response.body.incompatible", "message": "A message."}
CHANGE: dict[str, Any] = {
    "consumer": "Foo",
    "provider": "Bar",
    "profile": "strict",
    "isInUse": True,
    "before": {"engine": "1", "isCompatible": True},
    "after": {"engine": "2", "isCompatible": False},
    "newFindings": [FINDING],
    "resolvedFindings": [],
    "consumerVersions": [{"number": "1", "environments": ["production"], "isOnMainBranch": True}],
    "providerVersions": [
        {
            "number": "7",
            "environments": ["production"],
            "isOnMainBranch": False,
            "before": "success",
            "after": "failure",
        }
    ],
}
UNUSED = {**CHANGE, "consumer": "Old", "isInUse": False, "newFindings": [], "consumerVersions": []}
FIRST = "GET /provider-contracts/engine?page=1&size=50"


def report(status: str, *changes: Any, **links: Any) -> dict[str, Any]:
    body = {"engine": "2", "status": status, "summary": "A summary."}
    return {**body, "_embedded": {"changes": [*changes]}, "_links": links}


def test_the_changes_are_shown_with_the_versions_in_use(run: Run, broker: OtherBroker) -> None:
    following = {"href": f"{broker.url}/provider-contracts/engine?page=2"}
    broker.answer(FIRST, report("waiting", CHANGE, next=following))
    broker.answer("GET /provider-contracts/engine?page=2", report("waiting", UNUSED))
    result = run("comparison-engine")
    assert result.exit_code == 1
    assert result.stdout == (
        "A summary.\n\n"
        "Foo and Bar: compatible → not compatible (profile strict)\n"
        "  Foo 1 (production, main branch)\n"
        "  Bar 7 (production): success → failure\n"
        "  new: error response.body.incompatible: A message.\n\n"
        "Old and Bar: compatible → not compatible (profile strict, not in use)\n"
        "  Bar 7 (production): success → failure\n\n"
        "To let the new results decide: treaty comparison-engine --accept 2\n"
    )
    body = json.loads(run("comparison-engine", "-o", "json").stdout)
    assert [change["consumer"] for change in body["changes"]] == ["Foo", "Old"]


@pytest.mark.parametrize(
    ("status", "exit_code"), [("current", 0), ("recomputing", 1), ("waiting", 1), ("switching", 0)]
)
def test_the_exit_code_is_1_while_comparisons_wait(run: Run, broker: OtherBroker, status: str, exit_code: int) -> None:
    broker.answer(FIRST, report(status))
    assert run("comparison-engine").exit_code == exit_code


def test_the_results_of_an_engine_are_accepted(run: Run, broker: OtherBroker) -> None:
    broker.answer("POST /provider-contracts/engine/accepted", report("current"))
    broker.answer(FIRST, report("current"))
    assert run("comparison-engine", "--accept", "2").stdout == "A summary.\n"
    assert json.loads(next(request.body for request in broker.requests if request.method == "POST")) == {"engine": "2"}


@pytest.mark.usefixtures("broker")
def test_a_broker_without_the_report_is_named(run: Run) -> None:
    result = run("comparison-engine")
    assert "Only brokers of Treaty have one; upgrade it." in result.stderr
