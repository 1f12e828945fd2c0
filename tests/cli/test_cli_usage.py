"""`who-uses` shows consumers as text and JSON, and never treats an incomplete index as a no."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

VERSIONS = [
    {"number": "1", "environments": ["production"], "isOnMainBranch": False, "isLatest": False},
    {"number": "2", "environments": [], "isOnMainBranch": True, "isLatest": True},
]
EXPECTATIONS = [
    {"place": "description", "name": "an order"},
    {"place": "response.body", "name": "/price", "strictness": "type", "meaning": "any value of this type"},
]
INTERACTION = {
    "kind": "HTTP",
    "description": "an order",
    "operation": "GET /orders/{id}",
    "expectations": EXPECTATIONS,
}
CONSUMER = {"name": "Foo", "versions": VERSIONS, "interactionCount": 3, "interactions": [INTERACTION]}


def usage(verdict: str, *consumers: Any, **links: Any) -> dict[str, Any]:
    return {"verdict": verdict, "summary": "A summary.", "_embedded": {"consumers": [*consumers]}, "_links": links}


def test_consumers_are_shown_with_versions_and_expectations(run: Run, broker: OtherBroker) -> None:
    following = {"href": f"{broker.url}/usage?page=2"}
    pages = [usage("used", CONSUMER, next=following), usage("used", {**CONSUMER, "name": "Bar", "interactions": []})]
    broker.answer("GET /usage?provider=P&field=price&size=50", pages[0])
    broker.answer("GET /usage?page=2", pages[1])
    assert run("who-uses", "--provider", "P", "--field", "price").stdout == (
        "A summary.\n\n"
        "Foo\n"
        "  1 (production), 2 (main branch, latest)\n"
        "  GET /orders/{id}: an order\n"
        "    response body /price: any value of this type\n"
        "  … and 2 more interactions\n\n"
        "Bar\n"
        "  1 (production), 2 (main branch, latest)\n"
        "  … and 3 more interactions\n"
    )
    body = json.loads(run("who-uses", "--provider", "P", "--field", "price", "-o", "json").stdout)
    assert [consumer["name"] for consumer in body["consumers"]] == ["Foo", "Bar"]
    assert body["verdict"] == "used"


@pytest.mark.parametrize(("verdict", "exit_code"), [("used", 0), ("unused", 0), ("unknown", 1)])
def test_the_exit_code_is_1_only_for_an_unknown_answer(
    run: Run, broker: OtherBroker, verdict: str, exit_code: int
) -> None:
    broker.answer("GET /usage?provider=P&pointer=%2Fa&part=response&size=50", usage(verdict))
    result = run("who-uses", "--provider", "P", "--pointer", "/a", "--part", "response")
    assert (result.exit_code, result.stdout) == (exit_code, "A summary.\n")


def test_a_query_without_criteria_is_refused(run: Run) -> None:
    result = run("who-uses", "--provider", "P", "--part", "response")
    assert result.exit_code == 1
    assert "at least one of --operation, --pointer, --field, --state and --text" in result.output


def test_a_broker_without_a_usage_index_is_reported(run: Run, broker: OtherBroker) -> None:
    broker.answer("GET /usage?provider=P&field=a&size=50", "", status=404)
    broker.answer("GET /pacticipants/P", {"name": "P"})
    result = run("who-uses", "--provider", "P", "--field", "a")
    assert result.exit_code == 1
    assert "has no usage index" in result.output


def test_names_in_documents_are_shown(run: Run, broker: OtherBroker) -> None:
    documented = [{"place": "operation", "name": "GET /prices"}]
    broker.answer("GET /usage?provider=P&text=price&size=50", {**usage("unused"), "documented": documented})
    result = run("who-uses", "--provider", "P", "--text", "price")
    assert result.stdout == "A summary.\n  In the provider's document: operation GET /prices\n"
