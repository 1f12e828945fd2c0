"""Forms that create, change and delete environments, which work without scripts; and the history of an environment."""

from datetime import timedelta

import pytest

from tests.pages.conftest import deploy, uuid_of
from tests.pages.hostile_texts import TAGS, TRICKS

pytestmark = (
    pytest.mark.slow_on_postgresql
)  # about forms; tests/api/test_environments.py writes the same on both databases

about_html = pytest.mark.long_on_postgresql
"""Marks tests of forms whose statements other tests run on PostgreSQL."""

FIELDS = {"name": "prod-eu", "displayName": "Production (EU)", "production": "yes"}
CONTACTS = {
    "contactName": ["Payments", "", ""],
    "contactDetails": ["e-mail: pay@example.org\r\nchat: https://chat.example.org/pay\r\nlevel: 2", "", ""],
}
OPEN = TAGS | {"textarea"}


def test_an_environment_is_created_with_contacts(api, show, submit):
    assert "/environments/new" in show("/environments").links
    assert show("/environments/new").field("name")["value"] == ""
    there = submit("/environments/new", {**FIELDS, **CONTACTS}).moved_to
    text = show(there).text
    for words in ("Created.", "Production (EU)", "prod-eu", "Payments", "e-mail pay@example.org", "level 2"):
        assert words in text
    assert "https://chat.example.org/pay" in show(there).links
    environment = api.get(f"/environments/{uuid_of(api, 'prod-eu')}").json()
    assert environment["production"] is True
    details = {"e-mail": "pay@example.org", "chat": "https://chat.example.org/pay", "level": 2}
    assert environment["contacts"] == [{"name": "Payments", "details": details}]


@about_html
def test_errors_are_shown_beside_their_fields_which_keep_their_values(api, show, submit):
    api.post("/environments", {"name": "taken", "production": False})
    for fields, text in (
        ({"name": ""}, "must be filled"),
        ({"name": "a b"}, "cannot contain spaces"),
        ({"name": "taken"}, "name 'taken' is already used by an existing environment."),
        ({"contactName": "", "contactDetails": "e-mail: x"}, "must be filled"),
        ({"contactName": "Ops", "contactDetails": "no colon"}, "'no colon' is not like"),
        ({"contactName": "Ops", "contactDetails": '"no end'}, "is not like"),
    ):
        shown = submit("/environments/new", {**FIELDS, **fields})
        assert shown.status == 400
        assert text in shown.text
        assert "Nothing was saved" in shown.text
        assert shown.field("displayName")["value"] == "Production (EU)"
        assert "checked" in shown.field("production")
        wrong = [
            element.attributes["aria-describedby"] for element in shown.elements if "aria-invalid" in element.attributes
        ]
        assert len(wrong) == 1
        assert wrong[0].split()[0] in shown.ids
    assert len(api.get("/environments").json()["_embedded"]["environments"]) == 1
    assert "Taken" in show("/environments").text


def test_an_environment_is_changed_and_the_next_page_shows_it(history, show, submit):
    uuid = uuid_of(history, "test")
    assert show(f"/environments/{uuid}/edit").field("displayName")["value"] == "Test"
    moved = submit(f"/environments/{uuid}/edit", {"name": "trial", "displayName": ""}).moved_to
    text = show(moved).text
    assert "Saved." in text
    assert "trial" in text
    assert "contacts" not in history.get(f"/environments/{uuid}").json()
    assert "Trial" in show("/environments").text


@about_html
@pytest.mark.parametrize(
    "details",
    [
        {"plain": "text", "number": 7, "looks like a number": "7", "yes": True, "text": "true", "none": None},
        {"deep": {"a": [1, {"b": None}]}, "lines": "one\ntwo", "blank": "", "spaced": " x ", "quoted": '"x"'},
        {"a: b": "colon in a name", '"': "quote in a name", "": "no name", " x": "space", "two\nlines": "x"},
    ],
)
def test_saving_a_form_as_it_is_changes_no_contact(api, show, submit, details):
    contacts = [{"name": "Ops", "details": details}, {"name": "Nobody in particular"}]
    api.post("/environments", {"name": "x", "production": False, "contacts": contacts})
    uuid = uuid_of(api, "x")
    before = api.get(f"/environments/{uuid}").json()["contacts"]
    shown = show(f"/environments/{uuid}/edit")
    fields = {"name": "x", "contactName": shown.values("contactName"), "contactDetails": shown.areas("contactDetails")}
    assert submit(f"/environments/{uuid}/edit", fields).status == 303
    assert api.get(f"/environments/{uuid}").json()["contacts"] == before


@about_html
def test_a_blank_contact_is_removed(api, submit):
    api.post("/environments", {"name": "x", "production": False, "contacts": [{"name": "Ops"}]})
    uuid = uuid_of(api, "x")
    submit(f"/environments/{uuid}/edit", {"name": "x", "contactName": "", "contactDetails": ""})
    assert api.get(f"/environments/{uuid}").json()["contacts"] == []


def test_an_environment_is_deleted_once_its_name_was_typed(history, show, submit):
    uuid = uuid_of(history, "production")
    assert "including 2 current versions" in show(f"/environments/{uuid}/delete").text
    refused = submit(f"/environments/{uuid}/delete", {"name": "prod"})
    assert refused.status == 400
    assert "must be the environment's name, production" in refused.text
    assert history.get(f"/environments/{uuid}").status == 200
    moved = submit(f"/environments/{uuid}/delete", {"name": "production"}).moved_to
    assert history.get(f"/environments/{uuid}").status == 404
    text = show(moved).text
    assert "Deleted." in text
    assert "Production" not in text
    assert show(f"/environments/{uuid}").status == 404


