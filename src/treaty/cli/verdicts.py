"""Commands that ask the broker for a decision: can-i-deploy, can-i-merge and verification-required."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import matrix, names, options, output, recording, selectors, version_lookups, version_sets
from treaty.cli.causes import describe_causes, has_causes
from treaty.cli.next_steps import Question, describe_next_steps
from treaty.cli.program import WORDS_KEY, Command, Failure, Flag
from treaty.errors import ClientError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treaty.cli.selectors import SelectorOptions, VersionSelector
    from treaty.client import BrokerClient, Json, Query

_NO_UNKNOWN_COUNT: Final = (
    "This version of the Pact Broker does not provide a count of the unknown verification results. Please upgrade your "
    "Broker to >= v2.23.4"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRequest:
    """A question, repeated up to `max_retries` times every `interval` seconds while results are missing.

    It is a query of the matrix or, about versions that are to be deployed together, the members of a set.
    """

    query: Query = ()
    selectors: SelectorOptions | None = None
    members: Sequence[VersionSelector] = ()
    record: bool | None = None
    """Whether to record the decision; None if the environment decides that."""
    question: Question
    form: str
    max_retries: int
    interval: float
    dry_run: bool


def _decision_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--dry-run/--no-dry-run", cls=Flag, help="Print the decision, but exit with 0 even if it is negative."
        ),
        click.option(
            "--retry-interval", type=float, default=10, show_default=True, help="Seconds between two attempts."
        ),
        click.option(
            "--retry-while-unknown",
            type=int,
            default=0,
            show_default=True,
            metavar="TIMES",
            help="Ask again up to this many times while results are missing.",
        ),
    ):
        command = option(command)
    return command


_ignore_option: Final = click.option(
    "--ignore",
    multiple=True,
    metavar="NAME",
    help="Ignore the results of this pacticipant; repeatable, --version may follow.",
)


class _RequiredWithoutSet(click.Option):
    """An option that is required unless --set is given."""

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        if opts.get("members") and not opts.get(self.name or ""):
            ctx.params[self.name or ""] = ()
            return (), args
        return super().handle_parse_result(ctx, opts, args)


_version_option: Final = click.option(
    "-e", "--version", multiple=True, help="Version of the pacticipant named before it."
)
_latest_option: Final = click.option(
    "-l",
    "--latest",
    multiple=True,
    is_flag=False,
    flag_value="",
    metavar="[TAG]",
    help="Its latest version, or the latest with this tag.",
)
_branch_option: Final = click.option("--branch", multiple=True, help="The latest version of this branch.")


def _version_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that select a version of the pacticipant named before them."""
    return _version_option(_latest_option(_branch_option(command)))


@click.command("can-i-deploy", cls=Command)
@click.option(
    "-a",
    "--pacticipant",
    cls=_RequiredWithoutSet,
    multiple=True,
    required=True,
    metavar="NAME",
    help="Name of a pacticipant; repeatable.",
)
@_version_options
@click.option("--main-branch/--no-main-branch", cls=Flag, help="The latest version of its main branch.")
@click.option("--all", "all_tagged", multiple=True, metavar="TAG", help="All versions with this tag.")
@click.option("--tag", multiple=True, hidden=True, help="Same as --all.")
@click.option(
    "--set",
    "members",
    multiple=True,
    metavar="NAME@VERSION",
    help="A version to deploy together with others; repeatable, instead of --pacticipant. Treaty only.",
)
@_ignore_option
@click.option("--to-environment", metavar="ENVIRONMENT", help="The environment to deploy to.")
@click.option("--to", metavar="TAG", help="Tag of the versions in the environment, instead of --to-environment.")
@click.option("--limit", type=int, hidden=True)
@click.option(
    "--record/--no-record",
    cls=Flag,
    default=None,
    help="Record the decision in the broker. Default: as the environment requires. Treaty only.",
)
@options.output_option("table", "json")
@_decision_options
@options.connection_options()
@click.pass_context
def can_i_deploy(ctx: click.Context, /, broker: BrokerClient, **values: Any) -> None:
    """Check whether versions are compatible with everything in an environment.

    Give each --pacticipant, followed by the option that selects its version: --version, --branch, --main-branch,
    --latest or --all. For versions that are to be deployed together, give a --set for each of them instead: the
    answer has the order in which to deploy them, or the fewest of them to leave out.

    With --record, the last line is the address of the recorded decision.
    """
    if values["record"] and not values["to_environment"]:
        raise Failure("--record needs --to-environment ENVIRONMENT: recorded decisions are about environments.")
    if values["members"]:
        if not _decide(broker, _set_request(ctx, values)):
            raise SystemExit(_exit_code())
        return
    selector_options = _read_selectors(ctx, _IGNORE_VARIABLE)
    query = _deployment_query(selector_options, values)
    request = _verdict_request(values, query, selector_options, dry_run_variable=_DRY_RUN_VARIABLE)
    if not _decide(broker, request):
        raise SystemExit(_exit_code())


