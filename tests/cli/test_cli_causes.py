"""A no is explained in at most six lines: the question, a row for each cause, the next step, and the page.

The lines of each cause are recorded in the files in `causes`. `TREATY_TEST_RENEW=1` rewrites them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tests.api.cause_scenarios import SCENARIOS, SETTINGS, Stage
from tests.api.commands import answer_with
from tests.cli.golden_files import check_golden
from tests.databases import on_sqlite
from tests.http_server import serving
from treaty.cli import PACT_BROKER
from treaty.model.decisions.causes import Cause

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tests.api.client import Api, Clock
    from tests.cli.conftest import OtherBroker, Run
    from treaty.store.engine.database import Database

QUESTION = ("can-i-deploy", "--pacticipant", "Shop", "--version", "1", "--to-environment", "test")


def ask(stage: Stage, *words: str) -> tuple[Result, str]:
    """Ask the broker, and return the explanation without the parts that differ from run to run."""
    with serving(answer_with(stage.api)) as address:
        result = CliRunner().invoke(PACT_BROKER, [*words, "-b", address], prog_name="pact-broker")
    text = result.stderr.replace(address, "http://broker")
    return result, re.sub(r"(webhooks/)[\w-]{22,36}", r"\1UUID", text)


@on_sqlite
@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.value)
def test_each_cause_is_explained_in_six_lines(
    make_api: Callable[..., Api],
    database: Database,
    clock: Clock,
    cause: Cause,
) -> None:
    stage = Stage(make_api(**SETTINGS.get(cause, {})), database, clock)
    SCENARIOS[cause](stage)
    result, text = ask(stage, *QUESTION)
    assert result.exit_code == 1
    assert "Computer says no" in result.stdout
    check_golden(cause.value, text)


@on_sqlite
def test_a_long_list_is_counted(
    make_api: Callable[..., Api],
    database: Database,
    clock: Clock,
) -> None:
    stage = Stage(make_api(), database, clock)
    SCENARIOS[Cause.NEVER_PASSED](stage)
    for number in range(60):
        stage.publish("a", provider=f"Service {number}")
    _, text = ask(stage, *QUESTION)
    check_golden("many", text)


def reason(problem: str, **more: Any) -> dict[str, Any]:
    subject = {"name": "Bar", "version": "2"}
    return {
        "kind": "missing_verification",
        "type": "error",
        "text": "…",
        "cause": "a",
        "subject": subject,
        "problem": problem,
        **more,
    }


def answer(*reasons: dict[str, Any], deployable: bool | None = None) -> dict[str, Any]:
    notices = [{"type": reason["type"], "text": reason["text"]} for reason in reasons]
    return {"summary": {"deployable": deployable}, "matrix": [], "notices": notices, "reasons": list(reasons)}


@pytest.mark.parametrize(
    ("words", "headline"),
    [
        (("can-i-deploy", "-a", "A b", "-e", "1", "--to", "prod"), "A b (1) cannot be deployed to prod yet:"),
        (
            ("can-i-deploy", "-a", "Foo", "-e", "1", "-a", "Bar", "--branch", "x"),
            "Foo (1) and Bar (branch x) cannot be deployed yet:",
        ),
        (("can-i-merge", "-a", "Foo", "-e", "1"), "Foo (1) cannot be merged yet:"),
    ],
)
def test_the_first_line_repeats_the_question(
    run: Run, broker: OtherBroker, words: tuple[str, ...], headline: str
) -> None:
    broker.answer_all("/matrix?", answer(reason("It is late.", next={"text": "Wait."})))
    lines = run(*words).stderr.splitlines()
    assert lines[:3] == [headline, "  Bar (2): It is late.", "Next: Wait."]
    assert lines[3].startswith(f"See {broker.url}/matrix?")


def test_equal_causes_have_one_row(run: Run, broker: OtherBroker) -> None:
    same = reason(
        "It is late.", next={"text": "Wait.", "href": "http://there"}, act={"pacticipant": "Bar", "contacts": []}
    )
    broker.answer_all("/matrix?", answer(same, same, deployable=False))
    lines = run(*QUESTION).stderr.splitlines()
    assert lines[:3] == [
        "Shop (1) cannot be deployed to test:",
        "  Bar (2): It is late. Bar has to act.",
        "Next: Wait. See http://there",
    ]
