"""Ask the broker for a verdict: can-i-deploy and can-i-merge."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import matrix, options, output, selectors
from treaty.cli.program import WORDS, Command, Failure, Flag
from treaty.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from treaty.cli.selectors import Selectors
    from treaty.client import Broker, Json, Query

_NO_COUNT: Final = (
    "This version of the Pact Broker does not provide a count of the unknown verification results. Please upgrade your "
    "Broker to >= v2.23.4"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked, and how: again `times` times, `interval` seconds apart, while results are missing."""

    query: Query
    form: str
    times: int
    interval: float
    dry_run: bool
    ignoring: bool


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
@options.connected()
@click.pass_context
def can_i_deploy(ctx: click.Context, /, broker: Broker, **given: Any) -> None:
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
@options.connected()
@click.pass_context
def can_i_merge(ctx: click.Context, /, broker: Broker, **given: Any) -> None:
    """Ask whether a version works with the main branches of all that it is integrated with."""
    chosen = _chosen(ctx, "PACT_BROKER_CAN_I_MERGE_IGNORE")
    query = selectors.query(chosen, latest_by=_latest_by(chosen), target=[("latest", "true"), ("mainBranch", "true")])
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
@options.connected()
@click.pass_context
def verification_required(ctx: click.Context, /, broker: Broker, form: str, **given: Any) -> None:
    """Ask whether the results of a verification are missing still; the exit code is 0 if they are."""
    chosen = _chosen(ctx)
    try:
        body = broker.get(broker.at("matrix", query=_deploy_query(chosen, given | {"limit": None}))).body
    except ClientError as error:
        text = f"Error determining if a verification already existed ({error})"
        output.say(f"{text} - verification should run just in case")
        return
    output.say_if_any(output.indented(body) if form == "json" else matrix.describe_plainly(body))
    if not _is_unverified(body):
        output.say("No verification is required.")
        raise SystemExit(1)
    output.say("Verification is required.")


def _is_unverified(body: Json) -> bool:
    """Tell whether any result is missing, also where other versions have one."""
    counts = matrix.summary(body)
    return bool(counts.get("unknown")) or not any(counts.get(result) for result in ("success", "failed"))


def _chosen(ctx: click.Context, ignore_variable: str = "") -> Selectors:
    """Read the selectors; names to ignore may also come from the environment."""
    also_ignored = [name.strip() for name in os.environ.get(ignore_variable, "").split(",") if name.strip()]
    words = [*ctx.meta[WORDS], *(word for name in also_ignored for word in ("--ignore", name))]
    chosen = selectors.read(words)
    selectors.check_specific(chosen.chosen)
    selectors.check_complete(chosen, ctx.params)
    return chosen


def _latest_by(chosen: Selectors) -> str:
    return "cvpv" if len(chosen.chosen) > 1 else "cvp"


def _deploy_query(chosen: Selectors, given: dict[str, Any]) -> Query:
    """Ask for every version that is deployed to an environment: by `cvp` the newest would hide the others."""
    limit = [("limit", str(given["limit"]))] if given["limit"] else []
    if given["to_environment"] and given["to"]:
        raise Failure("Give either --to-environment or --to. To ask about both, ask twice.")
    if given["to_environment"]:
        return selectors.query(chosen, latest_by="cvpv", target=[*limit, ("environment", given["to_environment"])])
    latest_by = _latest_by(chosen)
    if given["to"]:
        return selectors.query(chosen, latest_by=latest_by, target=[("latest", "true"), ("tag", given["to"]), *limit])
    alone = [("latest", "true")] if len({one.pacticipant for one in chosen.chosen}) == 1 else []
    return selectors.query(chosen, latest_by=latest_by, target=[*alone, *limit])


def _question(given: dict[str, Any], query: Query, chosen: Selectors, *, dry_run: str) -> Question:
    return Question(
        query=query,
        form=given["form"],
        times=given["retry_while_unknown"],
        interval=given["retry_interval"],
        dry_run=given["dry_run"] or os.environ.get(dry_run) == "true",
        ignoring=bool(chosen.ignored),
    )


def _exit_code() -> int:
    wanted = os.environ.get("PACT_BROKER_CAN_I_DEPLOY_EXIT_CODE_BETA", "")
    if not wanted.isdigit():
        return 1
    output.complain(f"Exiting can-i-deploy with configured exit code {wanted}")
    return int(wanted)


def _answer(broker: Broker, question: Question) -> bool:
    """Ask, show the answer, and tell whether to end well."""
    try:
        body = _asked(broker, question)
    except ClientError as error:
        return _show_failure(error, question)
    _show(body, question)
    return matrix.is_deployable(body) or question.dry_run


def _asked(broker: Broker, question: Question) -> Json:
    url = broker.at("matrix", query=question.query)
    with output.progress("Asking the broker"):
        body = broker.get(url).body
    return body if question.dry_run or question.times <= 0 else _asked_again(broker, url, body, question)


def _asked_again(broker: Broker, url: str, body: Json, question: Question) -> Json:
    if _unknown(body):
        output.complain(_wait_text(_unknown(body), question))
    for _ in range(question.times):
        if not _unknown(body):
            break
        with output.progress("Waiting for results"):
            time.sleep(question.interval)
            body = broker.get(url).body
    return body


def _unknown(body: Json) -> int:
    count = matrix.summary(body).get("unknown")
    if not isinstance(count, int):
        raise ClientError(_NO_COUNT)
    return count


def _wait_text(unknown: int, question: Question) -> str:
    results = "verification result" if unknown == 1 else "verification results"
    seconds = f"{question.times * question.interval:g}"
    return f"Waiting for {unknown} {results} to be published (maximum of {seconds} seconds)"


def _show(body: Json, question: Question) -> None:
    if question.form == "json":
        output.say(output.indented(body))
        return
    text = matrix.describe(body, ignoring=question.ignoring)
    deployable = matrix.is_deployable(body)
    output.say(matrix.describe_dry_run(text, deployable=deployable) if question.dry_run else text)


def _show_failure(error: ClientError, question: Question) -> bool:
    if question.form == "json" and not question.dry_run:
        raise error
    text = str(error) if str(error) == _NO_COUNT else f"Error retrieving matrix. {error}"
    output.say(matrix.describe_dry_run(text, deployable=None) if question.dry_run else output.red(text))
    output.advise(error)
    return question.dry_run
