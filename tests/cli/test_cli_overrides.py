"""`treaty override`, and the answers that overrides and policies change, on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tests.api.commands import answer_with
from tests.api.history import History
from tests.cli.golden_files import check_golden
from tests.databases import on_sqlite
from tests.http_server import serving
from treaty.cli import TREATY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

    from tests.api.client import Api
    from tests.cli.conftest import OtherBroker, Run

    Command = Callable[..., Result]

WEB = ("--pacticipant", "web", "--version", "1")
QUESTION = ("can-i-deploy", *WEB, "--to-environment", "prod")
CREATE = ("override", "create", *WEB, "--environment", "prod", "--reason", "The outage of today is worse.")


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    """`web` 1 has no result with seven providers in production."""
    api = make_api()
    history = History(api)
    for number in range(7):
        history.publish("web", "1", f"service-{number}")
        history.version(f"service-{number}", "1")
        history.deploy(f"service-{number}", "1", "prod")
    return api


@pytest.fixture
def command(api: Api) -> Iterator[Command]:
    with serving(answer_with(api)) as address:

        def run(*words: str) -> Result:
            return CliRunner().invoke(TREATY, [*words, "-b", address], prog_name="treaty")

        yield run


def read_notices(result: Result) -> str:
    """Read the lines after the table."""
    return result.stdout.rpartition("\n\n")[2]


@on_sqlite
def test_an_override_is_created_listed_and_revoked(command: Command, api: Api) -> None:
    assert command(*QUESTION).exit_code == 1
    created = command(*CREATE, "--until", "2024-05-07T00:00:00Z")
    assert created.exit_code == 0, created.output
    lines = created.stdout.splitlines()
    assert lines[0] == "web (1) is overridden for prod until 2024-05-07 00:00 UTC."
    uuid = lines[1].rpartition(" ")[2]
    assert lines[1] == f"End it earlier: pact-broker override revoke --uuid {uuid}"
    answer = command(*QUESTION, "--retry-while-unknown", "3", "--retry-interval", "600")
    assert answer.exit_code == 0
    assert "Computer says yes" in answer.stdout
    check_golden("overridden", read_notices(answer))
    listed = command("override", "list", "--pacticipant", "web")
    assert uuid in listed.stdout
    assert "active" in listed.stdout
    assert command("override", "revoke", "--uuid", uuid).exit_code == 0
    assert command("override", "list").stdout == "There are no overrides.\n"
    ended = json.loads(command("override", "list", "--all", "--output", "json").stdout)
    assert [(override["uuid"], override["state"]) for override in ended] == [(uuid, "revoked")]
    assert command(*QUESTION).exit_code == 1
    assert api.get(f"/overrides/{uuid}").json()["state"] == "revoked"


@on_sqlite
def test_a_no_names_only_pairs_without_an_override(command: Command) -> None:
    for number in range(6):
        uuid = command(*CREATE, "--counterpart", f"service-{number}", "--output", "id")
        assert uuid.exit_code == 0
        assert len(uuid.stdout.strip()) == 36
    answer = command(*QUESTION)
    assert answer.exit_code == 1
    lines = answer.stderr.splitlines()
    assert lines[0] == "web (1) cannot be deployed to prod yet:"
    assert lines[1].startswith("  service-6 (1): ")
    assert lines[2].startswith("Next: ")


@on_sqlite
def test_a_set_is_overridden_by_its_members(command: Command) -> None:
    words = ("can-i-deploy", "--set", "web@1", "--to-environment", "prod")
    assert command(*words).exit_code == 1
    assert command(*CREATE, "--hours", "1").exit_code == 1  # the clock of the test stands still in 2024
    assert command(*CREATE, "--until", "2024-05-07T00:00:00Z").exit_code == 0
    answer = command(*words)
    assert answer.exit_code == 0
    check_golden("overridden", read_notices(answer))


@on_sqlite
def test_a_first_deployment_names_the_policy(command: Command, api: Api) -> None:
    history = History(api)
    history.publish("app", "1", "new-service")
    words = ("can-i-deploy", "-a", "app", "-e", "1", "--to-environment", "prod")
    assert command(*words).exit_code == 1
    uuid = api.get("/environments?name=prod").json()["_embedded"]["environments"][0]["uuid"]
    changed = command("update-environment", "--uuid", uuid, "--first-deployments", "allow")
    assert changed.exit_code == 0, changed.output
    answer = command(*words)
    assert answer.exit_code == 0
    check_golden("first_deployment", read_notices(answer))
    # Other changes keep the policy.
    assert command("update-environment", "--uuid", uuid, "--display-name", "Live").exit_code == 0
    assert command(*words).exit_code == 0
    assert command("update-environment", "--uuid", uuid, "--position", "4").exit_code == 0
    assert api.get(f"/environments/{uuid}").json()["position"] == 4
    assert command("update-environment", "--uuid", uuid, "--first-deployments", "deny").exit_code == 0
    assert api.get(f"/environments/{uuid}").json()["position"] == 4
    assert command(*words).exit_code == 1


@on_sqlite
@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((*CREATE, "--hours", "1", "--until", "2024-05-07T00:00:00Z"), "Give either --hours or --until."),
        ((*CREATE, "--until", "soon"), "must be a time such as 2030-01-31T18:00:00Z"),
        (("override", "revoke", "--uuid", "none"), "There is no override with UUID none."),
    ],
)
def test_a_wrong_option_is_explained(command: Command, words: tuple[str, ...], text: str) -> None:
    result = command(*words)
    assert result.exit_code == 1
    assert text in result.output


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (CREATE, "This broker has no overrides. Only Treaty brokers have them."),
        (("override", "list"), "This broker has no overrides. Only Treaty brokers have them."),
        (
            ("create-environment", "--name", "x", "--first-deployments", "allow"),
            "this broker has no policy for first deployments.",
        ),
        (("create-environment", "--name", "x", "--position", "1"), "this broker has no positions of environments."),
    ],
)
def test_other_brokers_have_neither_overrides_nor_policies(
    run: Run, broker: OtherBroker, words: tuple[str, ...], text: str
) -> None:
    environment: dict[str, Any] = {"name": "x", "uuid": "u", "_links": {}}
    broker.answer("POST /elsewhere/environments", environment, status=201)
    result = run(*words)
    assert result.exit_code == 1
    assert text in result.output
