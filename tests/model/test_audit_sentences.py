"""Each event of the audit trail is a sentence, with the names of the things it concerns."""

from datetime import UTC, datetime

import pytest

from treaty.model.audit import Action, Actor, AuditEvent, first_event_id
from treaty.model.audit_sentences import ThingKind, describe_event


def event(type_, *, resource="prices", other=None, **details):
    at = first_event_id(datetime(2026, 1, 1, tzinfo=UTC))
    return AuditEvent(
        id=at, type=type_, actor=Actor(), resource=resource, other=other, details=details, status=None, count=1
    )


def sentence(*facts, **details):
    return "".join(part.text for part in describe_event(event(*facts, **details)))


@pytest.mark.parametrize("action", Action)
def test_every_action_has_a_sentence_whatever_details_it_lacks(action):
    text = sentence(action.value, other="web-shop")
    assert text[0].islower()
    assert not {"{", "[", "]", "  ", "something"} & {text, *text, *text.split(" ")}
    assert text != action.value.replace("_", " ")
    assert "None" not in sentence(action.value, resource=None)


@pytest.mark.parametrize(
    ("action", "details", "text"),
    [
        (
            Action.VERIFICATION_PUBLICATION,
            {
                "other": "web-shop",
                "params": {"version": "2.1.0", "consumer_version": "1.4", "sha": "abc", "number": 7},
                "after": {"success": False},
            },
            "published a failed result of prices 2.1.0 for web-shop 1.4",
        ),
        (
            Action.PACT_PUBLICATION,
            {"other": "stock", "params": {"version": "3"}, "after": {"sha": "abc", "branch": "main"}},
            "published the pact of prices 3 with stock from branch main",
        ),
        (
            Action.DEPLOYMENT,
            {"other": "production", "params": {"version": "3", "application_instance": "blue"}},
            "recorded the deployment of prices 3 to production as blue",
        ),
        (
            Action.DECISION,
            {"resource": "production", "params": {"decision": "u", "versions": ["shop (1)"], "deployable": False}},
            "recorded the answer no about shop (1) for production",
        ),
        (
            Action.PACTICIPANT_CHANGE,
            {"before": {"main_branch": None}, "after": {"main_branch": "main"}},
            "changed prices: main branch",
        ),
        ("a_later_action", {"other": "stock"}, "a later action prices stock"),
    ],
)
def test_a_sentence_has_the_details_of_the_event(action, details, text):
    assert sentence(str(action), **details) == text


def test_the_result_and_the_versions_are_links():
    params = {"version": "2.1.0", "consumer_version": "1.4", "sha": "abc", "number": 7}
    parts = describe_event(event("verification_publication", other="web-shop", params=params, after={"success": True}))
    assert [(part.text, part.kind, part.names) for part in parts if part.kind is not ThingKind.TEXT] == [
        ("successful result", ThingKind.RESULT, ("prices", "web-shop", "abc", "7")),
        ("prices", ThingKind.APPLICATION, ("prices",)),
        ("2.1.0", ThingKind.VERSION, ("prices", "2.1.0")),
        ("web-shop", ThingKind.APPLICATION, ("web-shop",)),
        ("1.4", ThingKind.PACT, ("web-shop", "1.4", "prices")),
    ]
