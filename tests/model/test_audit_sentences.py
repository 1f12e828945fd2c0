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
            "recorded the answer no about shop 1 for production",
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


UUID = "32f43772-403e-485e-8d87-06604182b07f"


@pytest.mark.parametrize("action", [action for action in Action if action.startswith("webhook")])
def test_sentences_name_webhooks_by_their_titles_and_never_show_a_uuid(action):
    failed = event(action, resource=UUID, params={"delivery": UUID}, before={"description": "Start the build"})
    for titles in ({}, {UUID: "Start the build"}):
        text = "".join(part.text for part in describe_event(failed, titles))
        assert UUID not in text
        assert ("Start the build" in text) != (action is Action.WEBHOOK_REDELIVERY)


def test_the_webhook_and_its_delivery_are_links():
    parts = describe_event(event("webhook_failing", resource=UUID, params={"delivery": "d"}), {UUID: "Start the build"})
    assert [(part.text, part.names) for part in parts if part.names] == [
        ("Start the build", (UUID,)),
        ("a delivery", ("d",)),
    ]


def test_the_versions_of_a_decision_are_links():
    versions = ["shop (beta) (1)", "prices (2(rc))", "stock (None)"]
    parts = describe_event(event("decision", params={"decision": "u", "versions": versions, "deployable": True}))
    assert (
        "".join(part.text for part in parts)
        == "recorded the answer yes about shop (beta) 1, prices 2(rc), stock for prices"
    )
    assert [part.names for part in parts if part.kind is ThingKind.VERSION] == [
        ("shop (beta)", "1"),
        ("prices", "2(rc)"),
    ]


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
