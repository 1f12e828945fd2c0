"""Recorded decisions: the record is the answer that was returned, and later changes never alter it."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.api.client import Api, Clock
from tests.api.comparisons import FITTING, publish_contract
from tests.api.credentials import bearer
from tests.api.history import History
from tests.api.recorded_decisions import (
    PATH,
    Body,
    add_decided_versions,
    list_recorded,
    record,
    send,
    set_question,
    set_recording,
    version_question,
)
from treaty.model.accounts.access import Role
from treaty.model.accounts.scopes import Scope
from treaty.model.maintenance.retention import DEFAULT_VERSION_SELECTORS, Retention, add_in_use_selectors
from treaty.store.engine.database import Database
from treaty.workers.cleanup import Cleaner


@pytest.fixture
def history(api: Api) -> History:
    return add_decided_versions(api)


QUESTIONS: dict[str, tuple[Body, bool | None, list[str], list[str]]] = {
    "a set with a no": (set_question("web@1"), False, ["never_passed"], ["web@1"]),
    "a set with a yes": (set_question("web@2"), True, [], ["web@2"]),
    "a set without a result": (set_question("web@3"), None, ["verification_not_requested"], ["web@3"]),
    "a set with an unknown version": (
        set_question("web@2", "prices@9"),
        False,
        ["version_never_built"],
        ["prices@9", "web@2"],
    ),
    "a version": (version_question("web", version="2"), True, [], ["web@2"]),
    "a version with a no": (version_question("web", version="1"), False, ["never_passed"], ["web@1"]),
    "an ignored provider": (version_question("web", version="1", ignore=("prices",)), True, [], ["web@1"]),
    "an alias": (version_question("web", version="c0ffee"), True, [], ["web@2"]),
    "the latest version": (version_question("web", latest=True), None, ["verification_not_requested"], ["web@3"]),
    "an unknown branch": (version_question("web", branch="main"), False, ["excluded_by_selector"], ["web@"]),
}


@pytest.mark.usefixtures("history")
def test_a_record_is_the_answer_that_was_returned(api: Api) -> None:
    api.put("/pacticipants/web/versions/2/aliases/c0ffee", {})
    for name, (body, deployable, causes, versions) in QUESTIONS.items():
        unrecorded = send(api, body)
        assert unrecorded["recorded"] is False
        answer, kept = record(api, body, headers={"user-agent": "pipeline/1.0"})
        assert without(answer, "recorded", "_links") == without(unrecorded, "recorded", "_links"), name
        assert (answer["deployable"], kept["deployable"]) == (deployable, deployable), name
        for member in ("reasons", "summary", "leaveOut", "leaveOutIsSmallest", "order"):
            assert kept.get(member) == answer.get(member), (name, member)
        assert (kept["causes"], kept["question"], kept["client"]) == (causes, body, "pipeline/1.0"), name
        assert [f"{each['pacticipant']}@{each['version']}" for each in kept["versions"]] == versions, name
        assert kept["environment"]["name"] == "production"


def without(document: Mapping[str, Any], *members: str) -> Mapping[str, Any]:
    return {name: value for name, value in document.items() if name not in members}


@pytest.mark.parametrize("criteria", [{"version": "1"}, {"version": "2"}, {"version": "3"}, {"latest": True}])
@pytest.mark.usefixtures("history")
def test_the_answer_about_a_version_is_that_of_the_matrix(api: Api, criteria: dict[str, Any]) -> None:
    texts = "&".join(f"q[][{name}]={str(value).lower()}" for name, value in criteria.items())
    matrix = api.get(f"/matrix?q[][pacticipant]=web&{texts}&latestby=cvpv&environment=production").json()
    answer = send(api, {**version_question("web", **criteria), "record": True})
    assert {name: answer[name] for name in matrix} == matrix


def test_a_record_names_the_facts_by_version_and_content(api: Api, history: History) -> None:
    history.deploy("web", "2", "production")
    _, kept = record(api, set_question("web@1"))
    pact = "/pacts/provider/prices/consumer/web/version/1"
    sha = api.get(pact).link("pb:pact-version").rpartition("/")[2]
    number = int(api.get(f"{pact}/verification-results/latest").link("self").rpartition("/")[2])
    row = next(row for row in kept["rows"] if row["consumer"]["version"] == "1")
    assert (row["consumer"]["name"], row["provider"]) == ("web", {"name": "prices", "version": "1"})
    assert (row["pact"]["sha"], row["pact"]["revision"]) == (sha, 1)
    assert (row["result"]["number"], row["result"]["success"], row["result"]["comparison"]) == (number, False, None)
    replaced = next(row for row in kept["rows"] if row.get("replaced"))
    assert replaced["consumer"]["version"] == "2", "the order depends on the version that the set replaces"
    assert kept["rowCount"] == len(kept["rows"])


def test_later_changes_never_alter_a_record(api: Api, history: History) -> None:
    _, kept = record(api, version_question("web", version="1"))
    path = f"{PATH}/{kept['uuid']}"
    before = api.get(path).body
    history.verify("web", "1", "prices", "1")
    assert send(api, version_question("web", version="1"))["deployable"] is True
    for method, changed, body in (
        ("PUT", f"/environments/{history.environment('production')}", {"name": "prod", "production": True}),
        ("POST", "/pacticipants/web/rename", {"name": "shop"}),
        ("DELETE", "/pacts/provider/prices/consumer/shop/version/1", None),
        ("DELETE", "/pacticipants/shop/versions/1", None),
        ("DELETE", "/pacticipants/shop", None),
        ("DELETE", "/pacticipants/prices", None),
        ("DELETE", f"/environments/{history.environment('production')}", None),
    ):
        assert api.request(method, changed, body).status in {200, 204}, changed
    assert api.get(path).body == before
    assert api.get(PATH).json()["decisions"][0]["environment"]["name"] == "production"


# Environments that require records


def test_an_environment_can_ask_for_records(api: Api, history: History) -> None:
    set_recording(api, history)
    query = "pacticipant=web&version=2&environment=production"
    for path in (f"/can-i-deploy?{query}", "/matrix?q[][pacticipant]=web&environment=production"):
        assert api.get(path).link("pb:record-decision") == PATH
    assert list_recorded(api) == [], "a question that only reads records nothing"
    assert send(api, set_question("web@2"))["recorded"] is True
    assert send(api, {**set_question("web@2"), "record": False})["recorded"] is False
    assert list_recorded(api) == ["web@2"]
    # A client of the original does not know the setting, and must not change it.
    uuid = history.environment("production")
    assert api.put(f"/environments/{uuid}", {"name": "production", "production": True}).json()["recordsDecisions"]
    set_recording(api, history, on=False)
    assert "recordsDecisions" not in api.get(f"/environments/{uuid}").json()
    assert "_links" not in api.get(f"/can-i-deploy?{query}").json()
    assert send(api, set_question("web@2"))["recorded"] is False


def test_a_caller_without_permission_to_record_gets_the_answer_or_the_reason(
    api: Api, history: History, accounts: Callable[..., Any], make_api: Callable[..., Api]
) -> None:
    """A demand is refused. Where only the environment asks for records, the answer has a warning."""
    set_recording(api, history)
    reader = bearer(accounts(Role.READ_ONLY, token=Role.READ_ONLY))
    writer = bearer(accounts(Role.READ_WRITE))
    api = make_api()  # knows that there are users
    for body in (set_question("web@2"), version_question("web", version="2")):
        refused = api.post(PATH, {**body, "record": True}, headers=reader)
        assert refused.status == 403
        assert "may not record decisions" in refused.text
        answer = send(api, body, headers=reader)
        assert (answer["deployable"], answer["recorded"]) == (True, False)
        warning = answer["reasons"][-1]
        assert (warning["kind"], warning["type"]) == ("not_recorded", "warning")
        assert "Decisions about production are recorded, but this one was not" in warning["text"]
        assert "Use credentials that may, or ask an administrator for them." in warning["text"]
    assert api.get(PATH, headers=reader).json()["decisions"] == []
    _, kept = record(api, set_question("web@2"), headers=writer)
    assert kept["caller"] == {"user": "read-write", "token": "of the tests"}


def test_a_limited_token_records_decisions_about_its_applications(
    api: Api,
    history: History,
    limited_token: Callable[..., dict[str, str]],
    make_api: Callable[..., Api],
) -> None:
    history.publish("till", "1", "prices")
    its_own = limited_token(Scope.RECORD_DEPLOYMENTS, applications=("web", "prices"))
    reads = limited_token(Scope.READ, Scope.PUBLISH_PACTS)
    api = make_api()  # knows that there are users
    for body in (set_question("web@2"), set_question("web@2", "prices@1"), version_question("web", version="2")):
        record(api, body, headers=its_own)
    refused = api.post(PATH, {**set_question("web@2", "till@1"), "record": True}, headers=its_own)
    assert (refused.status, "for till: it is limited to" in refused.text) == (403, True)
    refused = api.post(PATH, {**set_question("web@2"), "record": True}, headers=reads)
    assert (refused.status, "Use a token with the scope record-deployments" in refused.text) == (403, True)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"environment": "production"}, "is missing"),
        ({**set_question("web@2"), "selectors": [{"pacticipant": "web"}]}, "cannot be combined with versions"),
        (version_question("web"), "needs version, branch, tag, latest or mainBranch"),
        (version_question("web", version="2", brnach="main"), "is not known. Did you mean branch?"),
        (version_question("web", version=" "), "version cannot be blank (at index 0)"),
        (
            {**version_question("web", version="2"), "environment": "moon"},
            "Environment with name 'moon' does not exist",
        ),
        (version_question("wbe", version="2"), "Pacticipant wbe not found"),
        ({**set_question("web@2"), "record": "yes"}, "must be boolean"),
    ],
)
@pytest.mark.usefixtures("history")
def test_an_unclear_question_is_refused_and_not_recorded(api: Api, body: Body, problem: str) -> None:
    answer = api.post(PATH, {"record": True, **body})
    assert answer.status == 400
    assert problem in answer.text
    assert list_recorded(api) == []


@pytest.mark.usefixtures("history")
def test_recorded_decisions_are_found_by_their_properties(api: Api, clock: Clock) -> None:
    for body in (set_question("web@1"), set_question("web@2"), set_question("prices@1", "web@3")):
        clock.now += timedelta(hours=1)
        record(api, body)
    expected = {
        "": ["prices@1 web@3", "web@2", "web@1"],
        "?environment=production&deployable=true": ["web@2"],
        "?deployable=false": ["web@1"],
        "?deployable=unknown": ["prices@1 web@3"],
        "?pacticipant=prices": ["prices@1 web@3"],
        "?version=1": ["prices@1 web@3", "web@1"],
        "?pacticipant=web&version=1": ["web@1"],
        "?environment=moon": [],
        f"?since={clock.now:%Y-%m-%dT%H:%M:%SZ}": ["prices@1 web@3"],
        f"?until={clock.now:%Y-%m-%dT%H:%M:%SZ}": ["web@2", "web@1"],
    }
    assert {query: list_recorded(api, query) for query in expected} == expected
    first = api.get(f"{PATH}?pacticipant=web&size=2").json()
    assert first["page"] == {"number": 1, "size": 2, "totalElements": 3, "totalPages": 2}
    assert list_recorded(api, first["_links"]["next"]["href"].rpartition(PATH)[2]) == ["web@1"]
    for query in ("deployable=maybe", "since=yesterday", "until=tomorrow", "size=1000"):
        assert api.get(f"{PATH}?{query}").status == 400, query
    assert api.get(f"{PATH}/3fa85f64-5717-4562-b3fc-2c963f66afa6").status == 404
    assert api.get("/").link("pb:recorded-decisions") == PATH
    link = api.get("/pacticipants/web/versions/1").link("pb:recorded-decisions")
    assert list_recorded(api, link.removeprefix(PATH)) == ["web@1"]


@pytest.mark.usefixtures("history")
def test_a_recorded_decision_is_an_event_of_the_audit_trail(api: Api) -> None:
    _, kept = record(api, set_question("web@1"))
    (event,) = api.get("/audit?type=decision").json()["events"]
    assert (event["resource"], event["payload"]["params"]) == (
        "production",
        {"decision": kept["uuid"], "versions": ["web (1)"], "deployable": False},
    )


def test_a_decision_that_waits_for_a_comparison_is_recorded_once(api: Api) -> None:
    """The server computes the missing comparisons, and answers again: that answer is the record."""
    history = History(api)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    history.publish("Shop", "1", "Prices", FITTING)
    answer, kept = record(api, version_question("Shop", version="1"))
    assert (answer["deployable"], kept["deployable"]) == (True, True)
    (row,) = kept["rows"]
    assert row["result"]["comparison"] is not None
    assert list_recorded(api) == ["Shop@1"]


def test_an_export_has_the_setting_and_the_marks(api: Api, history: History) -> None:
    set_recording(api, history)
    history.deploy("web", "2", "production")
    history.release("web", "2", "production")
    environment = api.get("/export/environments").json()["facts"][0]
    assert environment["recordsDecisions"] is True
    for kind, number in (("deployments", 1), ("releases", 0)):
        assert api.get(f"/export/{kind}").json()["facts"][number]["lacksDecision"] is True, kind


# Deployments without a decision


def test_a_deployment_without_a_recorded_yes_is_marked(
    api: Api, history: History, clock: Clock, make_api: Callable[..., Api]
) -> None:
    def is_marked(path: str) -> bool:
        return bool(api.get(path).json().get("lacksDecision", False))

    assert not is_marked(history.deploy("web", "2", "production", "before"))
    set_recording(api, history)
    api.put("/pacticipants/web/versions/2/aliases/c0ffee", {})
    assert is_marked(history.deploy("web", "2", "production", "without"))
    record(api, version_question("web", version="c0ffee"))
    record(api, version_question("web", version="1"))
    clock.now += timedelta(hours=23)
    assert not is_marked(history.deploy("web", "2", "production", "soon"))
    assert not is_marked(history.deploy("web", "c0ffee", "production", "by alias"))
    assert not is_marked(history.release("web", "2", "production"))
    assert is_marked(history.deploy("web", "1", "production", "in spite of a no"))
    assert is_marked(history.release("web", "3", "production"))
    assert not is_marked(history.deploy("web", "2", "test")), "test does not ask for records"
    strict = History(make_api(decision_validity=timedelta(hours=1)), history.environments)
    assert is_marked(strict.deploy("web", "2", "production", "too late for this server"))
    clock.now += timedelta(hours=2)
    assert is_marked(history.deploy("web", "2", "production", "too late"))
    released = history.release("web", "3", "production")
    assert is_marked(released), "a release that is repeated stays as it is"
    history.tag("web", "3", "production")
    running = api.get(f"/environments/{history.environment('production')}/deployed-versions/currently-deployed").json()
    marks = {
        each.get("applicationInstance"): each.get("lacksDecision", False)
        for each in running["_embedded"]["deployedVersions"]
        if each["_embedded"]["pacticipant"]["name"] == "web"
    }
    assert marks[None] is True, "a deployment by a tag is one, too"
    assert (marks["soon"], marks["without"], marks["too late"]) == (False, True, True)


def test_a_repeated_release_is_marked_by_its_last_start(api: Api, history: History) -> None:
    set_recording(api, history)
    path = history.release("web", "2", "production")
    assert api.get(path).json()["lacksDecision"] is True
    api.patch(path, {"currentlySupported": False})
    record(api, set_question("web@2"))
    history.release("web", "2", "production")
    assert "lacksDecision" not in api.get(path).json()


# Retention


def test_old_decisions_are_removed_unless_they_explain_a_deployed_version(
    api: Api, history: History, database: Database, clock: Clock
) -> None:
    for body in (set_question("web@2"), set_question("web@2"), set_question("web@1"), set_question("web@3")):
        record(api, body)
    history.deploy("web", "2", "production")
    clock.now += timedelta(days=20)
    record(api, set_question("web@1"))
    clock.now += timedelta(days=20)
    retention = Retention(versions=add_in_use_selectors(DEFAULT_VERSION_SELECTORS))

    def clean(days: int) -> Cleaner:
        age = timedelta(days=days)
        return Cleaner(database, retention, decision_max_age=age, clock=clock, pause=lambda _: False)

    assert clean(0).clean_history() == 0, "0 keeps all"
    planned = clean(30).plan().decisions
    assert (planned.gone, planned.kept) == (3, 2)
    assert clean(30).clean()["decisions"]["decisions"] == planned
    assert list_recorded(api) == ["web@1", "web@2"], "the newest yes for the version that runs is kept"
    history.deploy("web", "1", "production")
    assert clean(1).clean_history() == 2
    assert list_recorded(api) == []


# Races


def test_records_are_right_while_others_record_and_results_arrive(
    history: History, make_api: Callable[..., Api]
) -> None:
    """The verdict of each record follows from the rows in it, whatever was written meanwhile."""
    recorders = [make_api(), make_api()]
    publisher = History(make_api(), history.environments)

    def ask(api: Api) -> list[Any]:
        return [
            record(api, body)[1]
            for body in (set_question("web@3"), version_question("web", version="3"))
            for _ in range(4)
        ]

    def publish() -> list[Any]:
        for success in (False, True) * 3:
            publisher.verify("web", "3", "prices", "1", success=success)
        return []

    with ThreadPoolExecutor(3) as threads:
        kept = [each for jobs in [*threads.map(ask, recorders), threads.submit(publish).result()] for each in jobs]
    assert len({each["uuid"] for each in kept}) == 16
    for each in kept:
        results = [row["result"] and row["result"]["success"] for row in each["rows"]]
        assert each["deployable"] == (None if None in results else all(results)), each
    assert len(list_recorded(recorders[0])) == 16


@pytest.mark.usefixtures("history")
def test_a_yes_by_an_override_has_no_causes(api: Api) -> None:
    override = {
        "pacticipantName": "web",
        "pacticipantVersionNumber": "1",
        "environmentName": "production",
        "reason": "It repairs an outage.",
    }
    assert api.post("/overrides", override).status == 201
    answer, kept = record(api, set_question("web@1"))
    assert (answer["deployable"], kept["deployable"], kept["causes"]) == (True, True, [])
    assert "It repairs an outage." in str(kept["reasons"])
