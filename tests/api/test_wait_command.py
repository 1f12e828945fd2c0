"""`wait`: the event that it prints, the position that it stores, and its exit codes."""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from tests.api.commands import answer_with
from tests.http_server import Answer, serving
from treaty.cli import PACT_BROKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    from tests.api.client import Api
    from tests.http_server import Request
    from treaty.store.engine.database import Database

    Run = Callable[..., Result]

pytestmark = pytest.mark.slow_on_postgresql  # about a command; other tests have the same statements

REQUIRED = "contract_requiring_verification_published"
FOR_PRICES = ("--for", REQUIRED, "--provider", "Prices")


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treaty.cli.waiting.MIN_POLL_SECONDS", 0)
    monkeypatch.setattr("treaty.cli.waiting.INITIAL_DELAY_SECONDS", 0.01)
    monkeypatch.setattr("treaty.cli.waiting.POLL_SECONDS", 1)


@pytest.fixture
def failures() -> list[int]:
    """Statuses of the next responses to requests for events; 200 for a usual response."""
    return []


@pytest.fixture
def run(api: Api, monkeypatch: pytest.MonkeyPatch, failures: list[int]) -> Iterator[Run]:
    """Call the command with a broker whose provider Prices has a deployed version."""
    monkeypatch.setenv("PACT_BROKER_HTTP_RETRIES", "1")
    api.put("/pacticipants/Prices/versions/7", {})
    uuid = api.post("/environments", {"name": "production", "production": True}).json()["uuid"]
    api.post(f"/pacticipants/Prices/versions/7/deployed-versions/environment/{uuid}", {})
    respond = answer_with(api)

    def respond_or_fail(request: Request) -> Answer:
        status = failures.pop(0) if failures and request.path.startswith("/events") else 200
        if status != HTTPStatus.OK:
            return Answer(status, b'{"error":"not now"}', {"content-type": "application/json", "retry-after": "0"})
        answer: Answer = respond(request)
        return answer

    with serving(respond_or_fail) as address:

        def call(*words: str, **environ: str) -> Result:
            arguments = ["wait", "-b", address, *words]
            return CliRunner().invoke(PACT_BROKER, arguments, prog_name="treaty", env=environ)

        yield call


def publish(api: Api, *versions: int, consumer: str = "Shop") -> None:
    for version in versions:
        assert api.publish(consumer, str(version), "Prices", f"thing {version}").status in {200, 201}


def recorder(path: Path, *, fails: bool = False) -> tuple[str, ...]:
    """A command that appends its variables to a file."""
    script = (
        "import json, os, sys; names = ('PACT_URL', 'PACT_EVENT_NAME', 'PACT_EVENT_ID', 'PACT_CONSUMER', "
        "'PACT_CONSUMER_VERSION', 'PACT_PROVIDER', 'PACT_PROVIDER_VERSION', 'PACT_RESULT_URL', 'PACT_EVENT')\n"
        f"open({str(path)!r}, 'a').write(json.dumps({{name: os.environ[name] for name in names}}) + '\\n')\n"
        f"sys.exit({int(fails)})"
    )
    return ("--", sys.executable, "-S", "-c", script)


def recorded(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_each_call_prints_the_url_of_the_next_pact_to_verify(run: Run, api: Api, tmp_path: Path) -> None:
    position = ("--cursor", str(tmp_path / "position"), "--timeout", "0")
    first = run(*FOR_PRICES, *position)
    assert (first.exit_code, first.stdout) == (1, "")
    assert f"There was no event {REQUIRED} within the time." in first.stderr
    publish(api, 1, 2)
    versions = []
    for _ in range(2):
        result = run(*FOR_PRICES, *position)
        assert (result.exit_code, result.stderr) == (0, "")
        (url,) = result.stdout.splitlines()
        pact = api.get("/" + url.partition("/pacts/")[2].join(("pacts/", "")))
        versions.append(pact.json()["interactions"][0]["description"])
    assert versions == ["a request for thing 1", "a request for thing 2"]
    assert run(*FOR_PRICES, *position).exit_code == 1


def test_without_a_position_only_new_events_count_unless_the_start_is_requested(run: Run, api: Api) -> None:
    publish(api, 1)
    assert run(*FOR_PRICES, "--timeout", "0").exit_code == 1
    assert run(*FOR_PRICES, "--timeout", "0", "--from", "start").exit_code == 0


def test_events_are_filtered_by_name_and_application(run: Run, api: Api) -> None:
    publish(api, 1)
    publish(api, 2, consumer="Till")
    past = ("--from", "start", "--timeout", "0", "--output", "json", "--follow")
    result = run("--for", REQUIRED, "--for", "contract_published", "--consumer", "Till", *past)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(event["name"], event["consumerVersion"]) for event in events] == [
        ("contract_published", "2"),
        (REQUIRED, "2"),
    ]


