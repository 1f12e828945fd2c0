"""Webhooks are made, changed, tried and deleted with forms, which work without scripts."""

import json
import re

import pytest

from tests.pages.conftest import Shown, read_fields, verify
from tests.pages.hostile_texts import TAGS, TRICKS
from tests.pages.webhook_forms import BODY, FIELDS, create_webhook
from tests.receiver import receiving
from treaty.model.webhooks.events import EVENT_TYPES

pytestmark = pytest.mark.slow_on_postgresql  # about forms; tests/api/test_webhooks.py writes the same on both databases

about_html = pytest.mark.long_on_postgresql
"""Marks tests of forms whose statements other tests run on PostgreSQL."""

OPEN = TAGS | {"textarea"}
SECRETS = {"username": "me", "password": "pass-canary-2", "secret": "sign-canary-3"}
CANARIES = ("tok-canary-1", "pass-canary-2", "sign-canary-3")


def events_of(shown: Shown) -> dict[str, str]:
    """The keys of past events that can be chosen, by their descriptions."""
    options = re.findall(r'<option value="([0-9a-f]{24})"[^>]*>([^<]*)', shown.answer.text)
    return {text.strip(): key for key, text in options}


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"consumers": "Till\r\nKiosk"}, {"consumers": [{"name": "Till"}, {"name": "Kiosk"}]}),
        (
            {"consumer": "Till", "consumerLabels": "shop", "digest": "24h"},
            {"consumers": [{"name": "Till"}, {"label": "shop"}], "digest": {"every": "1d"}},
        ),
        ({"provider": "Till", "providers": "Kiosk"}, {"providers": [{"name": "Till"}, {"name": "Kiosk"}]}),
        ({"consumerLabel": "shop"}, {"consumer": {"label": "shop"}}),
    ],
)
def test_a_form_names_several_applications_and_saving_it_again_changes_nothing(api, show, submit, fields, shown):
    for name in ("Till", "Kiosk"):
        api.post("/pacticipants", {"name": name})
    path = create_webhook(submit, **fields)
    body = api.get(path).json()
    roles = ("consumer", "consumers", "provider", "providers", "digest")
    assert {name: body[name] for name in roles if name in body} == shown
    assert submit(f"{path}/edit", read_fields(show(f"{path}/edit"))).status == 303
    assert api.get(path).json() | {"updatedAt": None} == body | {"updatedAt": None}
    assert "1d" in show(path).text or "digest" not in shown


def test_a_form_explains_wrong_lists_and_intervals(submit):
    refused = submit("/webhooks/new", {**FIELDS, "consumers": "Nobody", "digest": "often"})
    assert refused.status == 400
    assert "does not match an existing application" in refused.text
    assert "must be an interval from 1m to 31d" in refused.text


def test_a_webhook_is_created_and_the_api_shows_it(history, show, submit):
    assert "/webhooks/new" in show("/webhooks").links
    more = {
        "consumer": "Till",
        "providerLabel": "core",
        "consumerBranches": "main\r\nfeat/x\r\n",
        "tags": "v1",
        "environments": ["test", "production"],
        "mainBranchOnly": "yes",
        "pauseWhenFailing": "yes",
        **SECRETS,
    }
    path = create_webhook(submit, **more)
    webhook = history.get(path).json()
    expected = {
        "description": "Build it",
        "consumer": {"name": "Till"},
        "provider": {"label": "core"},
        "enabled": True,
        "events": [{"name": "contract_published"}, {"name": "provider_verification_failed"}],
        "consumerBranches": ["main", "feat/x"],
        "tags": ["v1"],
        "environments": ["test", "production"],
        "mainBranchOnly": True,
        "pauseWhenFailing": True,
        "secret": "**********",
    }
    assert {name: webhook[name] for name in expected} == expected
    assert webhook["request"] == {
        "method": "POST",
        "url": FIELDS["url"],
        "headers": {"accept": "application/json", "authorization": "**********"},
        "body": json.loads(BODY),
        "username": "me",
        "password": "**********",
    }
    text = show(path).text
    for words in ("Build it", "feat/x", "main branch only", "Signed with its secret", "Authorization: *****"):
        assert words in text


