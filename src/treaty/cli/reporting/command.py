"""The command `report`."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import build_detection, options, output
from treaty.cli.program import Check, Failure
from treaty.cli.reporting import annotating, bitbucket, gathering, github, github_app, gitlab, markdown, targets
from treaty.cli.reporting.facts import Annotation, Destination, DocumentFinding, Report, Verdict
from treaty.cli.reporting.services import Delivery, Outcome, ServiceClient, ServiceError
from treaty.cli.reporting.targets import Service, Target
from treaty.cli.selectors import VersionSelector
from treaty.errors import ClientError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.client import BrokerClient, Json

_DIALECTS: Final = {
    Service.GITHUB: markdown.GITHUB,
    Service.GITLAB: markdown.GITLAB,
    Service.BITBUCKET: markdown.BITBUCKET,
    Service.STDOUT: markdown.PLAIN,
}
_FORK: Final = "Builds of pull requests from forks have no write permission, so the report is not in the pull request."


@click.command("report", cls=Check)
@click.argument("files", nargs=-1, metavar="[PACT_OR_DOCUMENT]...")
@options.pacticipant_option()
@click.option("-e", "--version", help="The version number.  [default: the commit of the build]")
@click.option("--branch", help="The latest version of this branch, instead of --version.")
@click.option("--to-environment", multiple=True, metavar="ENVIRONMENT", help="An environment to deploy to; repeatable.")
@click.option(
    "--to-branch", multiple=True, metavar="BRANCH", help="A branch of the other applications; repeatable. Treaty only."
)
@click.option(
    "--to-main-branches", is_flag=True, help="The main branches of the others; the default without the above."
)
@click.option(
    "--to",
    "service",
    type=click.Choice([service.value for service in Service]),
    help="Where to write the report.  [default: the service of the CI system, or stdout]",
)
@click.option("--repository", metavar="NAME", help="The repository.  [default: that of the build]")
@click.option("--pull-request", metavar="NUMBER", help="The pull or merge request.  [default: that of the build]")
@click.option("--commit", metavar="HASH", help="The commit of the check.  [default: that of the pull request]")
@click.option("--api-url", metavar="URL", help="The address of the service's API.  [default: that of the build]")
@click.option("--github-token", envvar="GITHUB_TOKEN", help="A token of GitHub: that of the workflow, or of a user.")
@click.option("--github-app-id", envvar="GITHUB_APP_ID", help="The id of a GitHub App, instead of a token.")
@click.option(
    "--github-app-key", metavar="FILE", help="The App's private key; or GITHUB_APP_PRIVATE_KEY with its text."
)
@click.option("--github-app-key-text", envvar="GITHUB_APP_PRIVATE_KEY", hidden=True)
@click.option("--gitlab-token", envvar="GITLAB_TOKEN", help="A token of GitLab with the scope api.")
@click.option("--bitbucket-token", envvar="BITBUCKET_TOKEN", help="An access token of Bitbucket, for the comment.")
@click.option(
    "--bitbucket-proxy",
    metavar="URL",
    default=bitbucket.PIPELINES_PROXY,
    show_default=True,
    help="The proxy of Bitbucket Pipelines, which authenticates requests for reports.",
)
@click.option("--code-quality", metavar="FILE", help="Write GitLab's code quality report to a file.")
@click.option("--only-problems", is_flag=True, help="Start no comment while all answers are yes.")
@click.option("--fail-unless-yes", is_flag=True, help="Exit with 1 unless all answers are yes.")
@click.option(
    "--retry-while-unknown", type=int, default=0, show_default=True, metavar="TIMES", help="As with can-i-deploy."
)
@click.option("--retry-interval", type=float, default=10, show_default=True, help="Seconds between two attempts.")
@click.option("--dry-run", is_flag=True, help="Print the requests that would be sent to the service.")
@options.output_option("text", "markdown", "json")
@options.connection_options()
def report(broker: BrokerClient, files: tuple[str, ...], form: str, **values: Any) -> None:
    """Write a report into the pull request: whether a version can be deployed, and if not, why and what to do.

    The report is one comment, which later builds update, and a check with annotations in the given pacts and documents.
    The exit code is 0 if the report is written, whatever the answers are (see --fail-unless-yes), and 2 if it cannot be
    written, or if the broker gives no answer.
    """
    service = Service(values["service"]) if values["service"] else targets.detect_service()
    target = None if service is Service.STDOUT else _find_target(service, values)
    local = annotating.read_files(files)
    values |= {"form": form, "is_printed": target is None}
    gathered = _gather(broker, _read_selector(values), _read_destinations(values), local, values)
    outcome = _deliver(gathered, service, target, values)
    _show(gathered, outcome, service, form)
    _exit(gathered, fails_unless_yes=values["fail_unless_yes"])


def _find_target(service: Service, values: dict[str, Any]) -> Target:
    names = ("api_url", "repository", "pull_request", "commit")
    return targets.find_target(service, **{name: values[name] for name in names})


def _read_selector(values: dict[str, Any]) -> VersionSelector:
    name, version, branch = values["pacticipant"], values["version"], values["branch"]
    if version and branch:
        raise Failure("Give either --version or --branch.")
    if branch:
        return VersionSelector(pacticipant=name, branch=branch, latest=True)
    return VersionSelector(pacticipant=name, version=version or build_detection.commit())


def _read_destinations(values: dict[str, Any]) -> list[Destination]:
    destinations = [Destination(environment=name) for name in values["to_environment"]]
    destinations += [Destination(branch=name) for name in values["to_branch"]]
    destinations += [Destination()] if values["to_main_branches"] or not destinations else []
    return list(dict.fromkeys(destinations))


# Gathering


def _gather(
    broker: BrokerClient,
    selector: VersionSelector,
    destinations: Sequence[Destination],
    local: annotating.LocalFiles,
    values: dict[str, Any],
) -> Report:
    answers = _ask_all(broker, selector, destinations, values)
    unknown = gathering.VersionPacts(number=str(selector.version or selector.branch), pacts={}, changes=None)
    if any(isinstance(answer.error, Unreachable) for answer in answers):
        return _build_report(selector, answers, unknown)
    try:
        pacts = gathering.fetch_pacts(broker, selector)
        annotations = [*annotating.annotate_pacts(broker, local, answers, pacts)]
    except ClientError as error:
        text = f"The pacts could not be compared with those of the main branch: {error}"
        pacts, annotations = replace(unknown, note=text), []
    findings, failure = _compare_documents(broker, local, selector, destinations)
    annotations += annotating.annotate_documents(findings)
    return _build_report(selector, answers, pacts, annotations, findings, failure)


def _compare_documents(
    broker: BrokerClient,
    local: annotating.LocalFiles,
    selector: VersionSelector,
    destinations: Sequence[Destination],
) -> tuple[list[DocumentFinding], str]:
    """Return the findings, and why there are none if the comparison fails."""
    try:
        return annotating.compare_documents(broker, local, selector.pacticipant, destinations), ""
    except ClientError as error:
        return [], output.describe_failure(error)


def _build_report(
    selector: VersionSelector,
    answers: Sequence[gathering.Answer],
    pacts: gathering.VersionPacts,
    annotations: Sequence[Annotation] = (),
    findings: Sequence[DocumentFinding] = (),
    failure: str = "",
) -> Report:
    return Report(
        pacticipant=selector.pacticipant,
        version=pacts.number,
        decisions=tuple(answer.decision for answer in answers),
        pact_changes=tuple(pacts.changes or ()),
        findings=tuple(findings),
        annotations=tuple({item.fingerprint: item for item in annotations}.values()),
        notes=(pacts.note,) if pacts.note else (),
        failure=failure,
    )


def _ask_all(
    broker: BrokerClient, selector: VersionSelector, destinations: Sequence[Destination], values: dict[str, Any]
) -> list[gathering.Answer]:
    """Ask for all decisions. If the broker cannot be reached, that is the answer to the remaining ones, too.

    Raises ClientError if there is no answer at all, and the report would only be printed.
    """
    answers: list[gathering.Answer] = []
    for destination in destinations:
        error = answers[-1].error if answers else None
        is_unreachable = isinstance(error, Unreachable)
        answers.append(
            gathering.fail(destination, error)
            if error and is_unreachable
            else _ask(broker, selector, destination, values)
        )
    errors = [answer.error for answer in answers if answer.error]
    if values["is_printed"] and len(errors) == len(answers):
        raise errors[0]
    return answers


def _ask(
    broker: BrokerClient, selector: VersionSelector, destination: Destination, values: dict[str, Any]
) -> gathering.Answer:
    """Ask for a decision, again while results are missing."""
    with output.show_progress("Asking the broker"):
        answer = gathering.ask(broker, selector, destination)
    for _ in range(values["retry_while_unknown"]):
        if answer.decision.verdict is not Verdict.UNKNOWN or answer.decision.failure:
            break
        with output.show_progress("Waiting for results"):
            time.sleep(values["retry_interval"])
            answer = gathering.ask(broker, selector, destination)
    return answer


# Writing


def _deliver(report: Report, service: Service, target: Target | None, values: dict[str, Any]) -> Outcome:
    if values["code_quality"]:
        gitlab.write_code_quality(values["code_quality"], report.annotations)
    if target is None:
        return Outcome()
    dialect = _DIALECTS[service]
    delivery = Delivery(
        report=report,
        comment=markdown.render_comment(report, dialect),
        marker=dialect.marker(report.pacticipant),
        creates_comment=not (values["only_problems"] and report.verdict is Verdict.YES),
    )
    with ExitStack() as stack, output.show_progress(f"Writing to {target.service.value}"):
        match service:
            case Service.GITHUB:
                outcome = _deliver_to_github(stack, target, delivery, values)
            case Service.GITLAB:
                outcome = _deliver_to_gitlab(stack, target, delivery, values)
            case _:
                outcome = _deliver_to_bitbucket(stack, target, delivery, values)
    return _fall_back(report, delivery.comment, target, outcome, values["form"]) if outcome.denied else outcome


def _deliver_to_github(stack: ExitStack, target: Target, delivery: Delivery, values: dict[str, Any]) -> Outcome:
    token = "" if values["dry_run"] else _find_github_token(stack, target, values)
    client = stack.enter_context(_create_client("GitHub", target.api_url, token, github.HINTS, values, github.HEADERS))
    github_target = github.GithubTarget(
        repository=target.repository, pull_request=target.pull_request, commit=target.commit
    )
    return github.publish(client, github_target, delivery)


def _find_github_token(stack: ExitStack, target: Target, values: dict[str, Any]) -> str:
    app_id = values["github_app_id"]
    if app_id:
        key = github_app.read_key(values["github_app_key"], values["github_app_key_text"])
        assertion = github_app.sign_assertion(app_id, key, now=time.time())
        client = _create_client("GitHub", target.api_url, assertion, github_app.HINTS, values, github.HEADERS)
        return github_app.create_token(stack.enter_context(client), target.repository)
    if values["github_token"]:
        return str(values["github_token"])
    raise Failure("There is no token for GitHub. Set GITHUB_TOKEN (in a workflow: ${{ github.token }}), or use an App.")


def _deliver_to_gitlab(stack: ExitStack, target: Target, delivery: Delivery, values: dict[str, Any]) -> Outcome:
    if not target.pull_request:
        return Outcome(lines=("This pipeline is not of a merge request, so there is no note.",))
    token = values["gitlab_token"] or ""
    if not token and not values["dry_run"]:
        error = ServiceError("There is no token for GitLab.", hint=gitlab.HINTS[401])
        if target.is_fork:
            return Outcome(denied=(error,))
        raise error
    client = stack.enter_context(_create_client("GitLab", target.api_url, token, gitlab.HINTS, values))
    gitlab_target = gitlab.GitlabTarget(
        project=target.repository, merge_request=target.pull_request, commit=target.commit
    )
    return gitlab.publish(client, gitlab_target, delivery)


def _deliver_to_bitbucket(stack: ExitStack, target: Target, delivery: Delivery, values: dict[str, Any]) -> Outcome:
    token = values["bitbucket_token"] or ""
    in_pipeline = targets.detect_service() is Service.BITBUCKET and not values["dry_run"]
    if not token and not in_pipeline and not values["dry_run"]:
        raise ServiceError("There is no token for Bitbucket.", hint=bitbucket.HINTS[401])
    hints, url = bitbucket.HINTS, target.api_url
    has_client = token or values["dry_run"]
    comments = stack.enter_context(_create_client("Bitbucket", url, token, hints, values)) if has_client else None
    insights = comments
    if in_pipeline:
        # The proxy of Pipelines adds credentials for reports, so the token needs no permission for them.
        url = bitbucket.PIPELINES_URL if url == bitbucket.API_URL else url
        proxy = values["bitbucket_proxy"]
        insights = stack.enter_context(_create_client("Bitbucket", url, "", hints, values, proxy=proxy))
    bitbucket_target = bitbucket.BitbucketTarget(
        repository=target.repository, pull_request=target.pull_request, commit=target.commit
    )
    return bitbucket.publish(insights, comments, bitbucket_target, delivery)


def _create_client(
    name: str,
    url: str,
    token: str,
    hints: dict[int, str],
    values: dict[str, Any],
    headers: dict[str, str] | None = None,
    *,
    proxy: str | None = None,
) -> ServiceClient:
    connection = options.create_service_connection(url, token, headers or {}, proxy=proxy)
    return ServiceClient(name, connection, hints=hints, print_write=output.print_line if values["dry_run"] else None)


def _fall_back(report: Report, comment: str, target: Target, outcome: Outcome, form: str) -> Outcome:
    """Print the refusals of the service, and write the report where no permission is needed."""
    for error in outcome.denied:
        output.print_warning(f"Warning: {error} {error.hint}".rstrip())
    if target.is_fork:
        output.print_warning(_FORK)
    # JSON has to be alone on the standard output. The runner reads its commands from both streams.
    print_line = output.print_error if form == "json" else output.print_line
    summary = github.write_fallback(comment) if target.service is Service.GITHUB else None
    if summary is None:
        print_line(comment)
        return outcome
    for command in github.list_workflow_commands(report):
        print_line(command)
    return outcome + Outcome(lines=("The report is in the summary of this job instead.",))


# Output


def _show(report: Report, outcome: Outcome, service: Service, form: str) -> None:
    if form == "json":
        output.show_value(_as_json(report, outcome), "pretty")
        return
    if form == "markdown" or service is Service.STDOUT:
        output.print_line(markdown.render_comment(report, _DIALECTS[service]).rstrip())
        return
    for decision in report.decisions:
        count = len(decision.obstacles) + decision.hidden
        suffix = f" (causes: {count})" if count else ""
        output.print_line(
            f"{report.pacticipant} ({report.version}) to {decision.destination.name}: {decision.verdict}{suffix}"
        )
    for line in outcome.lines:
        output.print_line(line)


def _as_json(report: Report, outcome: Outcome) -> Json:
    return {
        "pacticipant": report.pacticipant,
        "version": report.version,
        "verdict": report.verdict.value,
        "decisions": [
            {
                "environment": decision.destination.environment,
                "branch": decision.destination.branch,
                "verdict": decision.verdict.value,
                "causes": [f"{obstacle.subject}: {obstacle.problem}" for obstacle in decision.obstacles],
                "failure": decision.failure or None,
                "url": decision.url or None,
            }
            for decision in report.decisions
        ],
        "findings": len(report.findings),
        "annotations": len(report.annotations),
        "comment": outcome.comment_url or None,
        "check": outcome.check_url or None,
        "denied": [str(error) for error in outcome.denied],
    }


def _exit(report: Report, *, fails_unless_yes: bool) -> None:
    for failure in report.failures:
        output.print_error(failure)
    if report.failures:
        raise SystemExit(2)
    if fails_unless_yes and report.verdict is not Verdict.YES:
        raise SystemExit(1)
