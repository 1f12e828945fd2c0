"""Every no names its cause, since when it exists, the team that has to act, and a step that changes the answer."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import update

from tests.api.cause_scenarios import CONTACTS, SCENARIOS, SETTINGS, Stage
from tests.api.client import Api, build_settings
from tests.api.steps import Steps
from tests.databases import on_sqlite
from tests.docs.generated import ROOT
from treaty.model.decisions.causes import DESCRIPTIONS, Cause
from treaty.model.decisions.matrix import decide
from treaty.model.decisions.queries import Destination, build_deployment_query
from treaty.model.decisions.selectors import Selector
from treaty.store.decisions import selectors
from treaty.store.decisions.matrix import load_facts
from treaty.store.tables import webhook
from treaty.web.api.decisions.causes import load_explanations
from treaty.web.application import build_application

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from sqlalchemy import Connection

    from tests.api.client import Clock
    from treaty.store.engine.database import Database

HTML = "text/html,application/xhtml+xml"
MATRIX = "/matrix?q[][pacticipant]=Shop&q[][version]=1&latestby=cvpv&environment=test"


@pytest.fixture
def make_stage(make_api: Callable[..., Api], database: Database, clock: Clock) -> Callable[..., Stage]:
    return lambda **settings: Stage(make_api(**settings), database, clock)


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    return make_stage()


def only_cause(answer: Any) -> Any:
    (reason,) = [reason for reason in answer["reasons"] if "cause" in reason]
    return reason


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.value)
def test_each_cause_is_named_with_all_that_is_needed_to_act(make_stage: Callable[..., Stage], cause: Cause) -> None:
    stage = make_stage(**SETTINGS.get(cause, {}))
    SCENARIOS[cause](stage)
    reason = only_cause(stage.ask())
    assert reason["cause"] == cause.value
    assert reason["since"].startswith("2024-05-06T07:")
    assert reason["subject"]["name"] in {"Shop", "Stock", "Prices"}
    assert reason["problem"].endswith(".")
    assert reason["help"]["href"].endswith(f"/docs/reasons#{cause.value}")
    if cause is Cause.COMPARISON_NOT_FINISHED:
        assert reason["act"] is None
    else:
        assert reason["act"]["pacticipant"] == reason["subject"]["name"]
        assert reason["act"]["contacts"] == (CONTACTS if reason["subject"]["name"] == "Stock" else [])
        assert {"command", "href"} & set(reason["next"])


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.value)
def test_the_page_has_a_row_for_the_cause_with_the_command_to_copy(
    make_stage: Callable[..., Stage], cause: Cause
) -> None:
    stage = make_stage(**SETTINGS.get(cause, {}))
    SCENARIOS[cause](stage)
    reason = only_cause(stage.ask())
    page = stage.api.get(MATRIX, accept=HTML).text
    (row,) = re.findall(r'<tr class="reason error">.*?</tr>', page, re.DOTALL)
    assert DESCRIPTIONS[cause].title.replace("'", "&#39;") in row
    assert f"/docs/reasons#{cause.value}" in row
    assert ("<pre" in row) is ("command" in reason["next"])
    assert ("no one</span></td>" in row) is (cause is Cause.COMPARISON_NOT_FINISHED)


def test_a_yes_has_no_cause(stage: Stage) -> None:
    stage.publish()
    stage.verify("7")
    stage.deploy()
    answer = stage.ask()
    assert answer["summary"]["deployable"] is True
    assert [set(reason) for reason in answer["reasons"]] == [{"kind", "type", "text"}]


def test_badges_name_the_first_cause_in_their_title(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(badge_provider_mode="proxy")
    SCENARIOS[Cause.SUPERSEDED](stage)
    path = "/pacticipants/Shop/branches/main/latest-version/can-i-deploy/to-environment/test/badge.svg"
    title = re.findall("<title>(.*?)</title>", stage.api.get(path, accept="image/svg+xml").text)
    problem = "This version has not verified the pact of Shop (1); the newer version 8 verifies it."
    assert title == [f"can-i-deploy: main to test. Stock (7): {problem}"]
    merge = stage.api.get("/pacticipants/Shop/main-branch/can-i-merge/badge", accept="image/svg+xml").text
    assert re.findall("<title>(.*?)</title>", merge) == ["can-i-merge: success"]


@on_sqlite
def test_badges_without_a_title_look_for_no_causes(database: Database, database_url: str, clock: Clock) -> None:
    """A shields server draws only the two texts."""
    statements: list[str] = []
    settings = build_settings(database_url=database_url, log_level="error")
    with closing(Api(build_application(settings, database, clock=clock))) as api:
        SCENARIOS[Cause.NOT_REQUESTED](Stage(api, database, clock))
        database.read(lambda db: _driver(db).set_trace_callback(statements.append))
        path = "/pacticipants/Shop/branches/main/latest-version/can-i-deploy/to-environment/test/badge.svg"
        assert api.get(path, accept="image/svg+xml").headers["location"].endswith("-red.svg")
    assert any("deployed_version" in statement for statement in statements)
    assert not any("triggered_webhook" in statement for statement in statements)


def test_the_list_is_the_same_everywhere(api: Api) -> None:
    codes = [cause.value for cause in Cause]
    assert list(DESCRIPTIONS) == list(SCENARIOS) == list(Cause)
    documented = re.findall(r"^## (\w+)$", (ROOT / "docs" / "reasons.md").read_text("utf-8"), re.MULTILINE)
    assert documented == codes
    assert re.findall(r'<section id="(\w+)">', api.get("/docs/reasons", accept=HTML).text) == codes
    golden = {path.stem for path in (ROOT / "tests" / "cli" / "causes").glob("*.txt")}
    assert golden >= set(codes)


@on_sqlite
def test_many_causes_are_loaded_with_as_many_statements_as_one(stage: Stage) -> None:
    SCENARIOS[Cause.NOT_REQUESTED](stage)
    count_of_one = count_statements(stage)
    for number in range(5):
        stage.publish("a", provider=f"Service {number}")
        stage.wait().version(f"Service {number}", "7")
        stage.deploy("7", f"Service {number}")
    assert len([reason for reason in stage.ask()["reasons"] if "cause" in reason]) == 6
    assert count_statements(stage) == count_of_one


def count_statements(stage: Stage) -> int:
    """Count the statements of a decision that is not yes, the first time that it is asked for."""
    statements: list[str] = []
    query = build_deployment_query(Selector(pacticipant="Shop", version="1"), Destination(environment="test"))

    def load(db: Connection) -> None:
        driver = _driver(db)
        named = selectors.load_named_ids(db, query.selectors, "test")
        verdict = decide(query, load_facts(db, query, named).facts)
        driver.set_trace_callback(statements.append)
        load_explanations(db, verdict)
        driver.set_trace_callback(None)

    stage.database.read(load)
    return len(statements)


def _driver(db: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", db.connection.dbapi_connection)


def test_a_paused_webhook_is_named(stage: Stage) -> None:
    stage.webhook(pauseWhenFailing=True)
    failing_since = stage.clock.now
    with stage.database.engine.begin() as connection:
        connection.execute(update(webhook).values(failing_since=failing_since))
    SCENARIOS[Cause.NOT_REQUESTED](stage)
    reason = only_cause(stage.ask())
    assert (reason["cause"], reason["since"]) == ("webhook_failing", failing_since.isoformat())
    assert reason["next"]["text"] == "Repair the webhook “Build of Stock” and save it, which ends its pause."
    assert "/webhooks/" in reason["next"]["href"]


def test_a_pact_that_was_pending_is_a_fact_beside_the_cause(stage: Stage) -> None:
    stage.publish()
    body = {
        "includePendingStatus": True,
        "providerVersionBranch": "main",
        "consumerVersionSelectors": [{"latest": True}],
    }
    (pact,) = stage.api.post("/pacts/provider/Stock/for-verification", body).json()["_embedded"]["pacts"]
    link = stage.api.get(pact["_links"]["self"]["href"].removeprefix("http://localhost"))
    result = {"success": False, "providerApplicationVersion": "7"}
    assert stage.api.post(link.link("pb:publish-verification-results"), result).status == 201
    stage.deploy()
    reason = only_cause(stage.ask())
    assert (reason["cause"], reason["pending"]) == ("never_passed", True)


# Stories from public issue trackers


def test_a_version_that_only_a_deployment_script_created_never_gets_an_answer_by_waiting(stage: Stage) -> None:
    """A script recorded deployments by creating versions that no build had published: 45 of 56 in one company."""
    SCENARIOS[Cause.BUILT_WITHOUT_PACTS](stage)
    reason = only_cause(stage.ask())
    assert (reason["cause"], reason["version"]) == ("built_without_pacts", {"name": "Stock", "version": "7"})
    Steps(stage.api, stage.history).run(reason["next"]["command"], partner="Stock of Shop")
    assert stage.ask()["summary"]["deployable"] is True


def test_results_of_the_main_branch_do_not_help_while_an_older_version_is_deployed(stage: Stage) -> None:
    """Verifications were published for the newest commit, whereas an older one was deployed: blocked for days."""
    SCENARIOS[Cause.SUPERSEDED](stage)
    reason = only_cause(stage.ask())
    assert (reason["cause"], reason["version"]) == ("superseded", {"name": "Stock", "version": "8"})
    assert reason["next"]["command"] == (
        "pact-broker record-deployment --pacticipant Stock --version 8 --environment test"
    )
    Steps(stage.api, stage.history).run(reason["next"]["command"], partner="Stock of Shop")
    assert stage.ask()["summary"]["deployable"] is True


def test_waiting_for_a_version_without_contracts_and_a_failure_have_different_causes(
    stage: Stage,
) -> None:
    """One provider published nothing and blocked three services, beside a real regression of another provider."""
    stage.build(branch=None)
    stage.deploy()
    for consumer in ("Cards", "Loans", "Shop"):
        stage.wait().publish(consumer, "1", "Stock", consumer)
    stage.publish("b", provider="Ledger")
    stage.wait().verify("Shop", "1", "Ledger", "5")
    stage.wait().verify("Shop", "1", "Ledger", "6", success=False)
    stage.deploy("6", "Ledger")
    for consumer in ("Cards", "Loans"):
        answer = stage.api.get(f"/can-i-deploy?pacticipant={consumer}&version=1&environment=test").json()
        assert only_cause(answer)["cause"] == "built_without_pacts"
    causes = {reason["subject"]["name"]: reason["cause"] for reason in stage.ask()["reasons"]}
    assert causes == {"Stock": "built_without_pacts", "Ledger": "regression"}


def test_a_deployed_version_that_the_broker_never_heard_of_is_named_as_never_built(stage: Stage) -> None:
    """The cluster ran a commit that no build had published, and the newest version of the broker was weeks old."""
    stage.publish("old", version="0")
    commit = "3b62a4a5"
    answer = stage.api.get(f"/can-i-deploy?pacticipant=Shop&version={commit}&environment=test").json()
    reason = only_cause(answer)
    assert (reason["cause"], reason["version"]) == ("version_never_built", {"name": "Shop", "version": "0"})
    recording = stage.api.post(
        f"/pacticipants/Shop/versions/{commit}/deployed-versions/environment/{stage.history.environment('test')}", {}
    )
    assert recording.status == 404


def test_versions_outside_the_selected_branch_have_a_cause_of_their_own(stage: Stage) -> None:
    """Three providers had versions, but none on the main branch, so that their consumers never passed."""
    stage.publish()
    stage.build("7")
    stage.build("8", branch=None)
    stage.verify("8")
    query = "q[][pacticipant]=Shop&q[][version]=1&latestby=cvp&branch=release&latest=true"
    reason = only_cause(stage.api.get(f"/matrix?{query}").json())
    assert (reason["cause"], reason["act"]["pacticipant"]) == ("excluded_by_selector", "Stock")
    assert reason["problem"] == "Versions exist, but none is on the branch release."
    assert reason["next"]["command"].endswith("--branch release")
