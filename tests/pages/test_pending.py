"""Pending pacts, work in progress and stale integrations: the same as pacts for verification, with their times."""

import random
from datetime import timedelta

import pytest

from tests.pages.results import verify_pact
from tests.scale import choose

HISTORIES = choose(3, slow=10, long=100)
STEPS = 40


def pact_rows(shown):
    """The pacts that are listed: consumer, version, provider."""
    parts = [link.split("/") for link in shown.links if link.startswith("/pacts/provider/")]
    return [(part[5], part[7], part[3]) for part in parts]


def pairs(shown):
    parts = [link.split("/") for link in shown.links if link.startswith("/dashboard/provider/")]
    return [(part[5], part[3]) for part in parts]


def test_a_pact_of_a_main_branch_is_pending_until_the_main_branch_of_its_provider_has_verified_it(api, show, clock):
    api.publish("Till", "1", "Ledger", "one", branch="main")
    api.put("/pacticipants/Ledger/branches/main/versions/9", {})
    clock.now += timedelta(days=3)
    shown = show("/pending")
    assert pact_rows(shown) == [("Till", "1", "Ledger")]
    assert "What is pending? 1 pact" in shown.text
    assert "3 days ago ? Not verified A success of Ledger from Branch: ⎇ main" in shown.text
    clock.now += timedelta(days=1)
    verify_pact(api, "Till", "1", "Ledger", "10", success=False, branch="main")
    assert "✕ Failed by 10 , just now" in show("/pending").text
    verify_pact(api, "Till", "1", "Ledger", "11", branch="feat/x".replace("/", "%2F"))
    assert pact_rows(show("/pending")) == [("Till", "1", "Ledger")]
    verify_pact(api, "Till", "1", "Ledger", "12", branch="main")
    assert "No pact is pending." in show("/pending").text


def test_without_main_branches_the_latest_pact_is_pending_until_any_version_has_verified_it(make_api, show):
    api = make_api(auto_detect_main_branch=False)
    assert api.publish("Till", "1", "Ledger", "one", branch="feat").status == 200
    assert "latest pact" in show("/pending").text
    assert "from any branch, since it has no main branch" in show("/pending").text
    verify_pact(api, "Till", "1", "Ledger", "10")
    assert pact_rows(show("/pending")) == []


def test_work_in_progress_lists_recent_pacts_of_other_branches(api, show, clock):
    api.publish("Till", "1", "Ledger", "one", branch="main")
    clock.now += timedelta(hours=1)
    api.publish("Till", "2", "Ledger", "two", branch="feat")
    api.publish("Till", "3", "Ledger", "one", branch="other")
    assert pact_rows(show("/pending?wip=30")) == [("Till", "3", "Ledger"), ("Till", "2", "Ledger")]
    clock.now += timedelta(days=10)
    assert pact_rows(show("/pending?wip=9")) == []
    verify_pact(api, "Till", "1", "Ledger", "10")
    assert pact_rows(show("/pending?wip=11")) == [("Till", "2", "Ledger")]
    assert pact_rows(show("/pending?wip=11&q=till")) == [("Till", "2", "Ledger")]
    assert "Nothing of “nobody” is here" in show("/pending?wip=11&q=nobody").text


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("value", ["x", "0", "-1", "9" * 30])
def test_an_invalid_number_of_days_is_replaced_by_the_default_or_the_nearest_one(show, value):
    shown = show(f"/pending?stale={value}")
    assert shown.status == 200
    assert "No integration is stale." in shown.text


class _History:
    """Publishes and verifies at random, and notes when each pair was active last."""

    def __init__(self, api, clock, chance):
        self.api, self.clock, self.chance = api, clock, chance
        self.published = []
        self.active = {}
        self.number = 0

    def step(self):
        self.clock.now += timedelta(hours=self.chance.randrange(1, 60))
        self.chance.choice((self.publish, self.publish, self.verify, self.verify, self.set_main))()

    def publish(self):
        consumer, provider = self.chance.sample("ABCD", 2)
        self.number += 1
        content, branch = self.chance.choice("xyz"), self.chance.choice(("main", "feat", None))
        more = {} if branch is None else {"branch": branch}
        assert self.api.publish(consumer, str(self.number), provider, content, **more).status == 200
        self.published.append((consumer, str(self.number), provider))
        self.active[consumer, provider] = self.clock.now

    def verify(self):
        if self.published:
            consumer, version, provider = self.chance.choice(self.published)
            self.number += 1
            branch, success = self.chance.choice(("main", "feat", None)), self.chance.random() < 0.6
            verify_pact(self.api, consumer, version, provider, str(self.number), success=success, branch=branch)
            self.active[consumer, provider] = self.clock.now

    def set_main(self):
        name, branch = self.chance.choice("ABCD"), self.chance.choice(("main", "feat", "none"))
        if self.api.get(f"/pacticipants/{name}").status == 200:
            assert self.api.patch(f"/pacticipants/{name}", {"mainBranch": branch}).status == 200

    def pending(self):
        """The pending pacts of main branches, as their providers would get them."""
        pending_pacts = []
        for provider in "ABCD":
            answer = self.api.get(f"/pacticipants/{provider}")
            if answer.status != 200:
                continue
            branch = answer.json().get("mainBranch")
            body = {"consumerVersionSelectors": [{"mainBranch": True}], "includePendingStatus": True}
            body |= {} if branch is None else {"providerVersionBranch": branch}
            pacts = self.api.post(f"/pacts/provider/{provider}/for-verification", body).json()["_embedded"]["pacts"]
            for pact in pacts:
                if pact["verificationProperties"]["pending"]:
                    _, consumer, provider_name, version = self._names(pact)
                    pending_pacts.append((consumer, version, provider_name))
        return sorted(pending_pacts)

    @staticmethod
    def _names(pact):
        words = pact["shortDescription"], pact["_links"]["self"]["name"]
        text = words[1]  # Pact between A (1) and B
        consumer, version = text.removeprefix("Pact between ").partition(" and ")[0].rstrip(")").split(" (")
        return words[0], consumer, text.rpartition(" and ")[2], version


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_over_random_histories_pending_and_stale_match_pacts_for_verification_and_a_diary(api, show, clock, seed):
    history = _History(api, clock, random.Random(seed))  # noqa: S311 - not a secret
    for _ in range(STEPS):
        history.step()
    mains = {name for name in "ABCD" if api.get(f"/pacticipants/{name}").json().get("mainBranch") is not None}
    listed = [row for row in pact_rows(show("/pending?pageSize=200")) if row[0] in mains]
    assert sorted(listed) == history.pending()
    for days in (1, 5, 20, 60):
        before = clock.now - timedelta(days=days)
        expected = sorted((at, pair) for pair, at in history.active.items() if at < before)
        assert pairs(show(f"/pending?stale={days}&pageSize=200")) == [pair for _, pair in expected], days


def test_a_page_names_the_days_that_it_shows_instead_of_an_invalid_number(show):
    assert (
        "“abc” is not a number of days from 1 to 3,650. The list is that of 30 days." in show("/pending?stale=abc").text
    )
    assert "is not a number of days" not in show("/pending?stale=030").text