@click.command("can-i-merge", cls=Command)
@click.option("-a", "--pacticipant", multiple=True, required=True, metavar="NAME", help="Repeatable.")
@_version_options
@click.option("--main-branch/--no-main-branch", cls=Flag, hidden=True, help="The latest version of its main branch.")
@click.option("--all", "all_tagged", multiple=True, metavar="TAG", hidden=True, help="All versions with this tag.")
@click.option("--tag", multiple=True, hidden=True, help="Same as --all.")
@_ignore_option
@click.option(
    "--to",
    metavar="BRANCH",
    help="Compare with this branch of the other applications, instead of their main branches. Treaty only.",
)
@options.output_option("table", "json")
@_decision_options
@options.connection_options()
@click.pass_context
def can_i_merge(ctx: click.Context, /, broker: BrokerClient, **values: Any) -> None:
    """Check whether a version is compatible with the main branches of all applications that it is integrated with."""
    selector_options = _read_selectors(ctx, "PACT_BROKER_CAN_I_MERGE_IGNORE")
    target = [("latest", "true"), merge_target(broker, values["to"], option="--to")]
    query = selectors.build_query(selector_options, latest_by=_latest_by(selector_options), target=target)
    request = _verdict_request(values, query, selector_options, dry_run_variable="PACT_BROKER_CAN_I_MERGE_DRY_RUN")
    if not _decide(broker, request):
        raise SystemExit(1)


def merge_target(broker: BrokerClient, branch: str | None, *, option: str) -> tuple[str, str]:
    """Return the parameter for the others' branch, or their main branches. Raises ClientError if a broker lacks it."""
    if branch is None:
        return "mainBranch", "true"
    # Other brokers would ignore the parameter, and compare with the latest versions of all branches.
    if not broker.has_link("pb:can-i-merge-pacticipant-version-to-branch"):
        text = f"This broker cannot compare with a branch that is not the main branch, so {option} cannot be used."
        raise ClientError(text, hint=f"Leave {option} out to compare with the main branches, or use a Treaty broker.")
    return "branch", branch


@click.command("verification-required", cls=Command)
@click.option("-a", "--pacticipant", multiple=True, required=True, metavar="NAME", help="Repeatable.")
@_version_option
@_latest_option
@click.option("--in-environment", "to_environment", metavar="ENVIRONMENT", help="The environment of the others.")
@click.option("--to", metavar="TAG", help="Tag of the versions in the environment, instead of --to-environment.")
@options.output_option("table", "json")
@options.connection_options()
@click.pass_context
def verification_required(ctx: click.Context, /, broker: BrokerClient, form: str, **values: Any) -> None:
    """Check whether verification results are missing. The exit code is 0 if they are, and 1 if they are not."""
    selector_options = _read_selectors(ctx)
    query = _deployment_query(selector_options, values | {"limit": None})
    try:
        body = broker.get(broker.url_for("matrix", query=query)).body
        completed = version_lookups.complete_missing(broker, selector_options.selected, body)
        if completed is not selector_options.selected:
            query = selectors.replace_versions(query, selector_options.selected, completed)
            body = broker.get(broker.url_for("matrix", query=query)).body
    except ClientError as error:
        # An unnecessary verification costs minutes, a missing one a broken deployment.
        text = f"Error determining if a verification already existed ({error})"
        output.print_line(f"{text} - verification should run just in case")
        return
    output.print_if_any(output.format_indented(body) if form == "json" else matrix.describe_without_colors(body))
    if not _is_unverified(body):
        output.print_line("No verification is required.")
        raise SystemExit(1)
    output.print_line("Verification is required.")