@about_html
@pytest.mark.parametrize("event_type", EVENT_TYPES, ids=lambda event_type: event_type.name)
def test_each_event_is_chosen_by_its_label_and_survives_saving_the_form(history, show, submit, event_type):
    path = create_webhook(submit, events=event_type.name)
    edit = show(f"{path}/edit")
    assert f'value="{event_type.name}" checked' in edit.answer.text
    assert f'<label for="event-{event_type.name}">{event_type.label}</label>' in edit.answer.text
    assert submit(f"{path}/edit", {**read_fields(edit), "description": "Other"}).status == 303
    assert history.get(path).json()["events"] == [{"name": event_type.name}]


@about_html
def test_secrets_are_on_no_page_and_are_kept_unless_others_are_typed(show, submit):
    with receiving() as receiver:
        path = create_webhook(submit, url=f"{receiver.url}/x", **SECRETS)
        edit = show(f"{path}/edit")
        assert submit(f"{path}/edit", {**read_fields(edit), "description": "Other"}).status == 303
        again = submit(f"{path}/try", {"example": ""})
        pages = [show(path), edit, show(f"{path}/edit"), show(f"{path}/try"), again, show("/webhooks")]
        for canary in CANARIES:
            assert not [page for page in pages if canary in page.answer.text], canary
        arrival = receiver.wait(1)[0]
        assert arrival.headers["authorization"].startswith("Basic ")
        assert "x-treaty-signature-256" in arrival.headers


@pytest.fixture
def api(make_api):
    """An application whose webhooks may go to this machine."""
    return make_api(webhook_scheme_whitelist=("http", "https"), webhook_host_whitelist=("127.0.0.1", "ci.example.org"))


@about_html
def test_saving_a_form_as_it_is_changes_nothing(api, show, submit):
    bodies = (
        None,
        "text ${pactbroker.consumerName}",
        '{"a": "text that looks like JSON"}',
        {"a": [1, None]},
        [1],
        7,
        "",
    )
    for body in bodies:
        request = {"method": "POST", "url": "https://ci.example.org/x", "body": body, "headers": {"x-token": "s"}}
        filters = {"consumerBranches": ["a", "b"], "environments": ["gone"], "mainBranchOnly": False}
        sent = {"events": [{"name": "contract_published"}], "request": request, "enabled": False, **filters}
        path = api.post("/webhooks", sent).link("self")
        before = api.get(path).json()
        assert submit(f"{path}/edit", read_fields(show(f"{path}/edit"))).status == 303
        after = api.get(path).json()
        assert {**after, "updatedAt": None, "description": None} == {**before, "updatedAt": None, "description": None}


@about_html
@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"url": ""}, "url", "must be filled"),
        ({"url": "https://no.example.org/"}, "url", "host must be in the whitelist"),
        ({"url": "ftp://ci.example.org/"}, "url", "scheme must be http, https"),
        ({"url": "https://ci.example.org/<TOKEN>"}, "url", "replace <TOKEN> with your own values"),
        ({"method": "GET"}, "method", "must be POST"),
        ({"method": "FROB"}, "method", "is not a recognised HTTP method"),
        ({"consumer": "Nobody"}, "consumer", "does not match an existing application"),
        ({"provider": "Nobody", "providerLabel": "x"}, "provider-label", "cannot be provided at the same time"),
        ({"events": []}, "events", "choose at least one"),
        ({"events": ["nonsense"]}, "events", "must be one of"),
        ({"headers": "no colon"}, "headers", "'no colon' must have the form 'Name: value'"),
        ({"headers": "A: 1\na: 2"}, "headers", "'a' appears twice"),
        ({"headers": "A b: 1"}, "headers", "is not a valid header name"),
        ({"headers": "X-Token: **********"}, "headers", "is masked; type it again"),
        ({"headers": "Authorization: Bearer <TOKEN>"}, "headers", "replace <TOKEN>"),
        ({"body": "<BUILD-CONFIGURATION-ID>"}, "body", "replace <BUILD-CONFIGURATION-ID>"),
    ],
)
def test_errors_are_shown_beside_their_fields_which_keep_values_other_than_secrets(api, submit, changes, field, text):
    shown = submit("/webhooks/new", {**FIELDS, "description": "Kept", "password": "pass-canary-2", **changes})
    assert shown.status == 400
    assert text in shown.text
    wrong = [
        element.attributes["aria-describedby"].split()[0]
        for element in shown.elements
        if "aria-invalid" in element.attributes
    ]
    assert f"{field}-wrong" in wrong
    assert set(wrong) <= set(shown.ids)
    assert shown.field("description")["value"] == "Kept"
    assert not [canary for canary in CANARIES if canary in shown.answer.text]
    assert api.get("/webhooks").json()["_links"]["pb:webhooks"] == []


