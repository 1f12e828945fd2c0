"""A clean-up uses the same times as decisions, although facts arrive in another order."""

from datetime import timedelta

import pytest

from tests.api.history import History
from treaty.model.maintenance.retention import KeepVersions, Retention, add_in_use_selectors
from treaty.workers.cleanup import Cleaner

PAIR = "/pacts/provider/Bar/consumer/Foo"
KEPT = add_in_use_selectors([KeepVersions(pacticipant="Foo", latest=True), KeepVersions(tag=True, latest=True)])


@pytest.fixture
def clean(database, clock):
    """Clean up in a year; return how many versions went."""

    def clean():
        later = clock.now + timedelta(days=365)
        retention = Retention(versions=KEPT, branches=(), overwritten_max_age=None)
        return (
            Cleaner(database, retention, clock=lambda: later, pause=lambda _: False).clean()["clean"]["versions"].gone
        )

    return clean


def verifiable(api, tag):
    """Return for each pact for a version with a tag whether it is pending, and whether it is in progress."""
    body = {
        "providerVersionTags": [tag],
        "includePendingStatus": True,
        "includeWipPactsSince": "2020-01-01",
        "consumerVersionSelectors": [{"consumer": "Foo", "tag": "released", "latest": True}],
    }
    pacts = api.post("/pacts/provider/Bar/for-verification", body).json()["_embedded"]["pacts"]
    properties = [pact["verificationProperties"] for pact in pacts]
    return [(pact_properties["pending"], pact_properties.get("wip", False)) for pact_properties in properties]


def test_a_success_that_was_published_late_still_ends_work_in_progress(api, clock, clean):
    history = History(api)
    began = clock.now
    history.publish("Foo", "1", "Bar", branch="main")
    publish = api.get(f"{PAIR}/version/1").link("pb:publish-verification-results")
    for number, days in (("1", 20), ("2", -20), ("3", 30)):
        clock.now += timedelta(minutes=1)
        history.version("Bar", number)
        history.tag("Bar", number, "main")
        verified_at = (began + timedelta(days=days)).isoformat()
        body = {"success": True, "providerApplicationVersion": number, "verificationDate": verified_at}
        assert api.post(publish, body).status == 201
    history.version("Bar", "4")
    history.tag("Bar", "4", "feat")
    before = verifiable(api, "feat")
    assert before == []
    assert clean() == 0
    assert verifiable(api, "feat") == before


def test_the_first_version_with_a_tag_is_that_with_the_oldest_tag(api, clock, clean):
    began = clock.now
    clock.now += timedelta(days=30)

    def version(number, tag, days):
        times = {name: (began + timedelta(days=days)).isoformat() for name in ("createdAt", "updatedAt")}
        tags = [{"name": tag, "createdAt": times["createdAt"]}]
        return {"kind": "version", "pacticipant": "Bar", "number": number, **times, "tags": tags}

    times = {"createdAt": began.isoformat(), "updatedAt": began.isoformat()}
    facts = [
        {"kind": "pacticipant", "name": "Bar", **times},
        *(version("3", "prod", 20), version("1", "prod", 1), version("2", "main", 10)),
    ]
    answer = api.post("/import", {"source": "http://source.test", "run": "1", "facts": facts})
    assert [outcome["outcome"] for outcome in answer.json()["outcomes"]] == ["copied"] * 4
    clock.now = began + timedelta(days=10)
    history = History(api)
    history.publish("Foo", "1", "Bar", tags=["released"])
    history.verify("Foo", "1", "Bar", "2")
    before = verifiable(api, "prod")
    assert before == [(True, False)]
    assert clean() == 0
    assert verifiable(api, "prod") == before
