"""can-i-deploy and can-i-merge, against another broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from treaty.cli.verdicts import verification_required

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

FOO = "q[][pacticipant]=Foo&q[][version]=1"
IGNORED = "ignore[][pacticipant]=X&ignore[][version]=3&ignore[][pacticipant]=Y"
ONE = f"/matrix?{FOO}"
ASKED = f"GET {ONE}&latestby=cvpv&environment=test"
ARGS = ["can-i-deploy", "-a", "Foo", "-e", "1", "--to-environment", "test"]
MERGE = f"GET {ONE}&latestby=cvp&latest=true&mainBranch=true"
SUCCESS = [{"type": "success", "text": "All required verification results are published and successful"}]


def row(consumer: str, provider: str = "Bar", *, success: bool | None = True, **more: Any) -> dict[str, Any]:
    name, _, number = consumer.partition("@")
    result = None if success is None else {"success": success, "_links": {"self": {"href": f"http://b/{number}"}}}
    return {
        "consumer": {"name": name, "version": {"number": number}},
        "provider": {"name": provider, "version": None if success is None else {"number": "4.5.6"}},
        "verificationResult": result,
    } | more


def answer(verdict: str, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    deployable = {"yes": True, "no": False, "unknown": None}[verdict]
    counts = {"deployable": deployable, "reason": "Because", "success": 1, "failed": 0, "unknown": 0}
    return {"summary": counts, "matrix": list(rows), "notices": SUCCESS} | more


def test_a_yes_is_printed_with_the_table_the_results_and_the_reasons(run: Run, broker: OtherBroker) -> None:
    commit = "7bd4d91" + "a" * 33
    broker.answer(ASKED, answer("yes", row(f"Foo@{commit}")))
    result = run(*ARGS, FORCE_COLOR="1")
    assert result.exit_code == 0
    assert result.stdout == (
        "\x1b[32mComputer says yes \\o/ \x1b[0m\n"
        "\n"
        "CONSUMER | C.VERSION  | PROVIDER | P.VERSION | SUCCESS? | RESULT#\n"
        "---------|------------|----------|-----------|----------|--------\n"
        "Foo      | 7bd4d91... | Bar      | 4.5.6     | true     | 1      \n"
        "\n"
        "VERIFICATION RESULTS\n"
        "--------------------\n"
        f"1. http://b/{commit} (success)\n"
        "\n"
        "\x1b[32mAll required verification results are published and successful\x1b[0m\n"
    )


BRANCH_LINK = "pb:can-i-merge-pacticipant-version-to-branch"


def test_a_merge_is_compared_with_a_named_branch(run: Run, broker: OtherBroker) -> None:
    broker.answer("GET /x", {"_links": {BRANCH_LINK: {"href": "/matrix"}}})
    broker.answers["GET /"] = broker.answers.pop("GET /x")
    line = f"GET {ONE}&latestby=cvp&latest=true&branch=release%2F1"
    broker.answer(line, answer("yes"))
    assert run("can-i-merge", "-a", "Foo", "-e", "1", "--to", "release/1").exit_code == 0
    assert broker.last.line == line


def test_a_broker_that_would_ignore_the_named_branch_gets_no_query(run: Run, broker: OtherBroker) -> None:
    result = run("can-i-merge", "-a", "Foo", "-e", "1", "--to", "release/1")
    assert result.exit_code == 1
    assert result.stdout.startswith("This broker cannot compare with a branch that is not the main branch")
    assert [line for line in broker.lines if "matrix" in line] == []


@pytest.mark.parametrize("name", ["can-i-merge", "can-i-deploy"])
def test_an_option_that_is_reported_as_unknown_is_never_used(run: Run, broker: OtherBroker, name: str) -> None:
    result = run(name, "-a", "Foo", "-e", "1", "--verison", "2", "--evironment=prod", "-z", "--to_envrionment", "x")
    assert 'Unknown switches "--verison", "--evironment=prod", "-z", "--to_envrionment"' in result.stderr
    assert "Did you mean --version?\n" in result.stderr
    assert [line for line in broker.lines if "2" in line or "prod" in line or "x" in line.partition("matrix")[2]] == []


def test_an_option_of_another_command_is_unknown_and_never_used(broker: OtherBroker) -> None:
    words = ["-a", "Foo", "-e", "1", "--branch", "main", "--ignore", "Bar", "-b", broker.url, "--retries", "1"]
    result = CliRunner().invoke(verification_required, words)
    assert 'Unknown switches "--branch", "--ignore"' in result.stderr
    assert (result.exit_code, broker.lines) == (1, [])


@pytest.mark.parametrize(
    ("options", "query"),
    [
        (["--branch", "feat/x"], "q[][latest]=true&q[][branch]=feat%2Fx"),
        (["--latest", "dev"], "q[][latest]=true&q[][tag]=dev"),
        (["--main-branch"], "q[][latest]=true&q[][mainBranch]=true"),
        (["--all", "dev"], "q[][tag]=dev"),
    ],
)
def test_a_merge_has_the_selectors_of_the_original(
    run: Run, broker: OtherBroker, options: list[str], query: str
) -> None:
    result = run("can-i-merge", "-a", "Foo", *options)
    assert "Unknown switches" not in result.stderr
    assert broker.last.path == f"/matrix?q[][pacticipant]=Foo&{query}&latestby=cvp&latest=true&mainBranch=true"


def test_a_no_is_printed_for_false_and_for_unknown(run: Run, broker: OtherBroker) -> None:
    broker.answer(ASKED, answer("no", notices=[]))
    broker.answer(ASKED, answer("unknown", notices=None))
    for _ in range(2):
        result = run(*ARGS, FORCE_COLOR="1")
        assert result.exit_code == 1
        assert result.stdout == "\x1b[31mComputer says no ¯\\_(ツ)_/¯\x1b[0m\n\n\x1b[31mBecause\x1b[0m\n"


def test_only_the_matrix_is_requested(run: Run, broker: OtherBroker) -> None:
    broker.answer(ASKED, answer("yes"))
    run(*ARGS)
    assert broker.lines == [ASKED]


def test_rows_are_sorted_and_missing_values_are_marked(run: Run, broker: OtherBroker) -> None:
    rows = [
        row("foo@2", success=False),
        row("Foo@1.2.3+" + "b" * 40, success=None),
        row("Foo@" + "c-" * 40, ignored=True),
        row("A@1", "Z"),
    ]
    broker.answer(ASKED, answer("yes", *rows))
    lines = run(*ARGS).stdout.splitlines()[4:8]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    assert cells == [
        ["A", "1", "Z", "4.5.6", "true", "1"],
        ["Foo", "1.2.3+bbbbbbb...", "Bar", "???", "???", ""],
        ["foo", "2", "Bar", "4.5.6", "false", "2"],
        ["Foo", "c-" * 30 + "...", "Bar", "4.5.6", "true [ignored]", "3"],
    ]
    assert "2. http://b/2 (failure)" in run(*ARGS).stdout


def test_no_result_leaves_the_list_of_results_out(run: Run, broker: OtherBroker) -> None:
    broker.answer(ASKED, answer("unknown", row("Foo@1", success=None)))
    assert "VERIFICATION RESULTS" not in run(*ARGS).stdout


def test_json_is_the_answer_indented_and_the_verdict_stays(run: Run, broker: OtherBroker) -> None:
    body = answer("no", row("Foo@ü"))
    broker.answer(ASKED, body)
    result = run(*ARGS, "-o", "json")
    assert result.stdout == json.dumps(body, indent=2, ensure_ascii=False) + "\n"
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("args", "query"),
    [
        ("-a Foo -e 1", "q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true"),
        ("-aFoo -e1", "q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true"),
        ("--pacticipant=Foo --version=1", "q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true"),
        ("-a Foo --to test -e 1", "q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true&tag=test"),
        ("-a Foo -l", "q[][pacticipant]=Foo&q[][latest]=true&latestby=cvp&latest=true"),
        ("-a Foo -l dev", "q[][pacticipant]=Foo&q[][latest]=true&q[][tag]=dev&latestby=cvp&latest=true"),
        ("-a Foo --latest=dev", "q[][pacticipant]=Foo&q[][latest]=true&q[][tag]=dev&latestby=cvp&latest=true"),
        ("-a Foo --all prod", "q[][pacticipant]=Foo&q[][tag]=prod&latestby=cvp&latest=true"),
        ("-a Foo --branch f/x", "q[][pacticipant]=Foo&q[][latest]=true&q[][branch]=f%2Fx&latestby=cvp&latest=true"),
        ("-a Foo --main_branch", "q[][pacticipant]=Foo&q[][latest]=true&q[][mainBranch]=true&latestby=cvp&latest=true"),
        (
            "-a Foo -e 1 -a Bar -l",
            "q[][pacticipant]=Foo&q[][version]=1&q[][pacticipant]=Bar&q[][latest]=true&latestby=cvpv",
        ),
        (
            "-a Foo -e 1 --ignore X --version 3 --ignore Y --to-environment t",
            f"{FOO}&latestby=cvpv&environment=t&{IGNORED}",
        ),
        (
            "-a Foo -e 1 --limit 5 --to-environment t",
            "q[][pacticipant]=Foo&q[][version]=1&latestby=cvpv&limit=5&environment=t",
        ),
    ],
)
def test_options_make_the_query_in_their_order(run: Run, broker: OtherBroker, args: str, query: str) -> None:
    run("can-i-deploy", *args.split())
    assert broker.lines == [f"GET /matrix?{query}"]


def test_several_versions_of_one_pacticipant_are_queried_with_the_latest_of_the_others(
    run: Run, broker: OtherBroker
) -> None:
    run("can-i-deploy", "-a", "Foo", "-e", "1", "-a", "Foo", "-e", "2")
    selected = "q[][pacticipant]=Foo&q[][version]=1&q[][pacticipant]=Foo&q[][version]=2"
    assert broker.lines == [f"GET /matrix?{selected}&latestby=cvpv&latest=true"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("-a Foo -e 1 -e 2 --to-environment t", "Foo has two values for its version, 1 and 2."),
        ("-a Foo --branch x --branch=y --to-environment t", "Foo has two values for its branch, x and y."),
        ("-a Foo --all x -l y --to-environment t", "Foo has two values for its tag, x and y."),
        ("-a Foo -e 1 --ignore Bar -e 2 -e 3", "Bar has two values for its version, 2 and 3."),
        ("-a Bar -e 1 -vaFoo --to-environment t", "It is unclear which option Foo belongs to."),
        ("-a Foo -e 1 -a Foo -l -ve2 --to-environment t", "It is unclear which option 2 belongs to."),
        ("-a Foo -e 1 --to x --to-environment t", "Give either --to-environment or --to."),
    ],
)
def test_no_part_of_a_question_is_left_out_in_silence(run: Run, broker: OtherBroker, args: str, message: str) -> None:
    result = run("can-i-deploy", *args.split())
    assert (result.exit_code, broker.lines) == (1, [])
    assert message in result.stdout + result.stderr


def test_an_option_may_be_repeated_with_the_same_value(run: Run, broker: OtherBroker) -> None:
    run("can-i-deploy", "-a", "Foo", "-e", "1", "-e", "1", "--to-environment", "t")
    assert broker.lines == ["GET /matrix?q[][pacticipant]=Foo&q[][version]=1&latestby=cvpv&environment=t"]


def test_names_are_encoded(run: Run, broker: OtherBroker) -> None:
    run("can-i-deploy", "-a", "A & B", "-e", "1+2", "--to-environment", "é")
    encoded = "q[][pacticipant]=A%20%26%20B&q[][version]=1%2B2&latestby=cvpv&environment=%C3%A9"
    assert broker.lines == [f"GET /matrix?{encoded}"]


def test_pacticipants_to_ignore_may_come_from_the_environment(run: Run, broker: OtherBroker) -> None:
    line = f"{ASKED}&ignore[][pacticipant]=X&ignore[][pacticipant]=Y"
    broker.answer(line, answer("yes"))
    result = run(*ARGS, PACT_BROKER_CAN_I_DEPLOY_IGNORE="X, Y")
    assert broker.lines == [line]
    assert result.stdout.startswith(
        "WARN: This version of the Pact Broker does not support ignoring pacticipants. Please upgrade your Broker to "
        ">= 2.80.0\n\nComputer says yes"
    )


def test_a_broker_that_counts_ignored_rows_causes_no_warning(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"{ASKED}&ignore[][pacticipant]=X", answer("yes", summary={"deployable": True, "ignored": 0}))
    assert "WARN" not in run(*ARGS, "--ignore", "X").stdout


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ([], "No value provided for required options '--pacticipant'"),
        (
            ["-a", "Foo"],
            (
                "The version must be specified using `--version VERSION`, `--branch BRANCH` `--latest`, "
                "`--latest TAG`, or `--all TAG` for pacticipant Foo"
            ),
        ),
        (["-a", "Foo", "-e", "1", "--to-environment", " "], "The environment name cannot be blank"),
        (["-e", "1", "-a", "Foo"], "--version is not preceded by a pacticipant. Give --pacticipant NAME before it."),
        (["-a", "Foo", "-e", "1", "-o", "xml"], "Invalid output option 'xml'. Must be one of 'table' or 'json'."),
    ],
)
def test_wrong_use_is_explained_on_stderr(run: Run, broker: OtherBroker, args: list[str], text: str) -> None:
    result = run("can-i-deploy", *args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == text
    assert broker.requests == []


def test_a_rejected_query_is_reported_without_a_backtrace(run: Run, broker: OtherBroker) -> None:
    broker.answer(ASKED, '{"errors":["No"]}', status=400)
    result = run(*ARGS)
    url = f"{broker.url}{ASKED.removeprefix('GET ')}"
    assert result.stdout == f"Error retrieving matrix. Error making request to {url} status=400: No.\n"
    assert result.exit_code == 1
    assert run(*ARGS, "-o", "json").stdout == '{"errors":["No"]}\n'


def test_the_exit_code_can_be_chosen(run: Run, broker: OtherBroker) -> None:
    broker.answer(ASKED, answer("no"))
    result = run(*ARGS, PACT_BROKER_CAN_I_DEPLOY_EXIT_CODE_BETA="7")
    assert result.exit_code == 7
    assert result.stderr.splitlines()[-1] == "Exiting can-i-deploy with configured exit code 7"


DRY = "\x1b[33m[dry-run] \x1b[0m"


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        ("yes", "Computer says yes \\o/ (and maybe you don't need to enable dry run)"),
        ("no", "Computer says no ¯\\_(ツ)_/¯ (but you're ignoring this by enabling dry run)"),
    ],
)
def test_a_dry_run_marks_every_line_and_ends_well(run: Run, broker: OtherBroker, verdict: str, text: str) -> None:
    broker.answer(ASKED, answer(verdict))
    result = run(*ARGS, FORCE_COLOR="1", PACT_BROKER_CAN_I_DEPLOY_DRY_RUN="true")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{DRY}{text}",
        DRY,
        f"{DRY}{SUCCESS[0]['text']}",
        DRY,
        f"{DRY}\x1b[32mDry run enabled - ignoring any failures\x1b[0m",
    ]


def test_a_dry_run_ends_well_even_if_the_question_fails(run: Run, broker: OtherBroker) -> None:
    broker.answer(ASKED, "no", status=400)
    result = run(*ARGS, "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("[dry-run] Error retrieving matrix. ")
    assert result.stdout.endswith("[dry-run] Dry run enabled - ignoring any failures\n")


def test_it_waits_while_results_are_missing(run: Run, broker: OtherBroker) -> None:
    for unknown in (2, 1, 0):
        broker.answer(ASKED, answer("yes", summary={"deployable": unknown == 0, "unknown": unknown}))
    result = run(*ARGS, "--retry-while-unknown", "5", "--retry-interval", "0.01")
    assert len(broker.requests) == 3
    assert result.exit_code == 0
    assert result.stderr == "Waiting for 2 verification results to be published (maximum of 0.05 seconds)\n"


def test_it_waits_only_so_often(run: Run, broker: OtherBroker) -> None:
    broker.answer(ASKED, answer("unknown", summary={"deployable": None, "unknown": 1}))
    result = run(*ARGS, "--retry-while-unknown", "2", "--retry-interval", "0")
    assert len(broker.requests) == 3
    assert result.exit_code == 1
    assert result.stderr.startswith("Waiting for 1 verification result to be published (maximum of 0 seconds)\n")


def test_a_dry_run_does_not_wait(run: Run, broker: OtherBroker) -> None:
    broker.answer(ASKED, answer("unknown", summary={"deployable": None, "unknown": 1}))
    run(*ARGS, "--retry-while-unknown", "2", "--retry-interval", "0", "--dry-run")
    assert len(broker.requests) == 1


def test_waiting_needs_a_count(run: Run, broker: OtherBroker) -> None:
    broker.answer(ASKED, answer("unknown", summary={"deployable": None}))
    result = run(*ARGS, "--retry-while-unknown", "2")
    assert result.stdout == (
        "This version of the Pact Broker does not provide a count of the unknown verification results. Please upgrade "
        "your Broker to >= v2.23.4\n"
    )
    assert result.exit_code == 1


def test_can_i_merge_queries_the_main_branches(run: Run, broker: OtherBroker) -> None:
    broker.answer(MERGE, answer("no"))
    result = run("can-i-merge", "-a", "Foo", "-e", "1", PACT_BROKER_CAN_I_DEPLOY_EXIT_CODE_BETA="7")
    assert broker.lines == [MERGE]
    assert result.stdout.startswith("Computer says no")
    assert result.exit_code == 1


def test_can_i_merge_has_its_own_variables(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"{MERGE}&ignore[][pacticipant]=X", answer("no"))
    env = {"PACT_BROKER_CAN_I_MERGE_IGNORE": "X", "PACT_BROKER_CAN_I_MERGE_DRY_RUN": "true"}
    assert run("can-i-merge", "-a", "Foo", "-e", "1", **env).exit_code == 0


@pytest.mark.parametrize(("total", "is_counted"), [(130, True), (1, False)])
def test_rows_that_a_limit_leaves_out_are_counted(
    run: Run, broker: OtherBroker, total: int, *, is_counted: bool
) -> None:
    broker.answer(ASKED, answer("no", row("Foo@1"), rows={"shown": 1, "total": total}))
    line = f"1 of {total} rows are shown; the answer depends on all of them."
    assert (line in run(*ARGS).stdout.splitlines()) is is_counted


def test_another_broker_has_no_decisions_about_sets(run: Run, broker: OtherBroker) -> None:
    result = run("can-i-deploy", "--set", "@acme/web@2", "--set", "prices@2", "--to-environment", "test")
    assert result.exit_code == 1
    assert broker.last.line == "POST /decisions"
    assert result.stdout.splitlines()[0] == (
        "Error retrieving decision. This broker cannot decide about several versions together, so --set cannot be used."
    )
    assert result.stderr.splitlines()[-1] == "Ask about each version with --pacticipant, or use a Treaty broker."


NOT_RECORDED = (
    "Warning: This broker cannot record decisions, so this one was not recorded. Use a Treaty broker, upgrade it, or "
    "leave --record out.\n"
)


@pytest.mark.parametrize(("verdict", "exit_code"), [("yes", 0), ("no", 1)])
def test_a_broker_that_cannot_record_gives_the_same_answer_with_a_warning(
    run: Run, broker: OtherBroker, verdict: str, exit_code: int
) -> None:
    broker.answer(ASKED, answer(verdict, row("Foo@1")))
    plain, result = run(*ARGS), run(*ARGS, "--record")
    assert (result.exit_code, result.stdout) == (exit_code, plain.stdout)
    assert result.stderr == NOT_RECORDED + plain.stderr
    assert "POST" not in {request.method for request in broker.requests}


def test_an_older_treaty_answers_about_a_set_without_a_record(run: Run, broker: OtherBroker) -> None:
    links = {"pb:decisions": {"href": f"{broker.url}/decisions"}}
    broker.answers.pop("GET /", None)
    broker.answer("GET /", {"_links": links})
    body = {"deployable": True, "leaveOut": [], "order": [], "reasons": []}
    broker.answer("POST /decisions", body)
    result = run("can-i-deploy", "--set", "Foo@1", "--to-environment", "test", "--record")
    assert (result.exit_code, result.stderr) == (0, NOT_RECORDED)
    assert broker.last.json == {"environment": "test", "versions": [{"pacticipant": "Foo", "version": "1"}]}


def test_recorded_decisions_need_a_treaty_broker(run: Run, broker: OtherBroker) -> None:
    for words in (("decisions",), ("decision", "0f7c9ae8-9f39-4a4c-8b5e-5ed9d3f0b001")):
        result = run(*words)
        assert result.exit_code == 1
        assert "This broker has no recorded decisions. Only Treaty brokers record them." in result.output
    assert broker.requests
