"""Ask the broker for a verdict: can-i-deploy and can-i-merge."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import matrix, options, output, selectors
from treaty.cli.program import WORDS_KEY, Command, Failure, Flag
from treaty.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from treaty.cli.selectors import SelectorOptions
    from treaty.client import BrokerClient, Json, Query

_NO_COUNT: Final = (
    "This version of the Pact Broker does not provide a count of the unknown verification results. Please upgrade your "
    "Broker to >= v2.23.4"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRequest:
    """What is asked, and how: again `times` times, `interval` seconds apart, while results are missing."""

    query: Query
    form: str
    max_retries: int
    interval: float
    dry_run: bool
    ignores_pacticipants: bool


def _waiting(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--dry-run/--no-dry-run", cls=Flag, help="Say what the answer is, but end well in any case."),
        click.option("--retry-interval", type=float, default=10, show_default=True, help="Seconds between questions."),
        click.option(
            "--retry-while-unknown",
            type=int,
            default=0,
            show_default=True,
            metavar="TIMES",
            help="Ask again, so many times, while results are missing.",
        ),
    ):
        command = option(command)
    return command


def _ignore_option(command: Callable[..., None]) -> Callable[..., None]:
    text = "A pacticipant whose results do not count; repeatable, --version may follow."
    return click.option("--ignore", multiple=True, metavar="NAME", help=text)(command)


@click.command("can-i-deploy", cls=Command)
@click.option("-a", "--pacticipant", multiple=True, required=True, metavar="NAME", help="Repeatable, see below.")
@click.option("-e", "--version", multiple=True, help="The version of the pacticipant named before it.")
@click.option("-l", "--latest", multiple=True, is_flag=False, flag_value="", metavar="[TAG]", help="Or its latest.")
@click.option("--branch", multiple=True, help="Or the latest of a branch.")
@click.option("--main-branch/--no-main-branch", cls=Flag, help="Or the latest of its main branch.")
@click.option("--all", "all_tagged", multiple=True, metavar="TAG", help="Or all versions with a tag.")
@click.option("--tag", multiple=True, hidden=True, help="The same as --all.")
@_ignore_option
@click.option("--to-environment", metavar="ENVIRONMENT", help="Where the pacticipants are to be deployed.")
@click.option("--to", metavar="TAG", help="Where they are to be deployed, if tags mark what is where.")
@click.option("--limit", type=int, hidden=True)
@options.output_option("table", "json")
@_waiting
@options.connection_options()
@click.pass_context
def can_i_deploy(ctx: click.Context, /, broker: BrokerClient, **given: Any) -> None:
    """Ask whether versions work with all that is in an environment.

    Give each --pacticipant with what selects its version behind it: --version, --branch, --main-branch, --latest or
    --all.
    """
    chosen = _chosen(ctx, "PACT_BROKER_CAN_I_DEPLOY_IGNORE")
    question = _question(given, _deploy_query(chosen, given), chosen, dry_run="PACT_BROKER_CAN_I_DEPLOY_DRY_RUN")
    if not _answer(broker, question):
        raise SystemExit(_exit_code())


@click.command("can-i-merge", cls=Command)
@click.option("-a", "--pacticipant", multiple=True, required=True, metavar="NAME", help="Repeatable.")
@click.option("-e", "--version", multiple=True, help="The version of the pacticipant named before it.")
@_ignore_option
@options.output_option("table", "json")
@_waiting
@options.connection_options()
@click.pass_context
def can_i_merge(ctx: click.Context, /, broker: BrokerClient, **given: Any) -> None:
    """Ask whether a version works with the main branches of all that it is integrated with."""
    chosen = _chosen(ctx, "PACT_BROKER_CAN_I_MERGE_IGNORE")
    query = selectors.build_query(
        chosen, latest_by=_latest_by(chosen), target=[("latest", "true"), ("mainBranch", "true")]
    )
    question = _question(given, query, chosen, dry_run="PACT_BROKER_CAN_I_MERGE_DRY_RUN")
    if not _answer(broker, question):
        raise SystemExit(1)


@click.command("verification-required", cls=Command)
@click.option("-a", "--pacticipant", multiple=True, required=True, metavar="NAME", help="Repeatable.")
@click.option("-e", "--version", multiple=True, help="The version of the pacticipant named before it.")
@click.option("-l", "--latest", multiple=True, is_flag=False, flag_value="", metavar="[TAG]", help="Or its latest.")
@click.option("--in-environment", "to_environment", metavar="ENVIRONMENT", help="Where the others are.")
@click.option("--to", metavar="TAG", help="Where they are, if tags mark what is where.")
@options.output_option("table", "json")
@options.connection_options()
@click.pass_context
def verification_required(ctx: click.Context, /, broker: BrokerClient, form: str, **given: Any) -> None:
    """Ask whether the results of a verification are missing still; the exit code is 0 if they are."""
    chosen = _chosen(ctx)
    try:
        body = broker.get(broker.url_for("matrix", query=_deploy_query(chosen, given | {"limit": None}))).body
    except ClientError as error:
        text = f"Error determining if a verification already existed ({error})"
        output.print_line(f"{text} - verification should run just in case")
        return
    output.print_if_any(output.format_indented(body) if form == "json" else matrix.describe_without_colors(body))
    if not _is_unverified(body):
        output.print_line("No verification is required.")
        raise SystemExit(1)
    output.print_line("Verification is required.")


def _is_unverified(body: Json) -> bool:
    """Tell whether any result is missing, also where other versions have one."""
    counts = matrix.get_summary(body)
    return bool(counts.get("unknown")) or not any(counts.get(result) for result in ("success", "failed"))


def _chosen(ctx: click.Context, ignore_variable: str = "") -> SelectorOptions:
    """Read the selectors; names to ignore may also come from the environment."""
    also_ignored = [name.strip() for name in os.environ.get(ignore_variable, "").split(",") if name.strip()]
    words = [*ctx.meta[WORDS_KEY], *(word for name in also_ignored for word in ("--ignore", name))]
    chosen = selectors.read_selectors(words)
    selectors.check_specific(chosen.selected)
    selectors.check_complete(chosen, ctx.params)
    return chosen


def _latest_by(selected: SelectorOptions) -> str:
    return "cvpv" if len(selected.selected) > 1 else "cvp"


def _deploy_query(selected: SelectorOptions, given: dict[str, Any]) -> Query:
    """Ask for every version that is deployed to an environment: by `cvp` the newest would hide the others."""
    limit = [("limit", str(given["limit"]))] if given["limit"] else []
    if given["to_environment"] and given["to"]:
        raise Failure("Give either --to-environment or --to. To ask about both, ask twice.")
    if given["to_environment"]:
        return selectors.build_query(
            selected, latest_by="cvpv", target=[*limit, ("environment", given["to_environment"])]
        )
    latest_by = _latest_by(selected)
    if given["to"]:
        return selectors.build_query(
            selected, latest_by=latest_by, target=[("latest", "true"), ("tag", given["to"]), *limit]
        )
    alone = [("latest", "true")] if len({one.pacticipant for one in selected.selected}) == 1 else []
    return selectors.build_query(selected, latest_by=latest_by, target=[*alone, *limit])


def _question(given: dict[str, Any], query: Query, selected: SelectorOptions, *, dry_run: str) -> VerdictRequest:
    return VerdictRequest(
        query=query,
        form=given["form"],
        max_retries=given["retry_while_unknown"],
        interval=given["retry_interval"],
        dry_run=given["dry_run"] or os.environ.get(dry_run) == "true",
        ignores_pacticipants=bool(selected.ignored),
    )


def _exit_code() -> int:
    wanted = os.environ.get("PACT_BROKER_CAN_I_DEPLOY_EXIT_CODE_BETA", "")
    if not wanted.isdigit():
        return 1
    output.print_error(f"Exiting can-i-deploy with configured exit code {wanted}")
    return int(wanted)


def _answer(broker: BrokerClient, question: VerdictRequest) -> bool:
    """Ask, show the answer, and tell whether to end well."""
    try:
        body = _asked(broker, question)
    except ClientError as error:
        return _show_failure(error, question)
    _show(body, question)
    return matrix.is_deployable(body) or question.dry_run


def _asked(broker: BrokerClient, question: VerdictRequest) -> Json:
    url = broker.url_for("matrix", query=question.query)
    with output.show_progress("Asking the broker"):
        body = broker.get(url).body
    return body if question.dry_run or question.max_retries <= 0 else _asked_again(broker, url, body, question)


def _asked_again(broker: BrokerClient, url: str, body: Json, question: VerdictRequest) -> Json:
    if _unknown(body):
        output.print_error(_wait_text(_unknown(body), question))
    for _ in range(question.max_retries):
        if not _unknown(body):
            break
        with output.show_progress("Waiting for results"):
            time.sleep(question.interval)
            body = broker.get(url).body
    return body


def _unknown(body: Json) -> int:
    count = matrix.get_summary(body).get("unknown")
    if not isinstance(count, int):
        raise ClientError(_NO_COUNT)
    return count


def _wait_text(unknown: int, question: VerdictRequest) -> str:
    results = "verification result" if unknown == 1 else "verification results"
    seconds = f"{question.max_retries * question.interval:g}"
    return f"Waiting for {unknown} {results} to be published (maximum of {seconds} seconds)"


def _show(body: Json, question: VerdictRequest) -> None:
    if question.form == "json":
        output.print_line(output.format_indented(body))
        return
    text = matrix.describe(body, ignores_pacticipants=question.ignores_pacticipants)
    deployable = matrix.is_deployable(body)
    output.print_line(matrix.describe_dry_run(text, deployable=deployable) if question.dry_run else text)


def _show_failure(error: ClientError, question: VerdictRequest) -> bool:
    if question.form == "json" and not question.dry_run:
        raise error
    text = str(error) if str(error) == _NO_COUNT else f"Error retrieving matrix. {error}"
    output.print_line(matrix.describe_dry_run(text, deployable=None) if question.dry_run else output.red(text))
    output.print_hint(error)
    return question.dry_run