def test_a_preview_shows_the_request_for_a_chosen_event_and_saves_nothing(history, show, submit):
    fields = {**FIELDS, **SECRETS, "consumer": "Till", "provider": "Ledger", "preview": "yes"}
    shown = submit("/webhooks/new", fields)
    events = events_of(shown)
    assert len(events) == 4
    failed = next(text for text in events if text.startswith("A verification failed: Till 2 and Ledger 11"))
    published = next(text for text in events if text.startswith("A pact is published: Till 1 and Ledger"))
    for text, version in ((failed, "2"), (published, "1")):
        shown = submit("/webhooks/new", {**fields, "example": events[text]})
        assert f'{{"consumer":"Till","version":"{version}"}}' in shown.text
        assert "POST https://ci.example.org/build?pact=http%3A%2F%2Flocalhost%2Fpacts%2Fprovider%2FLedger" in shown.text
        assert "Authorization: **********" in shown.text
        assert "X-Treaty-Signature-256: sha256=" in shown.text
        assert not [canary for canary in CANARIES if canary in shown.answer.text]
    assert history.get("/webhooks").json()["_links"]["pb:webhooks"] == []
    assert "There are no webhooks" in show("/webhooks").text


def test_a_preview_equals_the_sent_request(api, show, submit):
    api.post("/pacticipants", {"name": "Ledger", "mainBranch": "main"})
    api.publish("Till", "1", "Ledger", branch="main", tags=["v"], buildUrl="https://ci.example.org/1")
    verify(api, "1", "10", success=False, buildUrl="https://ci.example.org/7")
    names = ("eventName", "buildUrl", "providerVersionNumber", "consumerVersionTags", "githubVerificationStatus")
    text = "|".join(f"${{pactbroker.{name}}}" for name in (*names, "pactUrl", "verificationResultUrl"))
    with receiving() as receiver:
        more = {"url": f"{receiver.url}/x", "headers": "Content-Type: text/plain", "body": text}
        path = create_webhook(submit, events=["provider_verification_failed"], **more)
        preview = show(f"{path}/try")
        (key,) = events_of(preview).values()
        shown = submit(f"{path}/try", {"example": key})
        assert "Result: ✓ delivered" in shown.text
        arrival = receiver.wait(1)[0]
        assert arrival.body.decode() in preview.text
        assert arrival.body.startswith(
            b"provider_verification_failed|https://ci.example.org/7|10|v|failure|http://localhost"
        )
        assert '{"heard":true}' in shown.text


def test_a_preview_reports_an_event_that_filters_exclude(history, submit):
    fields = {**FIELDS, "preview": "yes", "consumerBranches": "other"}
    assert "The webhook would not be sent for this event" in submit("/webhooks/new", fields).text
    fields = {**fields, "consumerBranches": "feat/x", "events": ["contract_published"]}
    assert "The webhook would not be sent for this event" not in submit("/webhooks/new", fields).text
    assert history.get("/webhooks").status == 200


@about_html
def test_a_preview_reports_a_body_that_is_not_valid_json(history, submit):
    fields = {**FIELDS, "preview": "yes", "headers": "Content-Type: application/json", "body": '{"a": ${pactbroker.x}}'}
    assert "The body is not valid JSON" in submit("/webhooks/new", fields).text
    assert history.get("/webhooks").status == 200


@pytest.mark.parametrize(
    ("scope", "consumers"),
    [
        ({}, {"Till", "Shop", "Kiosk"}),
        ({"consumer": "Till"}, {"Till"}),
        ({"provider": "Ledger"}, {"Till", "Shop"}),
        ({"consumer": "Shop", "provider": "Ledger"}, {"Shop"}),
        ({"consumerLabel": "front"}, {"Shop", "Kiosk"}),
        ({"consumerLabel": "front", "provider": "Ledger"}, {"Shop"}),
        ({"providerLabel": "nothing"}, set()),
    ],
)
def test_past_events_are_those_of_the_pacts_that_it_is_about(api, submit, scope, consumers):
    for consumer, provider in (("Till", "Ledger"), ("Shop", "Ledger"), ("Kiosk", "Menu")):
        api.publish(consumer, "1", provider)
    for name in ("Shop", "Kiosk"):
        api.put(f"/pacticipants/{name}/labels/front", {})
    shown = submit("/webhooks/new", {**FIELDS, "preview": "yes", **scope})
    assert {text.split()[4] for text in events_of(shown)} == consumers
    assert ("No such event has happened yet" in shown.text) == (not consumers)