def _is_unverified(body: Json) -> bool:
    """Whether any result is missing, even if other versions have results. No results at all also count as missing."""
    counts = matrix.get_summary(body)
    return bool(counts.get("unknown")) or not any(counts.get(result) for result in ("success", "failed"))


def _read_selectors(ctx: click.Context, ignore_variable: str = "") -> SelectorOptions:
    """Read the selectors; the environment may have further names to ignore. Raises Failure if they are unclear."""
    ignored_names = [name.strip() for name in os.environ.get(ignore_variable, "").split(",") if name.strip()]
    words = [*ctx.meta[WORDS_KEY], *(word for name in ignored_names for word in ("--ignore", name))]
    option_names = {name for option in ctx.command.params for name in (*option.opts, *option.secondary_opts)}
    selector_options = selectors.read_selectors(words, option_names)
    selectors.check_specific(selector_options.selected)
    selectors.check_complete(selector_options, ctx.params)
    return selector_options


def _latest_by(selector_options: SelectorOptions) -> str:
    """Choose which results count: the latest of each consumer version and provider, or provider version."""
    return "cvpv" if len(selector_options.selected) > 1 else "cvp"


def _deployment_query(selector_options: SelectorOptions, values: dict[str, Any]) -> Query:
    limit = [("limit", str(values["limit"]))] if values["limit"] else []
    environment, tag = values["to_environment"], values["to"]
    if environment and tag:
        raise Failure("Give either --to-environment or --to. To check both, run the command twice.")
    if environment:
        # Several versions may be deployed at once: with `cvp`, the newest would hide the results of the others.
        return selectors.build_query(selector_options, latest_by="cvpv", target=[*limit, ("environment", environment)])
    if tag:
        target = [("latest", "true"), ("tag", tag), *limit]
    else:
        # A single pacticipant is compared with the latest versions of the others.
        is_single = len({selector.pacticipant for selector in selector_options.selected}) == 1
        target = [*([("latest", "true")] if is_single else []), *limit]
    return selectors.build_query(selector_options, latest_by=_latest_by(selector_options), target=target)


_NOT_WITH_SET: Final = {
    "pacticipant": "--pacticipant",
    "version": "--version",
    "latest": "--latest",
    "branch": "--branch",
    "main_branch": "--main-branch",
    "all_tagged": "--all",
    "tag": "--tag",
    "to": "--to",
    "limit": "--limit",
}
"""Options that --set cannot be combined with."""
_IGNORE_VARIABLE: Final = "PACT_BROKER_CAN_I_DEPLOY_IGNORE"
_DRY_RUN_VARIABLE: Final = "PACT_BROKER_CAN_I_DEPLOY_DRY_RUN"


def _set_request(ctx: click.Context, values: dict[str, Any]) -> VerdictRequest:
    """Build the question about a set. Raises Failure for a member without a version, and for other options."""
    # After --ignore, a --version is the one to ignore; another is reported below as being without a pacticipant.
    allowed = {"version"} if values["ignore"] else set()
    others = [option for name, option in _NOT_WITH_SET.items() if values[name] and name not in allowed]
    if others:
        raise Failure(
            f"--set cannot be combined with {others[0]}. Give only --set options, --ignore and --to-environment."
        )
    if not values["to_environment"]:
        raise Failure("--set needs --to-environment ENVIRONMENT, the environment to deploy to.")
    members = [version_sets.parse_member(text) for text in values["members"]]
    question = Question(
        command=click.get_current_context().command.name or "",
        selected=members,
        ignored=_read_selectors(ctx, _IGNORE_VARIABLE).ignored,
        environment=values["to_environment"],
        is_set=True,
    )
    return _build_request(
        values, question, members=members, record=values["record"], dry_run_variable=_DRY_RUN_VARIABLE
    )


