"""A "no" ends with the commands that would change it, one for each kind of reason, and the URL of its page."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.reasons import NotCompared, NotVerified

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

FOO = ["-a", "Foo", "-e", "1"]
TO_TEST = [*FOO, "--to-environment", "test"]
SELECTED = "q[][pacticipant]=Foo&q[][version]=1"
CAN_I_DEPLOY = "pact-broker can-i-deploy --pacticipant Foo --version 1 --to-environment test"


def side(name: str, version: str | None) -> dict[str, str | None]:
    return {"name": name, "version": version}


def reason(kind: str, severity: str = "error", text: str = "Because", **sides: Any) -> dict[str, Any]:
    return {"kind": kind, "type": severity, "text": text, **sides}


def row(success: object = None, **consumer: Any) -> dict[str, Any]:
    """A row between Foo 1 and Bar."""
    version = {"number": "1", **consumer}
    result = None if success is None else {"success": success}
    return {
        "consumer": {"name": "Foo", "version": version},
        "provider": {"name": "Bar", "version": None if success is None else {"number": "2"}},
        "verificationResult": result,
    }


def verifier(url: str, pacts: str, version: str) -> str:
    return (
        f"pact-verifier --provider Bar --provider-base-url PROVIDER_URL --pact-broker-url {url} {pacts} "
        f"--provider-app-version {version} --publish-verification-results"
    )


PACT = "{url}/pacts/provider/Bar/consumer/Foo/version/1"
BETWEEN: dict[str, Any] = {"consumer": side("Foo", "1"), "provider": side("Bar", "2")}
MAIN = {"branches": [{"name": "old", "latest": False}, {"name": "main", "latest": True}]}
STAGING = {"branches": [], "environments": [{"name": "staging"}]}
PROD = {"tags": [{"name": "prod", "latest": True}]}

CASES: list[tuple[list[str], dict[str, Any], list[dict[str, Any]], str]] = [
    (
        TO_TEST,
        reason("not_deployed", consumer=side("Foo", "1"), provider=side("Bar", None)),
        [],
        "pact-broker record-deployment --pacticipant Bar --version VERSION --environment test",
    ),
    (
        TO_TEST,
        reason("not_deployed", consumer=side("A b", None), provider=side("Foo", "1")),
        [],
        "pact-broker record-deployment --pacticipant 'A b' --version VERSION --environment test",
    ),
    (TO_TEST, reason("missing_verification", **BETWEEN), [], verifier("{url}", PACT, "2")),
    (
        TO_TEST,
        reason("missing_verification", **BETWEEN),
        [row(**MAIN)],
        verifier("{url}", """--consumer-version-selector '{{"consumer": "Foo", "branch": "main"}}'""", "2"),
    ),
    (
        TO_TEST,
        reason("missing_verification", **BETWEEN),
        [row(**STAGING)],
        verifier("{url}", """--consumer-version-selector '{{"consumer": "Foo", "environment": "staging"}}'""", "2"),
    ),
    (
        TO_TEST,
        reason("missing_verification", consumer=side("Foo", "1"), provider=side("Bar", None)),
        [row(**PROD)],
        verifier(
            "{url}",
            """--consumer-version-selector '{{"consumer": "Foo", "tag": "prod", "latest": true}}'""",
            "VERSION",
        ),
    ),
    (
        [*FOO, "--to", "prod"],
        reason("missing_verification", consumer=side("Foo", "1"), provider=side("Bar", None)),
        [],
        "pact-broker create-version-tag --pacticipant Bar --version VERSION --tag prod",
    ),
    (
        FOO,
        reason("missing_verification", consumer=side("Foo", "1"), provider=side("Bar", None)),
        [],
        verifier("{url}", PACT, "VERSION"),
    ),
    (TO_TEST, reason("failed_verification", **BETWEEN), [], verifier("{url}", PACT, "VERSION")),
    (
        TO_TEST,
        reason("no_such_version", pacticipant=side("Foo", "1")),
        [],
        "pact-broker publish PACTS --consumer-app-version 1",
    ),
    (
        ["-a", "Foo", "--branch", "feat/x", "--to-environment", "test"],
        reason("no_such_version", pacticipant=side("Foo", None)),
        [],
        "pact-broker create-or-update-version --pacticipant Foo --version VERSION --branch feat/x",
    ),
    (
        ["-a", "Foo", "--latest", "dev", "--to-environment", "test"],
        reason("no_such_version", pacticipant=side("Foo", None)),
        [],
        "pact-broker create-version-tag --pacticipant Foo --version VERSION --tag dev",
    ),
    (
        ["-a", "Foo", "--main-branch", "--to-environment", "test"],
        reason("no_such_version", pacticipant=side("Foo", None)),
        [],
        "pact-broker create-or-update-pacticipant --name Foo --main-branch BRANCH",
    ),
    (
        ["-a", "Foo", "--latest", "--to-environment", "test"],
        reason("no_such_version", pacticipant=side("Foo", None)),
        [],
        "pact-broker publish PACTS --consumer-app-version VERSION",
    ),
    (
        FOO,
        reason("no_environment", "warning"),
        [],
        "pact-broker can-i-deploy --pacticipant Foo --version 1 --to-environment ENVIRONMENT",
    ),
    (
        ["-a", "Foo", "--branch", "main", "--to-environment", "test"],
        reason("no_version_number", "warning"),
        [],
        "pact-broker can-i-deploy --pacticipant Foo --version VERSION --to-environment test",
    ),
    (
        [*TO_TEST, "--ignore", "X", "--ignore", "Y", "--version", "3"],
        reason("cannot_ignore", "warning", "WARN: Cannot ignore any version of X"),
        [],
        "pact-broker can-i-deploy --pacticipant Foo --version 1 --ignore Y --version 3 --to-environment test",
    ),
    (TO_TEST, reason("missing_comparison", **BETWEEN), [], f"{CAN_I_DEPLOY} --retry-while-unknown 12"),
    (
        TO_TEST,
        reason("missing_self_verification", **BETWEEN),
        [],
        (
            "pact-broker publish-provider-contract DOCUMENT --provider Bar --provider-app-version 2 "
            "--verification-exit-code EXIT_CODE_OF_THE_TESTS"
        ),
    ),
    (
        TO_TEST,
        reason("failed_comparison", **BETWEEN),
        [],
        (
            "pact-broker publish-provider-contract DOCUMENT --provider Bar --provider-app-version VERSION "
            "--verification-exit-code EXIT_CODE_OF_THE_TESTS"
        ),
    ),
    (TO_TEST, reason("missing_description", **BETWEEN), [], verifier("{url}", PACT, "2")),
    (TO_TEST, reason("more_obstacles"), [], f"{CAN_I_DEPLOY} --output json"),
]
POSITIVE = {"named_by_alias", "overridden", "first_deployment", "all_verified", "nothing_required"}


def test_the_table_has_every_kind_of_reason() -> None:
    kinds = {*reason_texts._CODES.values(), *reason_texts._CODES_BY_GAP.values()}  # noqa: SLF001 - all that exist
    of_missing_results = {"missing_verification", "not_deployed"}
    assert not {NotVerified, NotCompared} & set(reason_texts._CODES)  # noqa: SLF001 - they have several kinds
    assert {case[1]["kind"] for case in CASES} | POSITIVE == kinds | of_missing_results


def answer(*reasons: dict[str, Any], **more: Any) -> dict[str, Any]:
    notices = [{"type": reason["type"], "text": reason["text"]} for reason in reasons]
    return {"summary": {"deployable": False}, "matrix": [], "notices": notices, "reasons": list(reasons), **more}


@pytest.mark.parametrize(("words", "because", "rows", "command"), CASES)
def test_each_reason_has_the_command_that_would_change_the_answer(
    run: Run, broker: OtherBroker, words: list[str], because: dict[str, Any], rows: list[dict[str, Any]], command: str
) -> None:
    broker.answer_all("/matrix?", answer(because, matrix=rows))
    result = run("can-i-deploy", *words)
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert lines[:2] == ["", "To change this answer:"]
    assert f"    {command.format(url=broker.url)}" in lines
    assert lines[-1].startswith(f"See {broker.url}/matrix?q%5B%5D%5Bpacticipant%5D=Foo")
    assert "change this answer" not in result.stdout


def test_the_commands_are_read_by_the_programs_that_they_name(run: Run) -> None:
    for *_, command in CASES:
        program, *words = shlex.split(command.format(url="http://127.0.0.1:1"))
        if program == "pact-broker":
            result = run(*words, "--help")
            assert (result.exit_code, "Unknown" in result.output) == (0, False), command


@pytest.mark.parametrize(
    ("to", "command"),
    [
        ([], "pact-broker create-or-update-version --pacticipant Bar --version VERSION --branch MAIN_BRANCH"),
    ],
)
def test_an_application_without_a_main_branch_gets_a_version_on_it(
    run: Run, broker: OtherBroker, to: list[str], command: str
) -> None:
    because = reason("missing_verification", consumer=side("Foo", "1"), provider=side("Bar", None))
    broker.answer_all("/matrix?", answer(because))
    result = run("can-i-merge", *FOO, *to)
    assert f"    {command}\n" in result.stderr
    assert result.stderr.endswith("&latestby=cvp&latest=true&mainBranch=true\n")


def test_the_page_has_the_names_encoded_and_no_limit(run: Run, broker: OtherBroker) -> None:
    broker.answer_all("/matrix?", answer())
    result = run("can-i-deploy", "-a", "A & B", "-e", "1", "--limit", "3", "--to-environment", "test")
    selected = "".join(f"q[][{key}]={quote(value)}&" for key, value in (("pacticipant", "A & B"), ("version", "1")))
    query = f"{selected}latestby=cvpv&environment=test".replace("[", "%5B").replace("]", "%5D")
    assert result.stderr == f"\nSee {broker.url}/matrix?{query}\n"


def test_a_yes_has_no_next_steps_and_json_none_either(run: Run, broker: OtherBroker) -> None:
    broker.answer_all("/matrix?", answer(summary={"deployable": True}))
    assert run("can-i-deploy", *TO_TEST).stderr == ""
    broker.answer_all("/matrix?", answer(reason("not_deployed", consumer=side("Foo", "1"), provider=side("Bar", None))))
    assert run("can-i-deploy", *TO_TEST, "-o", "json").stderr == ""


def test_a_dry_run_marks_the_next_steps_too(run: Run, broker: OtherBroker) -> None:
    broker.answer_all("/matrix?", answer(reason("failed_verification", **BETWEEN)))
    result = run("can-i-deploy", *TO_TEST, "--dry-run")
    assert result.exit_code == 0
    assert all(line.startswith("[dry-run] ") for line in result.stderr.splitlines())


def test_many_reasons_have_five_steps_and_a_count(run: Run, broker: OtherBroker) -> None:
    sides: list[dict[str, Any]] = [
        {"consumer": side("Foo", "1"), "provider": side(f"P{number}", None)} for number in range(9)
    ]
    broker.answer_all("/matrix?", answer(*(reason("not_deployed", **both) for both in [*sides, *sides])))
    lines = run("can-i-deploy", *TO_TEST).stderr.splitlines()
    assert sum(line.startswith("    pact-broker record-deployment ") for line in lines) == 5
    assert lines[-2] == "  * 4 more: see the page."


def test_reasons_that_prevent_the_deployment_come_before_warnings(run: Run, broker: OtherBroker) -> None:
    broker.answer_all("/matrix?", answer(reason("no_environment", "warning"), reason("failed_verification", **BETWEEN)))
    commands = [line.split()[0] for line in run("can-i-deploy", *FOO).stderr.splitlines() if line.startswith("    ")]
    assert commands == ["pact-verifier", "pact-broker"]


def test_an_unknown_reason_has_the_brokers_own_suggestion(run: Run, broker: OtherBroker) -> None:
    broker.answer_all("/matrix?", answer(reason("of_the_future", next={"text": "Wait for the future."})))
    assert "  * Wait for the future.\n" in run("can-i-deploy", *TO_TEST).stderr


UNDEPLOYED = (
    "version 1 of Foo and a version of Bar currently in test (no version is currently recorded as deployed/released in "
    "this environment)"
)


@pytest.mark.parametrize(
    ("texts", "rows", "command"),
    [
        (
            [f"There is no verified pact between {UNDEPLOYED}"],
            [row()],
            "pact-broker record-deployment --pacticipant Bar --version VERSION --environment test",
        ),
        (["There is no verified pact between …"], [row()], verifier("{url}", PACT, "VERSION")),
        (["The verification for the pact between … failed"], [row(success=False)], verifier("{url}", PACT, "VERSION")),
        (
            ["No pacts or verifications have been published for version 1 of Foo"],
            [],
            "pact-broker publish PACTS --consumer-app-version 1",
        ),
    ],
)
def test_the_reasons_of_another_broker_are_read_from_rows_and_notices(
    run: Run, broker: OtherBroker, texts: list[str], rows: list[dict[str, Any]], command: str
) -> None:
    notices = [{"type": "error", "text": text} for text in texts]
    body = {"summary": {"deployable": None, "reason": "\n".join(texts)}, "matrix": rows}
    for more in ({"notices": notices}, {}):
        broker.answers.clear()
        broker.answer_index()
        broker.answer(f"GET /matrix?{SELECTED}&latestby=cvpv&environment=test", json.dumps(body | more))
        lines = run("can-i-deploy", *TO_TEST).stderr.splitlines()
        assert [line.strip() for line in lines if line.startswith("    ")] == [command.format(url=broker.url)]
