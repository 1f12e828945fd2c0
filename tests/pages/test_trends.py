"""Trends equal a plain count of a random history, and bars lead to their rows."""

import random
import re
from collections import Counter
from datetime import datetime, timedelta

import pytest

from tests.pages.conftest import deploy, verify
from tests.pages.results import verify_pact
from tests.scale import choose

HISTORIES = choose(3, slow=10, long=100)
STEPS = 60
DAYS = 30


def numbers(shown, title):
    """The rows of the table below a chart, by their first cell."""
    text = shown.answer.text.partition(f'<h2 id="{title}">')[2].partition("</table>")[0]
    rows = re.findall(r"<tr><th scope=\"row\">([^<]*)</th>(.*?)</tr>", text)
    return {day: re.findall("<td>([^<]*)</td>", cells) for day, cells in rows}


class _Diary:
    """Performs random steps, and records each with its time."""

    def __init__(self, api, clock, chance):
        self.api, self.clock, self.chance = api, clock, chance
        self.number = 0
        self.published = []
        """The time, pair, version and content of each publication, in the order of versions."""
        self.results = []
        """The time, pair, content, and success of each result."""

    def step(self):
        self.clock.now += timedelta(hours=self.chance.randrange(1, 40))
        self.chance.choice((self.publish, self.verify, self.verify))()

    def publish(self):
        consumer, provider = self.chance.sample("ABC", 2)
        self.number += 1
        content = self.chance.choice("xyz")
        assert self.api.publish(consumer, str(self.number), provider, content, branch="main").status == 200
        self.published.append((self.clock.now, (consumer, provider), str(self.number), content))

    def verify(self):
        if not self.published:
            return
        _, pair, version, content = self.chance.choice(self.published)
        self.number += 1
        success = self.chance.random() < 0.6
        verify_pact(self.api, pair[0], version, pair[1], str(self.number), success=success, branch="main")
        self.results.append((self.clock.now, pair, content, success))

    def days(self):
        """The last days, the newest first."""
        return [self.clock.now.date() - timedelta(days=ago) for ago in range(DAYS)]

    def health(self, day):
        """How many pairs had a pact at the end of a day, and how many of the latest pacts had been verified."""
        latest = {pair: content for at, pair, _, content in self.published if at.date() <= day}
        newest = {(pair, content): success for at, pair, content, success in self.results if at.date() <= day}
        healthy = sum(newest.get((pair, content), False) for pair, content in latest.items())
        return [str(healthy), str(len(latest))]

    def count(self, day, pair=None):
        counts = Counter(success for at, each, _, success in self.results if at.date() == day and pair in (None, each))
        return [str(counts[True]), str(counts[False])]


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_over_random_histories_trends_match_a_diary(api, show, clock, seed):
    diary = _Diary(api, clock, random.Random(seed))  # noqa: S311 - not a secret
    for _ in range(STEPS):
        diary.step()
    shown = show("/trends")
    assert numbers(shown, "health") == {str(day): diary.health(day) for day in diary.days()}
    assert numbers(shown, "results") == {str(day): diary.count(day) for day in diary.days()}
    first: dict[object, datetime] = {}
    for at, pair, _, content in diary.published:
        first.setdefault((pair, content), at)
    new = Counter(at.date() for at in first.values())
    waits = numbers(shown, "waits")
    assert {day: cells[0] for day, cells in waits.items()} == {str(day): str(new[day]) for day in diary.days()}
    consumer, provider = diary.published[-1][1]
    shown = show(f"/trends?consumer={consumer}&provider={provider}")
    expected = {str(day): diary.count(day, (consumer, provider)) for day in diary.days()}
    assert numbers(shown, "results") == expected
    for day in diary.days()[:3]:
        healthy, total = map(int, diary.health(day))
        assert f"{total - healthy} of {total - healthy}" in _pager(show(f"/trends/rows?show=health&day={day}"))
        listed = show(f"/trends/rows?show=results&day={day}")
        states = [listed.text.count(f"{sign} {word}") for sign, word in (("✓", "Verified"), ("✕", "Failed"))]
        assert states == [int(count) for count in diary.count(day)]


def _pager(shown):
    match = re.search(r"1-(\d+) of (\d+) rows?|No rows", shown.text)
    assert match
    return "0 of 0" if match[1] is None else f"{match[1]} of {match[2]}"


def test_every_bar_leads_to_its_rows(history, show, clock):
    today = clock.now.date().isoformat()
    shown = show("/trends")
    assert "How are we doing?" in shown.text
    titles: dict[str, str] = {}
    for link in shown.all("a"):
        titles.setdefault(link.attributes.get("aria-label") or "", link.attributes.get("href") or "")
    path = titles[f"{today}: 1 passed, 1 failed"]
    assert path == f"/trends/rows?show=results&day={today}"
    text = show(path).text
    assert "✕ Failed Till Ledger 11 just now" in text
    assert text.index("Ledger 11") < text.index("Ledger 10")
    assert "Till Ledger History" in show(titles[f"{today}: 0 of 1 integrations healthy"]).text
    deployments = next(href for label, href in titles.items() if "2 deployments" in label)
    assert "Till 1 Production: Production" in show(deployments).text
    waits = next(href for label, href in titles.items() if "first result" in label)
    assert "none yet" in show(waits).text
    assert history


def test_trends_are_those_of_an_application_or_of_a_pair(history, show):
    history.publish("Shop", "1", "Stock")
    deploy(history, "Shop", "1", "test")
    assert sum(int(cells[0]) for cells in numbers(show("/trends"), "deployments").values()) == 3
    shown = show("/trends?application=Stock")
    assert "How is Stock doing?" in shown.text
    assert sum(int(passed) for passed, _ in numbers(shown, "results").values()) == 0
    assert "0 of 1" in shown.text
    assert show("/trends?application=Nobody").status == 404
    verify(history, "3", "12", success=True)
    shown = show("/trends?by=pair")
    assert "/trends?consumer=Till&provider=Ledger" in shown.links
    assert "1 of 2" in shown.text
    assert "/trends?application=Ledger" in show("/trends").links


def test_an_invalid_day_is_replaced_by_today(api, show, clock):
    api.publish("Shop", "1", "Stock")
    assert f"Results on {clock.now.date()}" in show("/trends/rows?day=nonsense").text
    assert "There are none" in show("/trends/rows?show=nonsense").text