def test_a_command_gets_the_event_in_variables_until_it_succeeds(run: Run, api: Api, tmp_path: Path) -> None:
    position, calls = tmp_path / "position", tmp_path / "calls"
    options = (*FOR_PRICES, "--cursor", str(position), "--from", "start", "--timeout", "0", "--follow")
    publish(api, 1, 2)
    failed = run(*options, *recorder(calls, fails=True))
    assert failed.exit_code == 3
    assert "failed with the status 1" in failed.stderr
    assert not position.exists()
    assert run(*options, *recorder(calls)).exit_code == 0
    again, first, second = recorded(calls)
    assert again == first
    assert [call["PACT_CONSUMER_VERSION"] for call in (first, second)] == ["1", "2"]
    assert json.loads(first["PACT_EVENT"])["cursor"] == first["PACT_EVENT_ID"]
    assert first["PACT_URL"] == json.loads(first["PACT_EVENT"])["_links"]["pact"]["href"]
    assert (first["PACT_CONSUMER"], first["PACT_PROVIDER"], first["PACT_PROVIDER_VERSION"]) == ("Shop", "Prices", "7")
    assert (first["PACT_EVENT_NAME"], first["PACT_RESULT_URL"]) == (REQUIRED, "")
    assert run(*options, *recorder(calls)).exit_code == 1
    assert len(recorded(calls)) == 3


def test_the_event_of_a_deleted_pact_is_skipped(run: Run, api: Api) -> None:
    publish(api, 1, 2)
    assert api.delete("/pacts/provider/Prices/consumer/Shop/version/1").status in {200, 204}
    result = run(*FOR_PRICES, "--from", "start", "--timeout", "0", "-o", "json")
    assert json.loads(result.stdout)["consumerVersion"] == "2"
    assert "its pact has been deleted" in result.stderr


def test_outages_of_the_broker_are_waited_out(run: Run, api: Api, failures: list[int], tmp_path: Path) -> None:
    path = tmp_path / "position"
    assert run(*FOR_PRICES, "--cursor", str(path), "--timeout", "0").exit_code == 1
    publish(api, 1)
    failures += [200, 503, 500, 429]
    result = run(*FOR_PRICES, "--cursor", str(path), "--timeout", "120")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Waiting until the broker is available again.") == 1
    assert failures == []


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "No value provided for required options '--for'"),
        (("--for", REQUIRED, "--timeout", "soon"), "'soon' is not a duration. Give seconds, or a number with a unit"),
        (("--for", "contract_publishd"), "Did you mean contract_published or contract_unused?"),
        (("--for", REQUIRED, "--from", "yesterday"), "'yesterday' is not one of 'now', 'start'"),
    ],
)
def test_invalid_options_exit_with_2_and_the_reason(run: Run, words: tuple[str, ...], reason: str) -> None:
    result = run(*words)
    assert (result.exit_code, reason in result.output) == (2, True), result.output


def test_a_misspelt_provider_is_named(run: Run) -> None:
    result = run("--for", REQUIRED, "--provider", "Price", "--timeout", "0")
    assert "There is no application 'Price' yet, so there are no events of it. Did you mean Prices?" in result.stderr


@pytest.mark.parametrize("content", ["", "two words\n", "ä"])
def test_a_damaged_position_is_refused(run: Run, tmp_path: Path, content: str) -> None:
    path = tmp_path / "position"
    path.write_text(content)
    result = run(*FOR_PRICES, "--cursor", str(path), "--timeout", "0")
    assert result.exit_code == 2
    assert "contains no cursor" in result.output
    assert path.read_text() == content


def test_a_position_before_removed_events_is_refused_with_the_next_step(
    run: Run, api: Api, tmp_path: Path, database: Database
) -> None:
    path = tmp_path / "position"
    publish(api, 1)
    assert run(*FOR_PRICES, "--cursor", str(path), "--timeout", "0").exit_code == 1
    database.write(lambda db: db.execute(text("UPDATE event_log SET uuid = 'another'")))
    result = run(*FOR_PRICES, "--cursor", str(path), "--timeout", "0")
    assert result.exit_code == 2
    assert "from the event log of another database" in result.output
    assert "Delete the --cursor file" in result.output
