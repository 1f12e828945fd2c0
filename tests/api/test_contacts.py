"""Contacts of applications, which are those of environments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.databases import on_sqlite

if TYPE_CHECKING:
    from tests.api.client import Api

TEAM = {
    "name": "Shop team",
    "details": {"emailAddress": "shop@example.org", "chat": "#shop", "url": "https://a.example"},
}
ANY = {"level": 1, "more": [None, {"a": "b"}], "": True}


def test_contacts_are_stored_as_they_were_sent(api: Api) -> None:
    body = json.dumps({"name": "Shop", "contacts": [TEAM, {"name": "Ada"}]}).encode()
    created = api.post("/pacticipants", body)
    assert created.json()["contacts"] == [TEAM, {"name": "Ada"}]
    assert api.get("/pacticipants/Shop").json()["contacts"] == [TEAM, {"name": "Ada"}]
    [listed] = api.get("/pacticipants").json()["_embedded"]["pacticipants"]
    assert listed["contacts"] == [TEAM, {"name": "Ada"}]
    assert "contacts" not in api.post("/pacticipants", {"name": "Prices"}).json()


def test_contacts_change_only_where_a_body_has_them(api: Api) -> None:
    """Clients of the original know no contacts: replacing an application as they do must not remove them."""
    api.post("/pacticipants", {"name": "Shop", "contacts": [TEAM]})
    for change in (api.put, api.patch):
        assert change("/pacticipants/Shop", {"mainBranch": "main"}).json()["contacts"] == [TEAM]
        assert change("/pacticipants/Shop", {"contacts": [{"name": "Ada"}]}).json()["contacts"] == [{"name": "Ada"}]
        assert change("/pacticipants/Shop", {"contacts": []}).json()["contacts"] == []
        assert "contacts" not in change("/pacticipants/Shop", {"contacts": None}).json()
        assert change("/pacticipants/Shop", {"contacts": [TEAM]}).json()["contacts"] == [TEAM]


@pytest.mark.parametrize(
    ("contacts", "errors"),
    [
        ("Ada", {"contacts": ["must be an array"]}),
        (["Ada"], {"contacts": ["must be a hash (at index 0)"]}),
        ([{}], {"contacts": ["name is missing (at index 0)"]}),
        ([{"name": ""}], {"contacts": ["name must be filled (at index 0)"]}),
        ([{"name": "a\nb"}], {"contacts": ["name cannot contain multiple lines (at index 0)"]}),
        ([TEAM, {"name": "a", "details": "x"}], {"contacts": ["details must be a hash (at index 1)"]}),
    ],
)
@on_sqlite
def test_invalid_contacts_return_400_and_their_errors(api: Api, contacts: object, errors: object) -> None:
    answer = api.post("/pacticipants", {"name": "Shop", "contacts": contacts})
    assert (answer.status, answer.json()) == (400, {"errors": errors})


@on_sqlite
def test_details_may_be_anything_and_other_members_are_named(api: Api) -> None:
    created = api.post(
        "/pacticipants", {"name": "Shop", "contacts": [{"name": "Ada", "details": ANY, "role": "lead"}]}
    ).json()
    assert created["contacts"] == [{"name": "Ada", "details": ANY}]
    assert created["warnings"] == ["The field `contacts[0].role` is not known and was ignored."]


@on_sqlite
def test_the_audit_trail_does_not_keep_contacts(api: Api) -> None:
    api.post("/pacticipants", {"name": "Shop", "contacts": [TEAM]})
    api.patch("/pacticipants/Shop", {"contacts": [{"name": "Ada"}]})
    api.delete("/pacticipants/Shop")
    trail = api.get("/audit?resource=Shop").text
    assert "pacticipant_removal" in trail
    assert not any(text in trail for text in ("Shop team", "shop@example.org", "Ada"))


def test_an_import_copies_contacts_and_keeps_those_of_this_broker(api: Api) -> None:
    times = {"createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-01T00:00:00Z"}
    api.post("/pacticipants", {"name": "Till", "contacts": [{"name": "Ada"}]})
    facts = [
        {"kind": "pacticipant", "name": name, "contacts": json.dumps([TEAM]), **times} for name in ("Shop", "Till")
    ]
    facts.append({"kind": "pacticipant", "name": "Bad", "contacts": "[1]", **times})
    sent = {"source": "https://old.example.org", "run": "1", "facts": facts}
    outcomes = api.post("/import", sent).json()["outcomes"]
    assert [outcome["outcome"] for outcome in outcomes] == ["copied", "present", "refused"]
    assert api.get("/pacticipants/Shop").json()["contacts"] == [TEAM]
    assert api.get("/pacticipants/Till").json()["contacts"] == [{"name": "Ada"}]
