"""The contents of `treaty report`, from a broker and from files: causes, changed pacts, and places in documents."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tests.api.cause_scenarios import SCENARIOS, Stage
from tests.api.commands import answer_with
from tests.cli.contracts import OPENAPI, USES_COUNT
from tests.databases import on_sqlite
from tests.http_server import serving
from treaty.cli import TREATY
from treaty.model.compare.positions import find_extents
from treaty.model.decisions.causes import Cause

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    from tests.api.client import Api, Clock
    from tests.cli.conftest import OtherBroker, Run
    from treaty.store.engine.database import Database

    Report = Callable[..., Result]


@pytest.fixture
def stage(
    make_api: Callable[..., Api],
    database: Database,
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "BITBUCKET_BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    return Stage(make_api(), database, clock)


@pytest.fixture
def report(stage: Stage) -> Iterator[Report]:
    with serving(answer_with(stage.api)) as address:

        def call(*words: str) -> Result:
            question = ["report", "-a", "Shop", *words, "-b", address]
            return CliRunner().invoke(TREATY, question, prog_name="treaty")

        yield call


@on_sqlite
@pytest.mark.parametrize("cause", [Cause.NEVER_PASSED, Cause.NOT_DEPLOYED, Cause.VERSION_NEVER_BUILT])
def test_causes_have_the_team_that_acts_and_the_next_step(stage: Stage, report: Report, cause: Cause) -> None:
    SCENARIOS[cause](stage)
    result = report("-e", "1", "--to-environment", "test")
    assert result.exit_code == 0, result.output
    (reason, *_) = stage.ask()["reasons"]
    comment = result.stdout.replace("\\", "")
    for text in (reason["problem"], "has to act", reason["next"]["text"]):
        assert text in comment
    assert reason["next"]["command"].partition(" ")[0] in comment
    assert ("⏳" if reason["type"] != "error" or stage.ask()["summary"]["deployable"] is None else "❌") in comment


@on_sqlite
def test_a_yes_by_an_override_is_not_called_compatible(stage: Stage, report: Report) -> None:
    SCENARIOS[Cause.NEVER_PASSED](stage)
    override = {
        "pacticipantName": "Shop",
        "pacticipantVersionNumber": "1",
        "environmentName": "test",
        "reason": "It repairs an outage.",
    }
    assert stage.api.post("/overrides", override).status == 201
    comment = report("-e", "1", "--to-environment", "test").stdout
    assert "Allowed by an override or a policy: test" in comment
    assert "It repairs an outage" in comment
    assert "Compatible" not in comment


@on_sqlite
def test_each_destination_has_its_row(stage: Stage, report: Report) -> None:
    stage.history.environment("live")
    stage.publish()
    stage.verify("7")
    stage.deploy()
    body = json.loads(
        report("-e", "1", "--to-environment", "test", "--to-environment", "live", "--output", "json").stdout
    )
    assert [(item["environment"], item["verdict"]) for item in body["decisions"]] == [
        ("test", "yes"),
        ("live", "unknown"),
    ]
    assert body["verdict"] == "unknown"


@on_sqlite
def test_without_a_destination_the_main_branches_count(stage: Stage, report: Report) -> None:
    stage.publish()
    stage.build("7")
    stage.verify("7")
    stage.api.patch("/pacticipants/Stock", {"mainBranch": "main"})
    body = json.loads(report("-e", "1", "--output", "json").stdout)
    assert [(item["environment"], item["branch"]) for item in body["decisions"]] == [(None, None)]
    assert body["verdict"] == "yes"
    assert json.loads(report("--branch", "main", "--output", "json").stdout)["version"] == "1"


@on_sqlite
def test_a_misspelt_environment_fails_with_a_suggestion(stage: Stage, report: Report) -> None:
    stage.publish()
    result = report("-e", "1", "--to-environment", "tset")
    assert result.exit_code == 2
    assert "There is no environment tset." in result.output
    assert "Did you mean test?" in result.output


def exchange(name: str, status: int = 200) -> dict[str, Any]:
    return {"description": name, "request": {"method": "GET", "path": "/"}, "response": {"status": status}}


def publish(stage: Stage, version: str, branch: str, provider: str, *interactions: dict[str, Any]) -> None:
    content = {"consumer": {"name": "Shop"}, "provider": {"name": provider}, "interactions": list(interactions)}
    publish_pact(stage, version, branch, content)


def publish_pact(stage: Stage, version: str, branch: str, content: dict[str, Any]) -> None:
    names = {role: content[role]["name"] for role in ("consumer", "provider")}
    contract = {
        "consumerName": names["consumer"],
        "providerName": names["provider"],
        "specification": "pact",
        "contentType": "application/json",
        "content": base64.b64encode(json.dumps(content).encode()).decode(),
    }
    version_of = {"pacticipantName": names["consumer"], "pacticipantVersionNumber": version, "branch": branch}
    answer = stage.api.post("/contracts/publish", {**version_of, "contracts": [contract]})
    assert answer.status == 200, answer.text


@on_sqlite
def test_changes_since_the_main_branch_are_listed(stage: Stage, report: Report) -> None:
    stage.api.post("/pacticipants", {"name": "Shop", "mainBranch": "main"})
    publish(stage, "1", "main", "Stock", exchange("same"), exchange("other status"), exchange("gone"))
    publish(stage, "1", "main", "Old", exchange("all"))
    publish(stage, "2", "next", "Stock", exchange("same"), exchange("other status", 201), exchange("new"))
    publish(stage, "2", "next", "Prices", exchange("first"))
    comment = report("-e", "2").stdout
    assert "<code>Stock</code>: interactions 1 added, 1 changed, 1 removed" in comment
    for line in ("- changed: other status", "- added: new", "- removed: gone"):
        assert line in comment
    assert "<code>Prices</code>: interactions 1 added (a new pact)" in comment
    assert "<code>Old</code>: interactions 1 removed (no longer a pact)" in comment
    assert "same" not in comment
    assert "Changed pacts" not in report("-e", "1").stdout


@on_sqlite
def test_without_a_main_branch_the_report_has_the_command_that_sets_it(stage: Stage, report: Report) -> None:
    publish(stage, "1", "next", "Stock", exchange("a"))
    comment = report("-e", "1").stdout
    assert "Shop has no main branch in the broker" in comment
    assert "create-or-update-pacticipant --name Shop --main-branch BRANCH" in comment


@on_sqlite
def test_changed_interactions_without_a_result_are_annotated(stage: Stage, report: Report, tmp_path: Path) -> None:
    stage.api.post("/pacticipants", {"name": "Shop", "mainBranch": "main"})
    publish(stage, "1", "main", "Stock", exchange("same"))
    stage.verify("7")
    stage.deploy()
    publish(stage, "2", "next", "Stock", exchange("same"), exchange("new"))
    interactions = [exchange("same"), exchange("new")]
    content = {"consumer": {"name": "Shop"}, "provider": {"name": "Stock"}, "interactions": interactions}
    (tmp_path / "pact.json").write_text(json.dumps(content, indent=2))
    report("-e", "2", "--to-environment", "test", "pact.json", "--code-quality", "quality.json")
    (issue,) = json.loads((tmp_path / "quality.json").read_text("utf-8"))
    line = json.dumps(content, indent=2).splitlines().index('      "description": "new",')
    assert issue["location"] == {"path": "pact.json", "lines": {"begin": line}}
    assert issue["severity"] == "minor"
    assert issue["description"] == "Stock: not verified yet: Stock has not verified this interaction: new"


BREAKING = OPENAPI.replace("count:", "amount:")
QUESTION = ("-e", "8", "--to-environment", "test", "openapi.yaml", "--code-quality", "quality.json")


@on_sqlite
def test_documents_are_compared_with_the_pacts_in_the_environment(stage: Stage, report: Report, tmp_path: Path) -> None:
    publish_pact(stage, "1", "main", USES_COUNT)
    (tmp_path / "openapi.yaml").write_text(BREAKING)
    assert "Documents compared" not in report("--pacticipant", "Stock", *QUESTION).stdout
    stage.deploy("1", "Till")
    result = report("--pacticipant", "Stock", *QUESTION, "--fail-unless-yes")
    assert result.exit_code == 1, result.output
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("| ❌ | `openapi.yaml:")]
    assert "| `Till` |" in row
    (issue,) = json.loads((tmp_path / "quality.json").read_text("utf-8"))
    assert issue["severity"] == "critical"
    assert f"`openapi.yaml:{issue['location']['lines']['begin']}`" in row


@on_sqlite
def test_findings_are_at_the_lines_that_git_knows_as_changed(
    stage: Stage, report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_pact(stage, "1", "main", USES_COUNT)
    stage.deploy("1", "Till")
    folder = tmp_path / "service"
    folder.mkdir()
    base = commit(folder, OPENAPI)
    commit(folder, BREAKING)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CI_MERGE_REQUEST_DIFF_BASE_SHA", base)
    report("--pacticipant", "Stock", *QUESTION)
    (issue,) = json.loads((folder / "quality.json").read_text("utf-8"))
    line = BREAKING.splitlines().index("        amount:") + 1
    assert issue["location"] == {"path": "service/openapi.yaml", "lines": {"begin": line}}


def commit(folder: Path, document: str) -> str:
    (folder / "openapi.yaml").write_text(document)

    def git(*words: str) -> str:
        identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
        command = ["git", *identity, *words]
        return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "document")
    return git("rev-parse", "HEAD")


JSON_DOCUMENT = """{
  "a": [
    {"x": 1},
    {
      "x": 2
    }
  ],
  "b": {}
}
"""
YAML_DOCUMENT = """a:
  - x: 1
  - x:
      y: 2
