"""The ids of events in the audit trail, and details without secrets and of a bounded size."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treaty.model import audit
from treaty.model.audit import (
    MAX_DETAILS_LENGTH,
    REDACTED,
    REDACTED_CHANGE,
    diff_fields,
    encode_details,
    event_time,
    event_uuid,
    find_event_id,
    first_event_id,
    generate_event_id,
    redact_query,
    redact_url,
    shorten,
)
from treaty.model.webhooks.webhooks import (
    EncryptedText,
    PacticipantMatcher,
    Webhook,
    WebhookFilters,
    WebhookRequest,
)

NOW = datetime(2024, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_uuids_of_events_are_in_the_order_of_their_ids(first_id, second_id):
    first, second = UUID(event_uuid(first_id)), UUID(event_uuid(second_id))
    assert (first < second, first == second) == (first_id < second_id, first_id == second_id)
    assert (find_event_id(str(first)), find_event_id(str(second).upper())) == (first_id, second_id)
    assert (first.version, first.variant) == (8, UUID("0" * 16 + "8" + "0" * 15).variant)


@pytest.mark.parametrize(
    "uuid",
    [
        "",
        "x",
        "00000000-0000-0000-0000-000000000000",
        "9b2b1e5c-3f0e-4f52-8f1c-0d7d5f0a1f3e",
        event_uuid(2**63),
        event_uuid(2**63 - 1)[:-1] + "e1",
    ],
)
def test_other_uuids_have_no_event_id(uuid):
    assert find_event_id(uuid) is None


def test_ids_are_in_the_order_of_time():
    ids = [generate_event_id(NOW + number * MILLISECOND) for number in range(3) for _ in range(3)]
    assert len(set(ids)) == 9
    assert [event_time(event_id) for event_id in ids] == [NOW + number // 3 * MILLISECOND for number in range(9)]
    assert all(first_event_id(NOW) <= event_id < first_event_id(NOW + MILLISECOND) for event_id in ids[:3])
    assert event_time(first_event_id(NOW)) == NOW
    assert event_time(first_event_id(NOW) - 1) == NOW - MILLISECOND


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:p@example.org:1/a/b?token=x#y", "https://example.org:1/a/b"),
        ("https://example.org", "https://example.org"),
        ("/a/b.html", "/a/b.html"),
        ("a-b_c", "a-b_c"),
        ("", ""),
        ("/a?b=c", REDACTED),
        ("mailto:a", REDACTED),
        ("//example.org/a", "//example.org/a"),
        ("//u:p@example.org/a", REDACTED),
        ("http:///a", REDACTED),
        ("https://[", REDACTED),
        ("secret!", REDACTED),
    ],
)
def test_of_a_url_the_host_and_the_path_are_shown(url, shown):
    assert redact_url(url) == shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ""),
        ("q=a&x=b", "q=a&x=b"),
        ("access_token=a&x=b&API-Key=&sig", f"access_token={REDACTED}&x=b&API-Key={REDACTED}&sig"),
        ("token", "token"),
        ("token&a=b", "token&a=b"),
        ("a=token", "a=token"),
        ("password=a=b", f"password={REDACTED}"),
    ],
)
def test_parameters_that_sound_secret_are_hidden(query, shown):
    assert redact_query(query) == shown


@pytest.mark.parametrize(("length", "shown"), [(4, "xxxx"), (5, "xxxxx"), (6, "xxxx…")])
def test_a_text_is_shortened_to_a_length(length, shown):
    assert shorten("x" * length, 5) == shown


def test_fields_that_differ_are_shown_on_the_sides_that_have_them():
    assert diff_fields({"a": 1, "b": 2, "c": None, "e": 5}, {"a": 1, "b": 3, "d": 4, "e": None}) == (
        {"b": 2, "e": 5},
        {"b": 3, "d": 4, "e": None},
    )


def encoded(**after) -> object:
    details = encode_details({}, {}, after)
    return None if details is None else json.loads(details)["after"]


def test_details_have_the_parts_that_there_are():
    assert encode_details({}, {}, {}) is None
    assert json.loads(encode_details({"a": 1}, {}, {"b": NOW}) or "") == {
        "params": {"a": 1},
        "after": {"b": "2024-05-06T07:08:09.123000+00:00"},
    }


def test_long_details_are_cut():
    # A short text is not touched, however many items it has.
    assert encoded(a=[*range(21)]) == {"a": [*range(21)]}
    assert encoded(a="x" * 200, b=1) == {"a": "x" * 200, "b": 1}
    assert encoded(a="x" * 201, b=[{"c": "y" * 300}]) == {"a": "x" * 199 + "…", "b": [{"c": "y" * 199 + "…"}]}
    assert encoded(a=["x" * 200, *range(19)]) == {"a": ["x" * 200, *range(19)]}
    assert encoded(a=["x" * 200, *range(20)]) == {"a": ["x" * 200, *range(19), "… and 1 more"]}
    assert encoded(**{"n" * 300: True}) == {"n" * 199 + "…": True}


def test_details_that_are_still_too_long_are_reduced_to_names():
    count = MAX_DETAILS_LENGTH // 200 + 1
    assert encoded(**{f"name{number}": "x" * 200 for number in range(count)}) == {
        "names": [*(f"name{number}" for number in range(20)), f"… and {count - 20} more"]
    }


@pytest.mark.parametrize("excess", [0, 1])
def test_details_may_be_as_long_as_the_limit(excess):
    parts = {f"field{number:02}": "x" * 200 for number in range(37)}
    length = len(json.dumps({"after": {**parts, "z": ""}}, separators=(",", ":")))
    padded = {**parts, "z": "x" * (MAX_DETAILS_LENGTH - length + excess)}
    assert len(padded["z"]) <= 200
    assert encoded(**padded) == (padded if not excess else {"names": [*list(padded)[:20], "… and 18 more"]})


def test_an_empty_filter_is_recognized():
    assert audit.AuditFilter().is_empty
    assert not audit.AuditFilter(who="ada").is_empty


@pytest.mark.parametrize("event_id", [1 << 63, (1 << 63) + 5, (1 << 64) - 1])
def test_a_uuid_of_an_id_that_no_database_can_store_is_none_of_an_event(event_id):
    assert find_event_id(event_uuid(event_id)) is None


def test_the_uuids_of_the_first_and_the_last_id_are_of_events():
    for event_id in (0, 1, (1 << 62) - 1, 1 << 62, (1 << 63) - 1):
        assert find_event_id(event_uuid(event_id)) == event_id


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("url", "https://u:p@example.org/a?b=c", "https://example.org/a"),
        ("build_url", "https://u:p@example.org/a?b=c", "https://example.org/a"),
        ("build_url", None, None),
        ("description", "what? secret!", "what? secret!"),
        ("urls", ["https://example.org/?a"], ["https://example.org/?a"]),
    ],
)
def test_fields_with_urls_are_redacted(name, value, shown):
    assert audit.redact_value(name, value) == shown


def _webhook(*, url="https://ci.example/a", filters=None, **members):
    request: dict[str, Any] = {"method": "POST", "headers": {}, "body": None, "username": None, "password": None}
    request |= {name: members.pop(name) for name in list(members) if name in request}
    properties = {"description": None, "consumer": None, "provider": None, "secret": None, **members}
    return Webhook(
        uuid="u",
        is_enabled=True,
        events=("contract_published",),
        failing_since=None,
        pauses=False,
        created_at=NOW,
        updated_at=NOW,
        request=WebhookRequest(url=url, **request),
        filters=filters or WebhookFilters(),
        **properties,
    )


def test_a_new_and_a_removed_webhook_are_described_without_secrets():
    webhook = _webhook(
        url="https://a:b@ci.example/a",
        headers={"deploy": "x"},
        body={"key": 1},
        username="ci",
        password="pass",  # noqa: S106 - of the test
        secret=EncryptedText("v2:x"),
        consumer=PacticipantMatcher(name="Shop"),
        provider=PacticipantMatcher(label="team"),
        filters=WebhookFilters(tags=("prod",)),
    )
    described = {
        "description": None,
        "consumer": {"name": "Shop"},
        "provider": {"label": "team"},
        "enabled": True,
        "pauses": False,
        "events": ["contract_published"],
        "method": "POST",
        "url": f"https://ci.example/{REDACTED}",
        "headers": {"deploy": REDACTED},
        **dict.fromkeys(("body", "username", "password", "secret"), REDACTED),
    }
    shown = {name: value for name, value in described.items() if value is not None}
    (removed, nothing), (none_before, added) = audit.diff_webhooks(webhook, None), audit.diff_webhooks(None, webhook)
    assert (nothing, none_before) == ({}, {})
    assert added == removed
    assert {name: value for name, value in added.items() if name != "filters"} == shown
    assert added["filters"] == {
        **dict.fromkeys(("consumer_branches", "provider_branches", "environments")),
        "tags": ("prod",),
        "main_branch_only": False,
    }
    assert audit.diff_webhooks(_webhook(), None)[0].keys().isdisjoint({"filters", "consumer", "body", "secret"})


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ({}, {}, {}),
        ({"description": "d"}, {"description": None}, {"description": "d"}),
        ({"body": "x"}, {"body": None}, {"body": REDACTED_CHANGE}),
        ({"username": "x"}, {"username": None}, {"username": REDACTED_CHANGE}),
        (
            {"url": "https://ci.example/b"},
            {"url": f"https://ci.example/{REDACTED}"},
            {"url": f"https://ci.example/{REDACTED_CHANGE}"},
        ),
        ({"headers": {"a": "1"}}, {"headers": {}}, {"headers": {"a": REDACTED_CHANGE}}),
        ({"url": "https://["}, {"url": f"https://ci.example/{REDACTED}"}, {"url": f"{REDACTED}/{REDACTED_CHANGE}"}),
    ],
)
def test_secrets_of_a_webhook_show_only_that_they_changed(change, before, after):
    assert audit.diff_webhooks(_webhook(), _webhook(**change)) == (before, after)


def test_the_fields_of_an_object_are_collected_without_times_and_secrets():
    request = WebhookRequest(
        method="POST", url="https://u:p@ci.example/a?b", headers={}, body=None, username="u", password=None
    )
    assert audit.collect_fields(request, "headers", "password") == {
        "method": "POST",
        "url": "https://ci.example/a",
        "body": None,
        "username": "u",
    }
    names = audit.collect_fields(_webhook(), "request", "filters").keys()
    assert names.isdisjoint({"created_at", "updated_at", "request", "filters"})
    assert {"uuid", "failing_since"} <= names