def _verdict_request(
    values: dict[str, Any], query: Query, selector_options: SelectorOptions, *, dry_run_variable: str
) -> VerdictRequest:
    question = Question(
        command=click.get_current_context().command.name or "",
        selected=selector_options.selected,
        ignored=selector_options.ignored,
        environment=values.get("to_environment"),
        to=values.get("to"),
    )
    return _build_request(
        values,
        question,
        query=query,
        selectors=selector_options,
        # Other commands have no environment.
        record=values.get("record") if question.environment else False,
        dry_run_variable=dry_run_variable,
    )


def _build_request(
    values: dict[str, Any],
    question: Question,
    *,
    query: Query = (),
    selectors: SelectorOptions | None = None,
    members: Sequence[VersionSelector] = (),
    record: bool | None,
    dry_run_variable: str,
) -> VerdictRequest:
    return VerdictRequest(
        query=query,
        selectors=selectors,
        members=members,
        record=record,
        question=question,
        form=values["form"],
        max_retries=values["retry_while_unknown"],
        interval=values["retry_interval"],
        dry_run=values["dry_run"] or os.environ.get(dry_run_variable) == "true",
    )


def _exit_code() -> int:
    configured_code = os.environ.get("PACT_BROKER_CAN_I_DEPLOY_EXIT_CODE_BETA", "")
    if not configured_code.isdigit():
        return 1
    output.print_error(f"Exiting can-i-deploy with configured exit code {configured_code}")
    return int(configured_code)


def _decide(broker: BrokerClient, request: VerdictRequest) -> bool:
    """Print the broker's decision, and return whether the command succeeds."""
    try:
        request, body = _fetch_with_completed_versions(broker, request)
    except ClientError as error:
        return _show_failure(broker, error, request)
    _show(broker, body, request)
    is_deployable = _is_deployable(body, request)
    if not is_deployable and request.form != "json":
        _show_next_steps(broker, body, request)
    _show_record(body, request)
    return is_deployable or request.dry_run


def _fetch_with_completed_versions(broker: BrokerClient, request: VerdictRequest) -> tuple[VerdictRequest, Json]:
    """Fetch the decision, again while results are missing, and have the broker record the last answer.

    Abbreviated commits that are no versions are replaced by the versions that they identify.
    """
    if request.members:
        members = version_lookups.complete_members(broker, request.members)
        request = replace(request, members=members, question=replace(request.question, selected=members))
        return request, _fetch_set_decision(broker, request)
    body = _ask_repeatedly(broker, request)
    selected = version_lookups.complete_missing(broker, request.question.selected, body)
    if selected is not request.question.selected and request.selectors is not None:
        request = replace(
            request,
            query=selectors.replace_versions(request.query, request.question.selected, selected),
            selectors=replace(request.selectors, selected=selected),
            question=replace(request.question, selected=selected),
        )
        body = _ask_repeatedly(broker, request)
    return request, _record_if_requested(broker, request, body)


def _is_deployable(body: Json, request: VerdictRequest) -> bool:
    return body.get("deployable") is True if request.members else matrix.is_deployable(body)


def _record_if_requested(broker: BrokerClient, request: VerdictRequest, body: Json) -> Json:
    """Have the broker decide again and record that answer, if the request or the environment asks for it."""
    if recording.wants_record(body, is_requested=request.record) and request.selectors is not None:
        if not recording.can_record(broker, is_requested=request.record):
            return body
        with output.show_progress("Recording the decision"):
            environment = str(request.question.environment)
            return recording.record(broker, request.selectors, environment, is_requested=request.record)
    return body


def _fetch_set_decision(broker: BrokerClient, request: VerdictRequest) -> Json:
    # A broker that cannot record would ignore the member, with a warning.
    can_record = request.record is False or recording.can_record(broker, is_requested=request.record)
    last_request = request if can_record else replace(request, record=None)
    if request.dry_run or request.max_retries <= 0:
        return _ask_repeatedly(broker, last_request)
    body = _ask_repeatedly(broker, replace(request, record=False if can_record else None))
    return _ask(broker, last_request) if can_record and request.record is not False else body