b: {}
"""


@pytest.mark.parametrize(
    ("text", "extents"),
    [
        (JSON_DOCUMENT, {(): (1, 9), ("a",): (2, 7), ("a", 0): (3, 3), ("a", 1): (4, 7), ("b",): (8, 9)}),
        (YAML_DOCUMENT, {(): (1, 5), ("a",): (1, 4), ("a", 0): (2, 2), ("a", 1): (3, 4), ("b",): (5, 5)}),
    ],
)
def test_a_part_extends_to_the_next_one(text: str, extents: dict[tuple[str | int, ...], tuple[int, int]]) -> None:
    assert find_extents(text, extents) == extents


def test_a_file_that_is_neither_pact_nor_document_is_named(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "notes.json"
    file.write_text('{"a": 1}')
    result = run("report", "-a", "Shop", "-e", "1", str(file))
    assert result.exit_code == 2
    assert "notes.json" in result.output
    assert "Give pacts, and OpenAPI" in result.output


def test_documents_that_cannot_be_compared_are_never_a_yes(run: Run, broker: OtherBroker, tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text(OPENAPI)
    broker.answer_all("/matrix?", {"summary": {"deployable": True}, "notices": [], "matrix": []})
    result = run("report", "-a", "Foo", "-e", "1", "--to-environment", "test", str(tmp_path / "openapi.yaml"))
    assert result.exit_code == 2
    assert "The documents could not be compared" in result.stdout
    assert "⏳" in result.stdout


def test_another_broker_gets_the_texts_of_its_notices(run: Run, broker: OtherBroker) -> None:
    text = "There is no verified pact between version 1 of Foo and the version of Bar currently in test (2)"
    notices = [{"type": "error", "text": text}, {"type": "warning", "text": "Take care."}]
    body = {"summary": {"deployable": None, "reason": text}, "notices": notices, "matrix": []}
    broker.answer_all("/matrix?", body)
    comment = run("report", "-a", "Foo", "-e", "1", "--to-environment", "test").stdout
    assert f"- {text}" in comment
    assert "- Take care." in comment
    assert "⏳ unknown" in comment
