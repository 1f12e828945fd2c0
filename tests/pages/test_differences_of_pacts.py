"""The page of a difference: the path of each change, omitted lines on request, and the pact that runs in production."""

import json

import pytest

from tests.pages.conftest import deploy

PAIR = "/pacts/provider/Ledger/consumer/Till"
BODY = {"id": 7, "items": [{"price": 1.5, "name": "pen"}, {"price": 2, "name": "ink"}], "notes": None, "paid in": "EUR"}


def _interaction(body=BODY, **members):
    return {
        "description": "a request for an order",
        "request": {"method": "GET", "path": "/orders/7", "headers": {"Accept": "application/json"}},
        "response": {"status": 200, "body": body},
        **members,
    }


def _change(change):
    changed = json.loads(json.dumps(_interaction()))
    change(changed)
    return changed


def _v4(price):
    body = {"content": {"price": price}, "contentType": "application/json", "encoded": False}
    return {**_interaction(), "type": "Synchronous/HTTP", "response": {"status": 200, "body": body}}


CHANGES = {
    "a value": (lambda interaction: interaction["response"]["body"].update(id="7"), 'response > body > $.id : 7 → "7"'),
    "its type alone": (
        lambda interaction: interaction["response"]["body"].update(id=7.0),
        "response > body > $.id : 7 → 7.0",
    ),
    "an item": (
        lambda interaction: interaction["response"]["body"]["items"][1].update(price=3),
        "response > body > $.items[1].price : 2 → 3",
    ),
    "an added member": (
        lambda interaction: interaction["response"]["body"].update(new=[1]),
        "response > body > $.new : added [1]",
    ),
    "a removed member": (
        lambda interaction: interaction["response"]["body"].pop("notes"),
        "response > body > $.notes : removed null",
    ),
    "a removed item": (
        lambda interaction: interaction["response"]["body"]["items"].pop(0),
        'response > body > $.items[0] : removed {"price":1.5,"name":"pen"}',
    ),
    "a name with a space": (
        lambda interaction: interaction["response"]["body"].update({"paid in": "USD"}),
        'response > body > $["paid in"] : "EUR" → "USD"',
    ),
    "the body": (lambda interaction: interaction["response"].update(body=[1]), "response > body > $ :"),
    "a status": (lambda interaction: interaction["response"].update(status=201), "response > status : 200 → 201"),
    "a header": (
        lambda interaction: interaction["request"]["headers"].update(Accept="*/*"),
        'request > headers > Accept : "application/json" → "*/*"',
    ),
    "a rule": (
        lambda interaction: interaction["response"].update(
            matchingRules={"body": {"$.id": {"matchers": [{"match": "type"}]}}}
        ),
        "response > matchingRules : added",
    ),
}


def _read(page):
    """Return the text of a page with plain separators in paths."""
    return page.text.replace("\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}", ">")


def _publish(api, version, *interactions):
    assert api.put(f"{PAIR}/version/{version}", {"interactions": interactions}).status in {200, 201}


@pytest.mark.parametrize(("change", "shown"), CHANGES.values(), ids=CHANGES)
def test_each_change_has_its_path(api, show, change, shown):
    _publish(api, "1", _interaction())
    _publish(api, "2", _change(change))
    assert shown in _read(show(f"{PAIR}/version/2/diff/previous-distinct"))


def test_the_path_in_a_body_of_version_4_leaves_out_its_envelope(api, show):
    _publish(api, "1", _v4(1))
    _publish(api, "2", _v4(2))
    assert "response > body > $.price : 1 → 2" in _read(show(f"{PAIR}/version/2/diff/previous-distinct"))


def test_omitted_lines_are_counted_and_shown_on_request(api, show):
    long = {f"member{number}": number for number in range(60)}
    _publish(api, "1", _interaction(long))
    _publish(api, "2", _interaction({**long, "member30": "x"}))
    page = show(f"{PAIR}/version/2/diff/version/1?page=1")
    assert 'member2"' not in page.text
    (link, _) = [link for link in page.links if "expand=" in link]
    assert "Show 39 unchanged lines" in page.text
    expanded = show(f"{PAIR}/version/2/diff/version/1{link.partition('#')[0]}")
    assert 'member2"' in expanded.text
    assert "unchanged line" not in expanded.text
    assert link.partition("#")[2] in expanded.ids


def test_a_pact_is_compared_with_the_one_in_production_if_there_is_one(history, show):
    plain = show(f"{PAIR}/version/1")
    assert "Compare with production" not in plain.text
    pact = show(f"{PAIR}/version/3")
    assert "Compare with production" in pact.text
    assert f"{PAIR}/version/3/diff/version/1" in pact.links
    difference = show(f"{PAIR}/version/3/diff/previous-distinct")
    assert f"{PAIR}/version/3/diff/version/1" in difference.links
    assert "Compare with production 1" in difference.text
    deploy(history, "Till", "2", "test")
    assert "Compare with Test 2" in show(f"{PAIR}/version/3/diff/version/1").text


def test_the_first_pact_can_be_compared_with_production_too(history, show):
    history.publish("Till", "0", "Ledger", "thing 0")
    assert "Compare with production 1" in show(f"{PAIR}/version/0/diff/previous-distinct").text


def test_the_title_has_the_number_of_changes(api, show):
    _publish(api, "1", _interaction())
    _publish(api, "2", _interaction([]), {"description": "new"})
    page = show(f"{PAIR}/version/2/diff/previous-distinct")
    assert page.text.startswith("What Till 2 changed for Ledger: 1 new, 1 changed, 0 removed ·")
    assert show(f"{PAIR}/version/1/diff/previous-distinct").text.startswith("What Till 1 changed for Ledger: nothing")
