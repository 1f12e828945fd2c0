"""Applications are changed and renamed with a form, which works without scripts."""

from __future__ import annotations

import pytest

from tests.databases import on_sqlite
from tests.pages.hostile_texts import TAGS, TRICKS

pytestmark = on_sqlite
FIELDS = {"name": "shop", "displayName": "Web Shop", "mainBranch": "main", "repositoryUrl": "https://git.example.org/s"}
CONTACTS = {
    "contactName": ["Shop team", "", ""],
    "contactDetails": ["emailAddress: shop@example.org\r\nchat: #shop\r\nurl: https://wiki.example.org/shop", "", ""],
}
EDIT = "/pacticipants/shop/edit"


@pytest.fixture(autouse=True)
def shop(api):
    api.post("/pacticipants", {"name": "shop", "repositoryName": "kept"})
    api.put("/pacticipants/shop/versions/1", {})


def test_an_application_is_changed_with_contacts(api, show, submit):
    assert EDIT in show("/pacticipants/shop").links
    assert show(EDIT).field("name")["value"] == "shop"
    there = submit(EDIT, {**FIELDS, **CONTACTS}).moved_to
    page = show(there)
    for words in ("Saved.", "main", "Shop team", "emailAddress shop@example.org", "chat #shop"):
        assert words in page.text
    assert "https://wiki.example.org/shop" in page.links
    changed = api.get("/pacticipants/shop").json()
    details = {"emailAddress": "shop@example.org", "chat": "#shop", "url": "https://wiki.example.org/shop"}
    assert changed["contacts"] == [{"name": "Shop team", "details": details}]
    assert (changed["displayName"], changed["repositoryName"], changed["name"]) == ("Web Shop", "kept", "shop")
    assert "formerNames" not in changed
    assert "emailAddress: shop@example.org" in show(EDIT).text


def test_saving_the_form_unchanged_changes_nothing(api, submit):
    before = api.get("/pacticipants/shop").json()
    submit(EDIT, {"name": "shop", "displayName": before["displayName"]})
    after = api.get("/pacticipants/shop").json()
    assert {**after, "updatedAt": None} == {**before, "updatedAt": None}


def test_an_application_is_renamed_with_the_form(api, show, submit):
    there = submit(EDIT, {**FIELDS, "name": "new/shop"}).moved_to
    assert there.startswith("/pacticipants/new%2Fshop")
    assert "Formerly" in show(there).text
    assert api.get("/pacticipants/new%2Fshop").json()["mainBranch"] == "main"
    assert api.get("/pacticipants/new%2Fshop/versions/1").status == 200
    late = submit(EDIT, {**FIELDS, "name": "other"})
    assert late.status == 409
    assert "has been renamed to 'new/shop'" in late.text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": ""}, "must be filled"),
        ({"name": "taken"}, "There is another application with the name 'taken'"),
        ({"name": "taken-api"}, "so similar to 'taken'"),
        ({"mainBranch": "a b"}, "cannot contain spaces"),
        ({"name": "new", "contactName": "", "contactDetails": "e-mail: x"}, "must be filled"),
        ({"name": "new", "contactName": "Ops", "contactDetails": "no colon"}, "'no colon' is not like"),
    ],
)
def test_errors_are_shown_beside_their_fields_and_nothing_is_saved(api, submit, fields, text):
    api.post("/pacticipants", {"name": "taken"})
    before = api.get("/pacticipants").json()
    shown = submit(EDIT, {**FIELDS, **fields})
    assert shown.status == 400
    assert text in shown.text
    assert "Nothing was saved" in shown.text
    assert shown.field("displayName")["value"] == "Web Shop"
    wrong = [
        element.attributes["aria-describedby"] for element in shown.elements if "aria-invalid" in element.attributes
    ]
    assert len(wrong) == 1
    assert wrong[0].split()[0] in shown.ids
    assert api.get("/pacticipants").json() == before


def test_a_similar_name_can_be_allowed(api, submit):
    api.post("/pacticipants", {"name": "taken"})
    assert submit(EDIT, {**FIELDS, "name": "taken-api", "allowSimilarNames": "yes"}).moved_to
    assert api.get("/pacticipants/taken-api").json()["formerNames"] == ["shop"]


def test_hostile_contacts_and_names_are_escaped(show, submit):
    for trick in TRICKS:
        contacts = {"contactName": [trick], "contactDetails": [f"{trick}: {trick}" if ":" not in trick else "a: b"]}
        submit(EDIT, {**FIELDS, **contacts})
        for path in ("/pacticipants/shop", EDIT):
            assert {element.tag for element in show(path).elements} <= TAGS | {"textarea"}
