"""`can-i-deploy --record`, and recorded decisions in the output of other commands."""

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from click.testing import Result

from tests.api.client import Api, Clock
from tests.api.history import History
from tests.api.recorded_decisions import add_decided_versions, list_recorded, set_recording
from tests.databases import on_sqlite
from treaty.cli import TREATY

pytestmark = [
    on_sqlite,
    pytest.mark.usefixtures("history"),
]
Ask = Callable[..., Result]
PRODUCTION = ("--to-environment", "production")


@pytest.fixture
def history(api: Api) -> History:
    return add_decided_versions(api)


def ask(run_command: Ask, version: str, *words: str) -> Result:
    return run_command("can-i-deploy", "--pacticipant", "web", "--version", version, *PRODUCTION, *words)


def without_uuid(text: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UUID", re.sub(r"http://[^/ ]+", "http://broker", text))


def test_the_last_line_of_a_recorded_answer_is_the_address_of_the_record(api: Api, run_command: Ask) -> None:
    unrecorded = ask(run_command, "2")
    result = ask(run_command, "2", "--record")
    assert (result.exit_code, result.stderr) == (0, "")
    *lines, last = without_uuid(result.stdout).splitlines()
    assert lines == without_uuid(unrecorded.stdout).splitlines(), "the answer is that of the matrix"
    assert last == "Recorded: http://broker/decisions/UUID"
    uuid = result.stdout.split()[-1].rpartition("/")[2]
    assert api.get(f"/decisions/{uuid}").json()["deployable"] is True
    assert list_recorded(api) == ["web@2"]


def test_a_no_keeps_its_six_lines(api: Api, run_command: Ask) -> None:
    unrecorded = ask(run_command, "1")
    result = ask(run_command, "1", "--record")
    assert (result.exit_code, unrecorded.exit_code) == (1, 1)
    assert without_uuid(result.stderr) == without_uuid(unrecorded.stderr)
    assert result.stdout.splitlines()[-1].startswith("Recorded: http://")
    assert list_recorded(api) == ["web@1"]


@pytest.mark.parametrize(
    ("words", "versions", "exit_code"),
    [
        (("--set", "web@2", "--set", "prices@1"), "prices@1 web@2", 0),
        (("--set", "web@1"), "web@1", 1),
        (("--pacticipant", "web", "--latest"), "web@3", 1),
        (("--pacticipant", "web", "--version", "1", "--ignore", "prices"), "web@1", 0),
        (("--pacticipant", "web", "--version", "2", "--pacticipant", "prices", "--version", "1"), "web@2 prices@1", 0),
        (("--pacticipant", "web", "--version", "1", "--dry-run"), "web@1", 0),
        (("--set", "web@3", "--retry-while-unknown", "2", "--retry-interval", "0"), "web@3", 1),
        (("--pacticipant", "web", "--latest", "--retry-while-unknown", "2", "--retry-interval", "0"), "web@3", 1),
    ],
)
def test_every_question_is_recorded_once(
    api: Api,
    run_command: Ask,
    words: tuple[str, ...],
    versions: str,
    exit_code: int,
) -> None:
    result = run_command("can-i-deploy", *words, *PRODUCTION, "--record")
    assert result.exit_code == exit_code, result.output
    assert list_recorded(api) == [versions]
    assert "Recorded: http://" in result.stdout.splitlines()[-1]


def test_json_has_the_members_of_the_matrix_and_the_record(run_command: Ask) -> None:
    plain = json.loads(ask(run_command, "2", "--output", "json").stdout)
    body = json.loads(ask(run_command, "2", "--output", "json", "--record").stdout)
    assert {name: body[name] for name in plain} == plain
    assert body["_links"]["self"]["href"].startswith("http://")


def test_an_environment_can_ask_for_records(api: Api, run_command: Ask) -> None:
    uuid = next(iter(api.get("/environments?name=production").json()["_embedded"]["environments"]))["uuid"]
    assert run_command("update-environment", "--uuid", uuid, "--record-decisions").exit_code == 0
    assert "Records Decisions: true" in run_command("describe-environment", "--uuid", uuid).stdout
    assert "Recorded: http://" in ask(run_command, "2").stdout
    assert "Recorded: http://" in run_command("can-i-deploy", "--set", "web@2", *PRODUCTION).stdout
    for words in (("--pacticipant", "web", "--version", "2"), ("--set", "web@2")):
        assert "Recorded" not in run_command("can-i-deploy", *words, *PRODUCTION, "--no-record").stdout
    assert list_recorded(api) == ["web@2", "web@2"]
    # Changes of other properties keep the setting.
    assert run_command("update-environment", "--uuid", uuid, "--display-name", "Live").exit_code == 0
    assert api.get(f"/environments/{uuid}").json()["recordsDecisions"] is True
    assert run_command("update-environment", "--uuid", uuid, "--no-record-decisions").exit_code == 0
    assert "Recorded" not in ask(run_command, "2").stdout


def test_records_need_an_environment(run_command: Ask) -> None:
    result = run_command("can-i-deploy", "--pacticipant", "web", "--version", "2", "--to", "prod", "--record")
    assert result.exit_code == 1
    assert "--record needs --to-environment ENVIRONMENT: recorded decisions are about environments." in result.output


def test_a_deployment_without_a_recorded_yes_has_a_warning(
    api: Api,
    run_command: Ask,
    history: History,
    clock: Clock,
) -> None:
    set_recording(api, history)
    deploy = ("record-deployment", "--pacticipant", "web", "--version", "2", "--environment", "production")
    result = run_command(*deploy)
    assert result.exit_code == 0
    *lines, link = result.stdout.splitlines()[1:]
    assert link.endswith("/pacticipants/web/versions/2")
    assert lines == [
        "It is marked, because no yes had been recorded for it. production records decisions: ask before deploying:",
        "    pact-broker can-i-deploy --pacticipant web --version 2 --to-environment production --record",
    ]
    clock.now += timedelta(hours=1)
    ask(run_command, "2")
    assert "It is marked" not in run_command(*deploy, "--application-instance", "blue").stdout
    released = run_command("record-release", "--pacticipant", "web", "--version", "1", "--environment", "production")
    assert "It is marked" in released.stdout


def test_decisions_are_listed_and_shown(api: Api, run_command: Ask) -> None:
    assert run_command("decisions", program=TREATY).stdout == "No decisions found.\n"
    ask(run_command, "1", "--record")
    uuid = api.get("/decisions").json()["decisions"][0]["uuid"]
    listed = run_command(
        "decisions", "--environment", "production", "--pacticipant", "web", "--answer", "no", program=TREATY
    )
    assert [line.split(" | ")[1:4] for line in listed.stdout.splitlines()][2] == ["no    ", "web (1) ", "production "]
    assert uuid in listed.stdout
    assert run_command("decisions", "--answer", "yes").stdout == "No decisions found.\n"
    assert json.loads(run_command("decisions", "--output", "json").stdout)["decisions"][0]["uuid"] == uuid
    shown = run_command("decision", uuid, program=TREATY)
    assert shown.stdout.startswith("web (1) to production: no\n")
    assert "web      | 1         | prices   | 1         | false " in shown.stdout
    assert shown.stdout.splitlines()[-1].endswith(f"/decisions/{uuid}")
    assert json.loads(run_command("decision", uuid, "--output", "json").stdout)["uuid"] == uuid
    assert run_command("decision", "3fa85f64-5717-4562-b3fc-2c963f66afa6").exit_code == 1