def test_a_webhook_is_changed_and_deleted_and_the_next_page_shows_it(api, show, submit):
    path = create_webhook(submit)
    fields = {**read_fields(show(f"{path}/edit")), "description": ""}
    del fields["enabled"]
    moved = submit(f"{path}/edit", fields).moved_to
    assert "Saved." in show(moved).text
    assert "Contract published and 1 more to ci.example.org" in show(path).text
    assert "Disabled" in show("/webhooks").text
    assert "Nothing more will be sent" in show(f"{path}/delete").text
    assert api.get(path).status == 200
    moved = submit(f"{path}/delete", {}).moved_to
    assert "Deleted." in show(moved).text
    assert api.get(path).status == 404
    for way in ("edit", "delete", "try"):
        assert show(f"{path}/{way}").status == 404
        assert submit(f"{path}/{way}", FIELDS).status == 404


@about_html
def test_a_secret_can_be_removed(api, show, submit):
    path = create_webhook(submit, **SECRETS)
    assert "secret" in api.get(path).json()
    submit(f"{path}/edit", {**read_fields(show(f"{path}/edit")), "removeSecret": "yes"})
    assert "secret" not in api.get(path).json()


def test_a_delivery_is_sent_again(api, show, submit):
    path = create_webhook(submit)
    api.publish("Till", "1", "Ledger")
    logs = next(link for link in show(path).links if link.startswith("/triggered-webhooks/"))
    moved = submit(logs.replace("/logs", "/again"), {}).moved_to
    assert moved == f"{logs}?done=again"
    assert "Queued to be sent again" in show(moved).text
    submit(f"{path}/delete", {})
    assert submit(logs.replace("/logs", "/again"), {}).status == 409
    assert submit("/triggered-webhooks/none/again", {}).status == 404


@about_html
def test_a_form_on_another_site_does_nothing(api, show, submit):
    path = create_webhook(submit)
    api.publish("Till", "1", "Ledger")
    logs = next(link for link in show(path).links if link.startswith("/triggered-webhooks/"))
    ways = ("/webhooks/new", f"{path}/edit", f"{path}/delete", f"{path}/try", logs.replace("/logs", "/again"))
    for way in ways:
        assert submit(way, FIELDS, origin="https://evil.example").status == 403
    assert len(api.get("/webhooks").json()["_links"]["pb:webhooks"]) == 1


@about_html
@pytest.mark.parametrize("trick", [*TRICKS, "x" * 3000, "\n</textarea>", "'; DROP TABLE x; --", "\N{GRINNING FACE}"])
def test_whatever_is_typed_stays_text(api, show, submit, trick):
    api.publish(trick, "1", "Ledger")
    texts = dict.fromkeys(("description", "consumerBranches", "tags", "username", "body", "secret", "password"), trick)
    url = "https://ci.example.org/?x=" + re.sub(r"\s|\\", "", trick)
    fields = {
        **FIELDS,
        **texts,
        "consumer": trick,
        "url": url,
        "headers": f"X-Y: {trick.strip()}",
        "environments": trick,
    }
    sent = submit("/webhooks/new", fields)
    pages = [
        sent,
        submit("/webhooks/new", {**fields, "preview": "yes"}),
        submit("/webhooks/new", {**fields, "url": trick}),
    ]
    if sent.status == 303:
        path = sent.moved_to.partition("?")[0]
        pages += [show(path), show(f"{path}/edit"), show(f"{path}/try"), show(f"{path}/delete"), show("/webhooks")]
    pages += [
        show(f"/webhooks/new?template={trick[:9].strip()}&consumer=x") if trick.isascii() and trick.isalnum() else sent
    ]
    for shown in pages:
        assert shown.status in {200, 303, 400}, shown.text
        assert {element.tag for element in shown.elements} <= OPEN
        assert not [
            element
            for element in shown.elements
            for name in element.attributes
            if name.startswith("on") or name == "style"
        ]