def _ask_repeatedly(broker: BrokerClient, request: VerdictRequest) -> Json:
    with output.show_progress("Asking the broker"):
        body = _ask(broker, request)
    if request.dry_run or request.max_retries <= 0:
        return body
    if _count_unknown(body, request):
        output.print_error(_waiting_message(_count_unknown(body, request), request))
    for _ in range(request.max_retries):
        if not _count_unknown(body, request):
            break
        with output.show_progress("Waiting for results"):
            time.sleep(request.interval)
            body = _ask(broker, request)
    return body


def _ask(broker: BrokerClient, request: VerdictRequest) -> Json:
    if request.members:
        question = request.question
        return version_sets.fetch_decision(
            broker, request.members, str(question.environment), question.ignored, is_recorded=request.record
        )
    return broker.get(broker.url_for("matrix", query=request.query)).body


def _count_unknown(body: Json, request: VerdictRequest) -> int:
    if _is_deployable(body, request):
        # Results that an override or a policy makes unnecessary are not worth waiting for.
        return 0
    if request.members:
        return version_sets.count_unknown(body)
    count = matrix.get_summary(body).get("unknown")
    if not isinstance(count, int):
        raise ClientError(_NO_UNKNOWN_COUNT)
    return count


def _waiting_message(unknown: int, request: VerdictRequest) -> str:
    results = "verification result" if unknown == 1 else "verification results"
    seconds = f"{request.max_retries * request.interval:g}"
    return f"Waiting for {unknown} {results} to be published (maximum of {seconds} seconds)"


def _show(broker: BrokerClient, body: Json, request: VerdictRequest) -> None:
    if request.form == "json":
        output.print_line(output.format_indented(body))
        return
    body = version_lookups.explain_missing(broker, body)
    if request.members:
        text = version_sets.describe(body, ignores=bool(request.question.ignored))
    else:
        text = matrix.describe(body, ignores_pacticipants=bool(request.question.ignored))
    deployable = _is_deployable(body, request)
    output.print_line(matrix.describe_dry_run(text, deployable=deployable) if request.dry_run else text)


def _show_record(body: Json, request: VerdictRequest) -> None:
    """Print the address of the recorded decision as the last line."""
    url = recording.find_url(body)
    if url is not None and request.form != "json":
        text = f"Recorded: {url}"
        output.print_line(matrix.mark_dry_run(text) if request.dry_run else text)


def _show_next_steps(broker: BrokerClient, body: Json, request: VerdictRequest) -> None:
    # The page shows all rows. Sets have no page.
    query = [parameter for parameter in request.query if parameter[0] != "limit"]
    # The page has the same path and query as the matrix.
    url = None if request.members else broker.url_for("matrix", query=query).replace("[", "%5B").replace("]", "%5D")
    if has_causes(body):
        text = describe_causes(broker, url, body, request.question)
    else:
        text = describe_next_steps(broker, url, body, request.question)
    output.print_error(matrix.mark_dry_run(text) if request.dry_run else text)


def _show_failure(broker: BrokerClient, error: ClientError, request: VerdictRequest) -> bool:
    """Print an error, and return whether the command succeeds all the same, as a dry run always does."""
    if request.form == "json" and not request.dry_run:
        raise error
    # Brokers answer a query with an unknown name with 400.
    if isinstance(error, Refused) and error.status == HTTPStatus.BAD_REQUEST:
        names.explain(broker, error)
    text = output.describe_failure(error)
    subject = "decision" if request.members else "matrix"
    action = "recording decision" if request.record else f"retrieving {subject}"
    text = text if text == _NO_UNKNOWN_COUNT else f"Error {action}. {text}"
    output.print_line(matrix.describe_dry_run(text, deployable=None) if request.dry_run else output.red(text))
    output.print_hint(error)
    return request.dry_run
