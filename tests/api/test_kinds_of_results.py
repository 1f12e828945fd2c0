"""No page or list shows a pair as verified that the decision does not, whichever kind of result is the newest."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.api.comparisons import FITTING, UNFITTING, badge_state, deployable, publish_contract
from tests.api.history import History

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.client import Answer, Api, Clock

PACT = "/pacts/provider/Prices/consumer/Shop"

SCENARIOS: dict[str, tuple[str, ...]] = {
    "both succeed": ("verify", "contract"),
    "a verification fails, then a comparison succeeds": ("fail", "contract"),
    "a comparison succeeds, then a verification fails": ("contract", "fail"),
    "a comparison fails, then a verification succeeds": ("other contract", "verify"),
    "a verification succeeds, then a comparison fails": ("verify", "other contract"),
    "a verification succeeds, the contract is not verified": ("verify", "contract without result"),
    "the contract is not verified, a verification succeeds": ("contract without result", "verify"),
    "the self-verification fails": ("verify", "failing contract"),
    "a comparison succeeds alone": ("contract",),
    "a verification succeeds alone": ("verify",),
    "a verification is repeated": ("fail", "contract", "verify"),
}


STATE = re.compile(r'data-name="State">\s*<span class="state (\w+)"')
CELL = re.compile(r'class="cell (\w+)"')


def overview(api: Api) -> str:
    return read_state(api.get("/", accept="text/html"), STATE)


def pair_page(api: Api) -> str:
    page = api.get("/dashboard/provider/Prices/consumer/Shop", accept="text/html")
    return read_state(page, re.compile(r'<span class="state (\w+)"'))


def grid(api: Api) -> str:
    return read_state(api.get("/dashboard/provider/Prices/consumer/Shop?view=grid", accept="text/html"), CELL)


def read_state(page: Answer, pattern: re.Pattern[str]) -> str:
    assert page.status == 200
    match = pattern.search(page.text)
    return match[1].replace("changed", "unknown") if match else "unknown"


def dashboard(api: Api) -> str:
    (item,) = api.get("/dashboard/provider/Prices/consumer/Shop").json()["items"]
    return {"success": "verified", "failed": "failed", "never": "unknown"}[item["verificationStatus"]]


def latest(api: Api) -> str:
    success = api.get(f"{PACT}/version/1/verification-results/latest").json()["success"]
    return "verified" if success else "failed"


PLACES: dict[str, Callable[[Api], str]] = {
    "overview": overview,
    "page of the pair": pair_page,
    "grid": grid,
    "dashboard": dashboard,
    "badge": badge_state,
}


@pytest.mark.parametrize("events", SCENARIOS.values(), ids=list(SCENARIOS))
def test_all_places_agree_with_the_decision(api: Api, clock: Clock, events: tuple[str, ...]) -> None:
    history = History(api)
    is_unfitting = "other contract" in events
    history.publish("Shop", "1", "Prices", UNFITTING if is_unfitting else FITTING, branch="main")
    for event in events:
        clock.now += timedelta(minutes=1)
        play(api, history, event)
        history.deploy("Prices", "1", "production")
        # The decision computes a missing comparison, so that it is the newest result.
        deployable(api)
    expected = {True: "verified", False: "failed", None: "unknown"}[deployable(api)]
    assert {place: show(api) for place, show in PLACES.items()} == dict.fromkeys(PLACES, expected)
    if expected == "failed":
        assert latest(api) == "failed"


def play(api: Api, history: History, event: str) -> None:
    match event:
        case "verify" | "fail":
            history.verify("Shop", "1", "Prices", "1", success=event == "verify")
        case "contract without result":
            publish_contract(api, success=None)
        case _:
            publish_contract(api, success=event != "failing contract")


def test_the_counts_of_versions_count_a_pair_once(api: Api) -> None:
    history = History(api)
    history.publish("Shop", "1", "Prices", FITTING, branch="main")
    history.verify("Shop", "1", "Prices", "1", success=False)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    assert deployable(api) is False
    for name, column in (("Shop", "Pacts"), ("Prices", "Verified pacts")):
        page = api.get(f"/pacticipants/{name}", accept="text/html").text
        cell = re.search(rf'data-name="{column}">(.*?)</td>', page, re.DOTALL)
        assert cell, name
        assert ("Failed" in cell[1], "0 of 1" in cell[1]) == (True, True), name
