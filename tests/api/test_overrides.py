"""Overrides: a person turns the no of a version and an environment into a yes, for a reason and for a time."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.client import Answer, Api, Clock
from tests.api.history import History
from treaty.model.maintenance.retention import Retention
from treaty.store.engine.database import Database
from treaty.workers.cleanup import Cleaner

SVG = "image/svg+xml"
REASON = "The outage of today is worse."
MATRIX = "/matrix?q[][pacticipant]=web&q[][version]=2&latestby=cvpv&environment=prod"
INFORMATION = {"named_by_alias", "no_version_number"}
DOORS = {
    "can-i-deploy": "/can-i-deploy?pacticipant=web&version=2&environment=prod",
    "matrix": MATRIX,
    "a limited matrix": f"{MATRIX}&limit=1",
    "the branch": "/pacticipants/web/branches/main/latest-version/can-i-deploy/to-environment/prod",
    "an alias": "/can-i-deploy?pacticipant=web&version=commit&environment=prod",
}


@pytest.fixture
def history(api: Api) -> History:
    return fill(api)


def fill(api: Api) -> History:
    """`web` 2 fails with `prices`, has no result with `stock`, and works with `news`. Three others ask for nothing."""
    history = History(api)
    for provider in ("prices", "stock", "news"):
        history.publish("web", "1", provider, f"old {provider}")
        history.publish("web", "2", provider, provider)
        history.verify("web", "1", provider, "1")
        history.deploy(provider, "1", "prod")
        history.deploy(provider, "1", "test")
    history.verify("web", "2", "prices", "1", success=False)
    history.verify("web", "2", "news", "1")
    history.branch("web", "2", "main")
    history.deploy("web", "1", "prod")
    assert api.put("/pacticipants/web/versions/2/aliases/commit", {}).status == 201
    return history


def create(api: Api, **more: object) -> Answer:
    body = {
        "pacticipantName": "web",
        "pacticipantVersionNumber": "2",
        "environmentName": "prod",
        "reason": REASON,
        **more,
    }
    return api.post("/overrides", {name: value for name, value in body.items() if value is not None})


def override(api: Api, **more: object) -> Any:
    answer = create(api, **more)
    assert answer.status == 201, answer.text
    return answer.json()


def verdict(api: Api, path: str) -> bool | None:
    answer: bool | None = api.get(path).json()["summary"]["deployable"]
    return answer


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("door", DOORS)
def test_an_override_answers_yes_with_all_that_it_overrides(api: Api, door: str) -> None:
    before = api.get(DOORS[door]).json()
    created = override(api, pacticipantVersionNumber="commit" if door == "an alias" else "2")
    after = api.get(DOORS[door]).json()
    assert (before["summary"]["deployable"], after["summary"]["deployable"]) == (None, True)
    # The results stay as they are.
    assert after["matrix"] == before["matrix"]
    counts = ("success", "failed", "unknown")
    assert [after["summary"][name] for name in counts] == [before["summary"][name] for name in counts]
    reasons = [reason for reason in after["reasons"] if reason["kind"] not in INFORMATION]
    assert [reason["kind"] for reason in reasons] == ["overridden", "failed_verification", "missing_verification"]
    assert {reason["type"] for reason in reasons} == {"warning"}
    assert reasons[0]["text"] == f"web (2) is overridden for prod until 2024-05-07 07:08 UTC: {REASON}"
    assert all(reason["override"]["uuid"] == created["uuid"] for reason in reasons)
    assert reasons[0]["override"]["reason"] == REASON
    old = {reason["kind"]: reason for reason in before["reasons"]}
    for reason in reasons[1:]:
        # An overridden pair keeps its cause and its next step.
        assert reason["text"] == f"Overridden: {old[reason['kind']]['text']}"
        assert {name: reason[name] for name in ("cause", "since", "next")} == {
            name: old[reason["kind"]][name] for name in ("cause", "since", "next")
        }
    assert [notice["text"] for notice in after["notices"]] == [reason["text"] for reason in after["reasons"]]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/can-i-deploy?pacticipant=web&version=1&environment=prod", True),
        ("/can-i-deploy?pacticipant=web&version=3&environment=prod", None),
        ("/can-i-deploy?pacticipant=web&version=2&environment=test", None),
        ("/can-i-deploy?pacticipant=prices&version=1&environment=prod", True),
        ("/can-i-deploy?pacticipant=prices&version=2&environment=prod", None),
        ("/can-i-deploy?pacticipant=web&version=none&environment=prod", False),
        ("/matrix?q[][pacticipant]=web&q[][version]=2&latestby=cvpv", None),
        ("/matrix?q[][pacticipant]=web&latestby=cvpv&environment=prod", None),
        ("/matrix?q[][pacticipant]=web&q[][version]=2&q[][pacticipant]=web&q[][version]=3&environment=prod", None),
    ],
)
def test_an_override_answers_no_other_question(api: Api, history: History, path: str, *, expected: bool | None) -> None:
    history.publish("web", "3", "prices", "another thing")
    history.version("prices", "2")
    assert verdict(api, path) is expected
    override(api)
    assert verdict(api, path) is expected


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("counterparts", "expected"),
    [(["prices"], None), (["stock"], False), (["news"], None), (["prices", "stock"], True)],
)
def test_an_override_for_a_counterpart_covers_its_results_only(
    api: Api, counterparts: list[str], *, expected: bool | None
) -> None:
    for name in counterparts:
        override(api, counterpart=name)
    answer = api.get(DOORS["can-i-deploy"]).json()
    assert answer["summary"]["deployable"] is expected
    named = [reason["override"]["reason"] for reason in answer["reasons"] if reason["kind"] == "overridden"]
    assert len(named) == len([name for name in counterparts if name != "news"])
    errors = {reason["provider"]["name"] for reason in answer["reasons"] if reason["type"] == "error"}
    assert errors == {"prices", "stock"} - set(counterparts)


def test_an_override_for_a_version_itself_covers_its_pact_with_itself(api: Api, history: History) -> None:
    history.publish("ledger", "1", "ledger")
    history.verify("ledger", "1", "ledger", "1", success=False)
    path = "/can-i-deploy?pacticipant=ledger&version=1&environment=prod"
    assert api.get(path).json()["summary"]["deployable"] is False
    body = {"pacticipantName": "ledger", "pacticipantVersionNumber": "1", "environmentName": "prod"}
    created = api.post("/overrides", {**body, "reason": "An outage.", "counterpart": "ledger"})
    assert created.status == 201, created.text
    assert api.get(path).json()["summary"]["deployable"] is True


@pytest.mark.usefixtures("history")
def test_an_override_ends_at_its_time_also_for_cached_answers(api: Api, clock: Clock) -> None:
    override(api, expiresAt="2024-05-06T10:08:09+02:00")
    end = clock.now + timedelta(hours=1)
    paths = [DOORS["can-i-deploy"], DOORS["matrix"], DOORS["the branch"]]
    for moment in (clock.now, clock.now, end - timedelta(microseconds=1)):
        clock.now = moment
        assert [verdict(api, path) for path in paths] == [True] * 3
    for moment in (end, end + timedelta(days=1)):
        clock.now = moment
        assert [verdict(api, path) for path in paths] == [None] * 3
    assert [item["state"] for item in api.get("/overrides").json()["_embedded"]["overrides"]] == ["expired"]


@pytest.mark.usefixtures("history")
def test_the_first_of_two_overrides_to_end_ends_a_cached_answer(api: Api, clock: Clock) -> None:
    override(api, counterpart="stock", expiresAt="2024-05-06T08:08:09Z")
    override(api, counterpart="prices", expiresAt="2024-05-06T09:08:09Z")
    assert [verdict(api, DOORS["can-i-deploy"]) for _ in range(3)] == [True] * 3
    clock.now += timedelta(hours=1)
    assert verdict(api, DOORS["can-i-deploy"]) is None


@pytest.mark.usefixtures("history")
def test_a_revoked_override_ends_at_once_and_can_still_be_read(api: Api) -> None:
    created = override(api)
    path = f"/overrides/{created['uuid']}"
    assert [verdict(api, DOORS["can-i-deploy"]) for _ in range(3)] == [True] * 3
    assert [api.delete(path).status for _ in range(2)] == [204, 204]
    assert verdict(api, DOORS["can-i-deploy"]) is None
    document = api.get(path).json()
    assert document["state"] == "revoked"
    assert document["reason"] == REASON
    assert document["revokedAt"]


def test_an_override_is_not_needed_for_a_yes(api: Api, history: History) -> None:
    history.verify("web", "2", "prices", "1")
    history.verify("web", "2", "stock", "1")
    override(api)
    assert [reason["kind"] for reason in api.get(DOORS["can-i-deploy"]).json()["reasons"]] == ["all_verified"]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("more", "member", "text"),
    [
        ({"reason": None}, "reason", "is missing"),
        ({"reason": "  "}, "reason", "cannot be blank"),
        ({"reason": "x" * 1001}, "reason", "cannot be longer than 1000 characters"),
        ({"pacticipantName": "wbe"}, "pacticipantName", "does not match an existing pacticipant. Did you mean web?"),
        ({"counterpart": "stok"}, "counterpart", "does not match an existing pacticipant. Did you mean stock?"),
        ({"pacticipantVersionNumber": "7"}, "pacticipantVersionNumber", "'web' has no version '7', and"),
        ({"environmentName": "prd"}, "environmentName", "with name 'prd' does not exist. Did you mean prod?"),
        ({"environmentName": None}, "environmentName", "is missing. Give either environmentName or environmentUuid"),
        ({"environmentUuid": "x"}, "environmentName", "is missing. Give either environmentName or environmentUuid"),
        (
            {"environmentName": None, "environmentUuid": "none"},
            "environmentUuid",
            "no environment has the UUID 'none'",
        ),
        ({"expiresAt": "tomorrow"}, "expiresAt", "must be a time such as 2030-01-31T18:00:00Z"),
        ({"expiresAt": "2024-05-06T08:00:00"}, "expiresAt", "must be a time such as 2030-01-31T18:00:00Z"),
        ({"expiresAt": "2024-05-06T07:08:09Z"}, "expiresAt", "must be in the future"),
        ({"expiresAt": "2024-06-05T07:08:10Z"}, "expiresAt", "must be 2024-06-05T07:08:09Z at the latest"),
    ],
)
def test_an_override_that_breaks_a_rule_is_refused(api: Api, more: dict[str, object], member: str, text: str) -> None:
    answer = create(api, **more)
    assert answer.status == 400
    assert any(problem.startswith(text) for problem in answer.json()["errors"][member]), answer.text
    assert verdict(api, DOORS["can-i-deploy"]) is None


def test_an_override_can_name_the_environment_by_uuid_and_the_settings_limit_it(
    make_api: Any, history: History
) -> None:
    other = make_api(override_max_duration=timedelta(hours=2))
    created = override(other, environmentName=None, environmentUuid=history.environment("prod"))
    assert created["environmentName"] == "prod"
    assert created["expiresAt"] == "2024-05-06T09:08:09+00:00"
    answer = create(other, expiresAt="2024-05-06T09:08:10Z")
    assert answer.status == 400
    assert "override_max_duration" in answer.text


@pytest.mark.usefixtures("history")
def test_overrides_are_listed_by_filters_and_pages(api: Api, clock: Clock) -> None:
    first = override(api, counterpart="prices", expiresAt="2024-05-06T07:09:00Z")["uuid"]
    second = override(api, environmentName="test")["uuid"]
    third = override(api, pacticipantName="news", pacticipantVersionNumber="1")["uuid"]
    clock.now += timedelta(minutes=1)

    def listed(query: str = "") -> list[str]:
        answer = api.get(f"/overrides{query}")
        assert answer.status == 200, answer.text
        return [item["uuid"] for item in answer.json()["_embedded"]["overrides"]]

    assert listed() == [third, second, first]
    assert listed("?active=true") == [third, second]
    assert listed("?active=false") == [first]
    assert listed("?pacticipant=web&version=2&environment=test") == [second]
    assert listed("?size=1&page=2") == [second]
    assert api.get("/overrides?pacticipant=").status == 400
    assert api.get("/overrides/none").status == 404


def test_sets_answer_by_overrides_of_their_members(api: Api, history: History) -> None:
    history.version("news", "2")
    history.publish("app", "1", "news", "more news")
    history.verify("app", "1", "news", "1")
    history.deploy("app", "1", "prod")

    def ask() -> Any:
        versions = [{"pacticipant": "web", "version": "2"}, {"pacticipant": "news", "version": "2"}]
        return api.post("/decisions", {"environment": "prod", "versions": versions}).json()

    assert ask()["deployable"] is None
    override(api)
    answer = ask()
    assert answer["deployable"] is None
    assert [member["pacticipant"] for member in answer["leaveOut"]] == ["news"]
    assert [member["pacticipant"] for member in answer["order"]] == ["web"]
    override(api, pacticipantName="news", pacticipantVersionNumber="2")
    answer = ask()
    assert answer["deployable"] is True
    assert answer["leaveOut"] == []
    assert len(answer["order"]) == 2
    assert [reason["kind"] for reason in answer["reasons"]].count("overridden") == 2


def test_badges_show_an_override_without_its_author_and_reason(make_api: Any) -> None:
    api = make_api(badge_provider_mode="proxy")
    fill(api)
    path = "/pacticipants/web/branches/main/latest-version/can-i-deploy/to-environment/prod/badge"
    assert "e05d44" in api.get(path, accept=SVG).text
    override(api)
    badge = api.get(path, accept=SVG).text
    assert "#4c1" in badge
    assert "web (2) is overridden for prod until 2024-05-07 07:08 UTC" in badge
    assert REASON not in badge


@pytest.mark.usefixtures("history")
def test_what_if_shows_the_evidence_whatever_is_overridden(api: Api) -> None:
    body = {"environment": "prod", "changes": [{"change": "deploy", "pacticipant": "web", "version": "2"}]}
    before = api.post("/decisions/what-if", body).json()
    override(api)
    assert api.post("/decisions/what-if", body).json() == before
    assert before["safe"] is False


@pytest.mark.usefixtures("history")
def test_overrides_are_audited_and_removed_with_their_version(api: Api) -> None:
    created = override(api, counterpart="prices")
    api.delete(f"/overrides/{created['uuid']}")
    # An integration cannot be used without its version; the audit trail keeps the reason.
    assert api.delete("/pacticipants/web/versions/2").status == 204
    assert api.get(f"/overrides/{created['uuid']}").status == 404
    events = api.get("/audit?type=override_creation").json()["events"]
    assert [(event["resource"], event["relatedResource"]) for event in events] == [("web", "prod")]
    assert events[0]["after"] == {
        "reason": REASON,
        "expires_at": "2024-05-07T07:08:09+00:00",
        "counterpart": "prices",
    }
    assert events[0]["payload"]["params"]["version"] == "2"
    assert len(api.get("/audit?type=override_revocation").json()["events"]) == 1


def test_an_override_covers_more_rows_than_an_answer_shows(api: Api) -> None:
    """The database summarizes more rows than the limit, and names only some of them."""
    history = History(api)
    for number in range(52):
        history.publish("many", "1", f"service-{number}", "a thing")
        history.version(f"service-{number}", "1")
        history.deploy(f"service-{number}", "1", "prod")
    path = "/matrix?q[][pacticipant]=many&q[][version]=1&latestby=cvpv&environment=prod"
    paths = [path, f"{path}&limit=1", "/can-i-deploy?pacticipant=many&version=1&environment=prod"]
    assert [verdict(api, path) for path in paths] == [None] * 3
    override(api, pacticipantName="many", pacticipantVersionNumber="1", counterpart="service-1")
    assert [verdict(api, path) for path in paths] == [None] * 3
    override(api, pacticipantName="many", pacticipantVersionNumber="1")
    assert [verdict(api, path) for path in paths] == [True] * 3
    assert {reason["type"] for path in paths for reason in api.get(path).json()["reasons"]} == {"warning"}


@pytest.mark.usefixtures("history")
def test_ended_overrides_are_removed_with_events_of_their_age(
    api: Api,
    database: Database,
    clock: Clock,
) -> None:
    override(api, counterpart="prices")
    revoked = override(api, counterpart="stock")["uuid"]
    api.delete(f"/overrides/{revoked}")
    clock.now += timedelta(days=20)
    active = override(api, expiresAt="2024-06-20T00:00:00Z")["uuid"]

    def clean() -> list[str]:
        cleaner = Cleaner(
            database, Retention(versions=()), audit_max_age=timedelta(days=30), clock=clock, pause=lambda _: False
        )
        cleaner.clean_history()
        return [item["uuid"] for item in api.get("/overrides").json()["_embedded"]["overrides"]]

    assert len(clean()) == 3
    clock.now += timedelta(days=12)
    assert clean() == [active]
    cleanings = api.get("/audit?type=cleaning").json()["events"]
    assert {"overrides": 2} in [event["before"] for event in cleanings]
