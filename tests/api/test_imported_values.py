"""A fact with a value that Treaty could not read again is refused by itself; the rest of its request is imported."""

import json
from typing import Any, Final

import pytest

from tests.api.client import Api, pact
from tests.api.imports import RESULT, TIME, import_facts

TIMES: Final = {"createdAt": TIME, "updatedAt": TIME}
LONG: Final = "".join(f"{number:x}" for number in range(1000))
SHOP: Final = {"kind": "pacticipant", "name": "Shop", **TIMES}
PRICES: Final = {**SHOP, "name": "Prices"}
VERSION: Final = {"kind": "version", "pacticipant": "Shop", "number": "1", **TIMES}
BRANCH: Final = {"name": "main", "createdAt": TIME, "isHead": True, "branchCreatedAt": TIME, "branchUpdatedAt": TIME}
PACT: Final = {"kind": "pact", "consumer": "Shop", "provider": "Prices", "version": "1", "createdAt": TIME, "sha": "x"}
TEST: Final = {
    "kind": "environment",
    "uuid": "test-uuid",
    "name": "test",
    "displayName": "Test",
    "isProduction": False,
    **TIMES,
}
PLACE: Final = {"pacticipant": "Shop", "version": "1", "environment": "test-uuid", "environmentName": "test"}
DEPLOYMENT: Final = {"kind": "deployment", "uuid": "deployment", **PLACE, "createdAt": TIME}
RELEASE: Final = {"kind": "release", "uuid": "release", **PLACE, **TIMES}
EVERYTHING: Final = (
    *(SHOP, PRICES, VERSION, {**PACT, "content": json.dumps(pact("Shop", "Prices"))}, RESULT, TEST, DEPLOYMENT),
    RELEASE,
)
UNREADABLE: Final[dict[str, dict[str, Any]]] = {
    "a time after all times": {**SHOP, "name": "A", "createdAt": "9999-12-31T23:59:59-14:00"},
    "a time before all times": {**SHOP, "name": "A", "createdAt": "0001-01-01T00:00:00+14:00"},
    "a blank name": {**SHOP, "name": " "},
    "a blank label": {**SHOP, "labels": [""]},
    "a long main branch": {**SHOP, "name": "A", "mainBranch": LONG},
    "a blank version": {**VERSION, "number": " "},
    "a blank branch": {**VERSION, "number": "2", "branches": [{**BRANCH, "name": " "}]},
    "an empty tag": {**VERSION, "number": "2", "tags": [{"name": "", "createdAt": TIME}]},
    "a blank provider version": {**RESULT, "number": 2, "providerVersion": " "},
    "results that are no JSON": {**RESULT, "number": 2, "testResults": "{oops"},
    "a verifier that is no JSON": {**RESULT, "number": 2, "verifiedBy": "oops"},
    "a verifier that is no object": {**RESULT, "number": 2, "verifiedBy": "[1]"},
    "contacts that are no JSON": {**TEST, "uuid": "u", "name": "a", "contacts": "{oops"},
    "contacts that are no list": {**TEST, "uuid": "u", "name": "a", "contacts": "5"},
    "contacts without names": {**TEST, "uuid": "u", "name": "a", "contacts": "[1]"},
    "an environment with a line break": {**TEST, "uuid": "u", "name": "a\nb"},
    "an environment without UUID": {**TEST, "uuid": "", "name": "a"},
    "a long UUID of an environment": {**TEST, "uuid": LONG, "name": "a"},
    "a long UUID of a deployment": {**DEPLOYMENT, "uuid": LONG},
    "a long application instance": {**DEPLOYMENT, "uuid": "u", "applicationInstance": LONG},
    "a long UUID of a release": {**RELEASE, "uuid": LONG},
}


@pytest.mark.parametrize("fact", UNREADABLE.values(), ids=UNREADABLE)
def test_a_fact_that_could_not_be_read_again_is_refused_by_itself(api, fact):
    assert import_facts(api, fact, *EVERYTHING) == ["refused", *("copied" for _ in EVERYTHING)]
    for path in ("/environments", "/pacticipants/Shop/versions", "/pacts/provider/Prices/consumer/Shop/latest"):
        assert api.get(path).json()
        assert api.get(path, accept="text/html").status in {200, 302, 303, 404, 406}


def test_a_blank_main_branch_is_none(api):
    assert import_facts(api, {**SHOP, "mainBranch": " "}) == ["copied"]
    assert "mainBranch" not in api.get("/pacticipants/Shop").json()


def test_of_two_pacts_of_a_version_with_the_same_time_the_later_fact_is_current(api: Api) -> None:
    first, second = ({**pact("Shop", "Prices"), "metadata": {"number": number}} for number in (1, 2))
    second["interactions"] = [{"description": "another"}]
    facts = [{**PACT, "content": json.dumps(first)}, {**PACT, "sha": "y", "content": json.dumps(second)}]
    assert import_facts(api, SHOP, PRICES, VERSION, *facts) == ["copied"] * 5
    current = api.get("/pacts/provider/Prices/consumer/Shop/version/1").json()
    assert current["interactions"][0]["description"] == "another"