@about_html
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost", "sec-fetch-site": "cross-site"},
        {"origin": "http://localhost", "sec-fetch-site": "same-site"},
        {"origin": "http://[broken"},
    ],
)
def test_a_form_on_another_site_does_nothing(history, submit, headers):
    uuid = uuid_of(history, "production")
    refused = submit(f"/environments/{uuid}/delete", {"name": "production"}, **headers)
    assert refused.status == 403
    assert "sent by a page of another site" in refused.text
    assert history.get(f"/environments/{uuid}").status == 200


@about_html
def test_forms_that_are_none_are_refused_with_a_page(api):
    for body, type_, status in (
        (b"name=%ff", "application/x-www-form-urlencoded", 400),
        (b"name=%00", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=1"] * 1001), "application/x-www-form-urlencoded", 400),
        (b"name=x", "multipart/form-data; boundary=x", 415),
        (b'{"name": "x"}', "application/json", 415),
    ):
        answer = api.post("/environments/new", body, type=type_, accept="text/html")
        assert answer.status == status
        assert answer.headers["content-type"].startswith("text/html")
    assert api.get("/environments").json()["_embedded"]["environments"] == []


def test_an_application_shows_the_contacts_of_its_environments(history, show, submit):
    submit(f"/environments/{uuid_of(history, 'production')}/edit", {"name": "production", **CONTACTS})
    submit(
        f"/environments/{uuid_of(history, 'test')}/edit",
        {"name": "test", "contactName": "Testers", "contactDetails": ""},
    )
    text = show("/pacticipants/Till").text
    assert "pay@example.org" in text
    assert "Testers" not in text


def test_the_grid_shows_how_far_a_version_is_behind_the_main_branch(history, show):
    assert "newest on main" not in show("/environments").text
    history.patch("/pacticipants/Till", {"mainBranch": "main"})
    assert "Till - 1 1 behind main" in show("/environments").text
    deploy(history, "Till", "2", "production")
    assert "2 ✓ newest on main" in show("/environments").text
    deploy(history, "Till", "3", "production")
    assert "3 not on main" in show("/environments").text


def test_how_far_behind_is_only_counted_up_to_a_bound(history, show):
    history.patch("/pacticipants/Till", {"mainBranch": "main"})
    for number in range(101):
        history.put(f"/pacticipants/Till/branches/main/versions/n{number}", {})
    assert "99+ behind main" in show("/environments").text


def test_the_history_of_a_place_lists_every_stay(history, show, clock):
    clock.now += timedelta(hours=3)
    deploy(history, "Till", "2", "production")
    uuid = uuid_of(history, "production")
    path = f"/environments/{uuid}/history/Till"
    assert path in show("/environments").links
    history.post(f"/pacticipants/Till/versions/3/released-versions/environment/{uuid}", {})
    text = show(path).text
    assert "2 deployed just now ● Current" in text
    assert "3 released just now ● Current" in text
    assert "1 deployed 3 hours ago just now after 3 hours" in text
    assert "1-3 of 3 entries" in text
    assert show(f"/environments/{uuid}/history/Nobody").status == 404
    assert (
        "No version has been recorded in this environment"
        in show(f"/environments/{uuid_of(history, 'test')}/history/Till").text
    )


@about_html
@pytest.mark.parametrize("trick", [*TRICKS, "x" * 3000, "\n</textarea>", "'; DROP TABLE environment; --"])
def test_whatever_is_typed_stays_text(show, submit, trick):
    fields = {
        "name": trick.replace(" ", ""),
        "displayName": trick,
        "contactName": trick,
        "contactDetails": f"x: {trick}",
    }
    sent = submit("/environments/new", fields)
    pages = [show(sent.moved_to), show(sent.moved_to.partition("?")[0] + "/edit")] if sent.status == 303 else [sent]
    for shown in (*pages, submit("/environments/new", {**fields, "name": ""})):
        assert {element.tag for element in shown.elements} <= OPEN
        assert not [
            element
            for element in shown.elements
            for name in element.attributes
            if name.startswith("on") or name == "style"
        ]


@about_html
def test_readers_are_offered_no_way_to_change_anything(make_api):
    api = make_api(basic_auth_username="w", basic_auth_password="x", allow_public_read=True)  # noqa: S106 - a test of passwords
    writer = {"authorization": "Basic dzp4"}
    new, body = "/environments/new", b"name=x"
    assert api.post(new, body, type="application/x-www-form-urlencoded", accept="text/html").status == 401
    response = api.post(new, body, type="application/x-www-form-urlencoded", accept="text/html", headers=writer)
    there = response.headers["location"].partition("?")[0]
    request = {"method": "POST", "url": "https://ci.example.org/x"}
    webhook = api.post("/webhooks", {"request": request, "events": [{"name": "contract_published"}]}, headers=writer)
    for page, ways in ((there, ("/edit", "/delete")), (webhook.link("self"), ("/edit", "/delete", "/try"))):
        for way in ways:
            assert f"{page}{way}" in api.get(page, accept="text/html", headers=writer).text
            assert f"{page}{way}" not in api.get(page, accept="text/html").text
    for page in ("/environments", "/webhooks"):
        assert f"{page}/new" in api.get(page, accept="text/html", headers=writer).text
        assert f"{page}/new" not in api.get(page, accept="text/html").text
