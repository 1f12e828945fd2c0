"""Abbreviated commits on the command line: completed where there is one version, explained where there is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tests.api.commands import answer_with
from tests.api.history import History
from tests.databases import on_sqlite
from tests.http_server import serving
from treaty.cli import PACT_BROKER
from treaty.cli.verdicts import verification_required

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

    from tests.api.client import Api
    from tests.cli.conftest import OtherBroker, Run

    Ask = Callable[..., Result]

COMMIT = "fad5fb01d2f3a4b5c6d7e8f90a1b2c3d4e5f6071"
SHORT = "fad5fb01"
COMPLETED = f"{SHORT} is the version {COMMIT} of web-shop."
UNKNOWN = f"No version fad5fb02 of web-shop. Did you mean {COMMIT}?"


@pytest.fixture
def shop(api: Api) -> History:
    history = History(api)
    history.environment("test")
    history.publish("web-shop", COMMIT, "prices", branch="main")
    history.publish("web-shop", "1.2.3-rc.10", "prices", branch="main")
    history.verify("web-shop", COMMIT, "prices", "2")
    history.deploy("prices", "2", "test")
    return history


@pytest.fixture
def ask(shop: History) -> Iterator[Ask]:
    with serving(answer_with(shop.api)) as address:
        yield lambda *words: CliRunner().invoke(PACT_BROKER, [*words, "-b", address], prog_name="pact-broker")


def of(version: str) -> tuple[str, ...]:
    return ("--pacticipant", "web-shop", "--version", version)


@on_sqlite
@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("can-i-deploy", *of(SHORT), "--to-environment", "test"), "Computer says yes"),
        (("can-i-deploy", "--set", f"web-shop@{SHORT}", "--to-environment", "test"), "Computer says yes"),
        (("can-i-deploy", *of(SHORT), "--to-environment", "test", "--record"), "Recorded: "),
        (("record-deployment", *of(SHORT), "--environment", "test"), f"of web-shop version {COMMIT} to test"),
        (("record-release", *of(SHORT), "--environment", "test"), f"of web-shop version {COMMIT} to test"),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_an_abbreviated_commit_selects_its_version(
    ask: Ask, shop: History, words: tuple[str, ...], output: str
) -> None:
    result = ask(*words)
    assert result.exit_code == 0, result.output
    assert output in result.stdout
    assert result.stderr.startswith(COMPLETED)
    assert shop.api.get(f"/pacticipants/web-shop/versions/{SHORT}").status == 404, "nothing is created"


@on_sqlite
def test_an_answer_about_an_abbreviation_is_recorded_once(ask: Ask, shop: History) -> None:
    ask("can-i-deploy", *of(SHORT), "--to-environment", "test", "--record")
    (decision,) = shop.api.get("/decisions").json()["decisions"]
    assert decision["versions"] == [{"pacticipant": "web-shop", "version": COMMIT}]


@on_sqlite
def test_the_end_of_support_takes_an_abbreviation(ask: Ask, shop: History) -> None:
    shop.release("web-shop", COMMIT, "test")
    ended = ask("record-support-ended", *of(SHORT), "--environment", "test")
    assert (ended.exit_code, "Recorded support ended" in ended.stdout) == (0, True), ended.output


@on_sqlite
def test_verification_required_accepts_an_abbreviated_commit(shop: History) -> None:
    with serving(answer_with(shop.api)) as address:
        words = [*of(SHORT), "--in-environment", "test", "-b", address]
        result = CliRunner().invoke(verification_required, words)
    assert (result.exit_code, "No verification is required." in result.stdout) == (1, True), result.output


@on_sqlite
def test_a_version_is_described_by_any_unique_beginning(ask: Ask) -> None:
    for text, number in ((SHORT, COMMIT), ("1.2.3-rc", "1.2.3-rc.10")):
        assert ask("describe-version", *of(text), "-o", "id").stdout == f"{number}\n"


@on_sqlite
@pytest.mark.parametrize(
    "words",
    [
        ("can-i-deploy", *of("fad5fb02"), "--to-environment", "test"),
        ("can-i-deploy", "--set", "web-shop@fad5fb02", "--to-environment", "test"),
        ("describe-version", *of("fad5fb02")),
        ("record-deployment", *of("fad5fb02"), "--environment", "test"),
        ("record-release", *of("fad5fb02"), "--environment", "test"),
        ("create-version-tag", *of("fad5fb02"), "--tag", "rc"),
    ],
    ids=lambda words: words[0],
)
def test_an_unknown_version_is_never_answered_with_a_confident_no(ask: Ask, words: tuple[str, ...]) -> None:
    result = ask(*words)
    assert result.exit_code == 1
    assert UNKNOWN in result.output
    assert "No pacts or verifications have been published" not in result.output


@on_sqlite
def test_a_version_that_may_be_missing_is_not_replaced_by_a_longer_one(ask: Ask, shop: History) -> None:
    shop.verify("web-shop", "1.2.3-rc.10", "prices", "2")
    result = ask("can-i-deploy", *of("1.2.3-rc.1"), "--to-environment", "test")
    assert result.exit_code == 1
    assert ask("record-deployment", *of("1.2.3-rc.1"), "--environment", "test").exit_code == 1


@on_sqlite
def test_an_ambiguous_abbreviation_lists_its_versions(ask: Ask, shop: History) -> None:
    other = COMMIT[:20] + "0" * 20
    shop.version("web-shop", other)
    result = ask("can-i-deploy", *of(SHORT), "--to-environment", "test")
    assert result.exit_code == 1
    assert f"Several versions of web-shop begin with {SHORT}. Did you mean {other} or {COMMIT}?" in result.output


@on_sqlite
def test_json_keeps_the_answer_of_the_broker(ask: Ask) -> None:
    result = ask("can-i-deploy", *of("fad5fb02"), "--to-environment", "test", "-o", "json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["reasons"][0]["kind"] == "no_such_version"


@on_sqlite
def test_publishing_never_completes_a_version(ask: Ask, shop: History) -> None:
    result = ask("create-or-update-version", *of(SHORT), "--branch", "main")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].endswith(f"/pacticipants/web-shop/versions/{SHORT}")
    assert shop.api.get(f"/pacticipants/web-shop/versions/{SHORT}").status == 200


def test_other_brokers_know_exact_numbers_only(run: Run, broker: OtherBroker) -> None:
    broker.answer("GET /pacticipants/web-shop/versions/fad5fb01", {}, status=404)
    result = run("describe-version", *of(SHORT))
    assert result.exit_code == 1
    assert "Pacticipant version not found" in result.output
    assert not [line for line in broker.lines if "version-lookup" in line]
