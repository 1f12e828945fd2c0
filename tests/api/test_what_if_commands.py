"""`what-if`: the effect of changes on the command line."""

import json
from pathlib import Path

import pytest

from tests.api.client import Api, pact
from tests.api.commands import Run
from tests.api.contracts import OPENAPI
from tests.api.history import History
from tests.api.what_if import FAILED, add_incompatible_versions
from tests.databases import on_sqlite
from treaty.cli import TREATY

pytestmark = on_sqlite


@pytest.fixture
def ask(run_command: Run, api: Api) -> Run:
    add_incompatible_versions(History(api))

    def ask(*words: str) -> object:
        return run_command("what-if", "--environment", "prod", *words, program=TREATY)

    return ask  # type: ignore[return-value]  # a result


def test_broken_pairs_are_listed_with_the_reasons(ask: Run) -> None:
    result = ask("--deploy", "prices@2")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "Deploy prices to 2 in prod, instead of 1.",
        "",
        "This would break:",
        "  * till and prices",
        f"    {FAILED}",
    ]


def test_changes_that_break_nothing_exit_with_0(ask: Run) -> None:
    result = ask("--retire", "till", "--deploy", "prices@2", "--deploy", "shop@2")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Retire till (1) from prod.",
        "Deploy prices to 2 in prod, instead of 1.",
        "Deploy shop to 2 in prod, instead of 1.",
        "",
        "Nothing would break.",
    ]


def test_unpublished_pacts_and_documents_are_read_from_files(ask: Run, tmp_path: Path) -> None:
    (tmp_path / "shop-prices.json").write_text(json.dumps(pact("shop", "prices", "shop 1")))
    assert ask("--deploy", "shop@3", "--pacts", str(tmp_path)).exit_code == 0
    (tmp_path / "api.yaml").write_text(OPENAPI)
    result = ask("--deploy", "prices@3", "--document", str(tmp_path / "api.yaml"))
    assert result.exit_code == 1
    assert "The pact between the version of shop currently in prod (1) and version 3 of prices" in result.stdout


def test_json_is_the_response(ask: Run) -> None:
    result = ask("--undeploy", "till", "--output", "json")
    assert (result.exit_code, json.loads(result.stdout)["safe"]) == (0, True)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "Give at least one change: --deploy NAME@VERSION, --roll-back NAME,"),
        (("--deploy", "prices"), "--deploy prices has no version. Write the name and the version as NAME@VERSION."),
        (("--roll-back", "prices"), "no other version of 'prices' was deployed there before"),
        (("--undeploy", "prices", "--application-instance", "blue"), "in the application instance 'blue'"),
        (("--retire", "pries"), "There is no application pries. Did you mean prices?"),
        (("--retire", "till", "--document", "api.yaml"), "--document needs exactly one --deploy or --release"),
        (("--deploy", "prices@2", "--document", "missing.yaml"), "missing.yaml: No such file or directory"),
    ],
)
def test_without_an_answer_the_command_exits_with_2(ask: Run, words: tuple[str, ...], text: str) -> None:
    result = ask(*words)
    assert result.exit_code == 2
    assert text in result.output


def test_a_pact_needs_the_deployment_of_its_consumer(ask: Run, tmp_path: Path) -> None:
    (tmp_path / "pact.json").write_text(json.dumps(pact("shop", "prices")))
    result = ask("--deploy", "till@1", "--pacts", str(tmp_path))
    assert result.exit_code == 2
    assert "is a pact of shop. Add --deploy shop@VERSION." in result.output
