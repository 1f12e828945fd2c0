"""The end of a run: publishes pacts and verification results, and summarizes them for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from treaty.cli import pactfiles
from treaty.errors import ClientError, Refused, TreatyError
from treaty.pytest_plugin import options
from treaty.testing import publishing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treaty.cli.builds import Build
    from treaty.cli.pactfiles import PactFile
    from treaty.client import BrokerClient
    from treaty.pytest_plugin.provider_contracts import ProviderContract
    from treaty.pytest_plugin.results import PactResults
    from treaty.pytest_plugin.run import PluginRun
    from treaty.pytest_plugin.self_verifications import Verdict

_NO_BROKER: Final = "no broker is configured: give --broker-url (PACT_BROKER_BASE_URL), or --run-broker"
_FAILED: Final = "Not published: not all tests passed."


class _Decision(NamedTuple):
    """A version that the run has published something for, so that its verdict is shown."""

    pacticipant: str
    version: str


def publish_and_summarize(run: PluginRun, session: pytest.Session) -> bool:
    """Publish as requested, and add to the summary of the run. Returns False if publishing failed."""
    has_passed = session.exitstatus == pytest.ExitCode.OK
    if run.has_temporary_broker:
        run.summary.append(f"Broker of this run: {run.start()}")
    decisions: list[_Decision] = []
    try:
        files = [file for path in run.list_written() for file in pactfiles.read_pact_files([str(path)])]
        run.summary.extend(_written_line(file, run) for file in files)
        is_published = _publish_pacts(run, files, decisions, has_passed=has_passed)
        _publish_provider_contract(run, session, decisions)
        _publish_results(run, decisions)
        _check_pact_url()
    except TreatyError as error:
        run.summary.append(f"ERROR: {_line(error)}")
        is_published = False
    # Everything is published by now, on which the decisions depend.
    for decision in dict.fromkeys(decisions):
        _summarize_verdict(run, decision)
    return is_published


def _line(error: TreatyError) -> str:
    """Format an error and its hint as one line, with the option names of the plugin."""
    hint = error.hint if isinstance(error, ClientError) else ""
    words = [" ".join(str(error).split()).rstrip("."), hint.replace("--broker-base-url", "--broker-url")]
    return ". ".join(part for part in words if part)


def _written_line(file: PactFile, run: PluginRun) -> str:
    count = sum(len(file.content.get(kind) or []) for kind in ("interactions", "messages"))
    interactions = "1 interaction" if count == 1 else f"{count} interactions"
    path = file.path.removeprefix(f"{run.config.invocation_params.dir}/")
    return f"Written: {path} ({file.consumer} -> {file.provider}, {interactions})"


def _publish_pacts(run: PluginRun, files: Sequence[PactFile], decisions: list[_Decision], *, has_passed: bool) -> bool:
    version = options.get_text(run.config, "publish-pact")
    if not version or not files:
        return True
    if not has_passed:
        run.summary.append(_FAILED)
        return True
    if run.broker is None:
        raise ClientError(f"The pacts were not published: {_NO_BROKER}.")
    build, is_complete = _publish_files(run, run.broker.client, files, version)
    decisions.extend(_Decision(file.consumer, build.version) for file in files)
    return is_complete


def _publish_files(run: PluginRun, broker: BrokerClient, files: Sequence[PactFile], version: str) -> tuple[Build, bool]:
    build = publishing.detect_build(
        version,
        branch=options.get_text(run.config, "pact-branch"),
        tags=options.get_list(run.config, "pact-tag"),
        build_url=options.get_text(run.config, "pact-build-url"),
    )
    try:
        published = publishing.publish(broker, build, files)
    except ClientError as error:
        raise ClientError(f"The pacts were not published. {error}", hint=error.hint) from error
    run.summary.append(
        f"Published to {broker.url}:" if published.is_complete else "ERROR: The broker did not accept all of them:"
    )
    run.summary.extend(f"  {line}" for line in published.text.splitlines())
    return build, published.is_complete


def _summarize_verdict(run: PluginRun, decision: _Decision) -> None:
    if run.broker is None:
        return
    pacticipant, version = decision
    environment = options.get_text(run.config, "deploy-to")
    where = f" to {environment}" if environment else ""
    try:
        verdict = publishing.describe_verdict(run.broker.client, pacticipant, version, environment)
    except ClientError as error:
        verdict = _line(error)
    run.summary.append(f"can-i-deploy {pacticipant} {version}{where}:")
    run.summary.extend(f"  {line}".rstrip() for line in verdict.splitlines() if line.strip())


def _publish_provider_contract(run: PluginRun, session: pytest.Session, decisions: list[_Decision]) -> None:
    contract = run.provider_contract
    if contract is None or session.exitstatus == pytest.ExitCode.USAGE_ERROR:
        return  # the error itself says why nothing was published
    if obstacle := contract.find_obstacle(session):
        run.summary.append(f"The contract of {contract.provider} was not published: {obstacle}.")
        return
    verdict = contract.judge(session)
    run.summary.extend(_self_verification_lines(contract, verdict))
    if run.broker is None:  # the run has not started without one
        raise ClientError(f"The contract was not published: {_NO_BROKER}.")
    try:
        build, text = contract.publish(run.broker.client, verdict)
    except ClientError as error:
        raise ClientError(f"The contract of {contract.provider} was not published. {error}", hint=error.hint) from error
    run.summary.append(f"Contract of {contract.provider} {build.version} published to {run.broker.url}:")
    run.summary.extend(f"  {line}".rstrip() for line in text.splitlines())
    decisions.append(_Decision(contract.provider, build.version))


def _self_verification_lines(contract: ProviderContract, verdict: Verdict) -> Iterator[str]:
    outcomes = contract.self_verification.describe()
    match verdict.success:
        case None:
            yield f"Self-verification of {contract.provider}: none is published, because {verdict.reason}."
        case True:
            yield f"Self-verification of {contract.provider}: success ({outcomes})"
        case False:
            yield f"Self-verification of {contract.provider}: failure ({outcomes})"
            yield from (f"  Failed: {name}" for name in contract.self_verification.failures)


def _publish_results(run: PluginRun, decisions: list[_Decision]) -> None:
    from treaty.pytest_plugin import results  # noqa: PLC0415 - runs of consumers do without

    all_results = results.list_results()
    version = results.find_provider_version(run.config)
    is_requested = options.get_flag(run.config, "publish-verification")
    publishes = is_requested and any(pact_results.about["results_url"] for pact_results in all_results)
    if publishes and not version:
        raise ClientError("The results were not published: the provider's version is missing (--provider-version).")
    for pact_results in all_results:
        run.summary.append(_verified_line(pact_results))
        if publishes and pact_results.about["results_url"]:
            run.summary.append(f"  {_publish_result(run, pact_results, str(version))}")
    if publishes and version:
        decisions.extend(_Decision(pact_results.about["provider"], version) for pact_results in all_results)


def _check_pact_url() -> None:
    """Raise ClientError if no test is of the provider of the pact of --pact-url: the run has not verified this pact."""
    from treaty.pytest_plugin import results  # noqa: PLC0415 - as above

    if provider := results.find_untested_provider():
        raise ClientError(
            f"The pact of --pact-url (PACT_URL) was not verified: it is with {provider}, and no test that ran is for "
            "this provider",
            hint="Check the URL, the names in the markers, and the selection of tests.",
        )


def _verified_line(pact_results: PactResults) -> str:
    about = pact_results.about
    consumer = f"{about['consumer']} {about['version']}".rstrip()
    pending = " (pending)" if about["pending"] else ""
    counts = f"{pact_results.passed} of {pact_results.total} interactions"
    return f"Verified: {about['provider']} against {consumer}{pending}: {counts}"


def _publish_result(run: PluginRun, pact_results: PactResults, version: str) -> str:
    from treaty.pytest_plugin import results  # noqa: PLC0415 - as above

    if not pact_results.is_complete:
        verified_count = len(pact_results.by_interaction)
        return f"Not published: only {verified_count} of its {pact_results.total} interactions were verified."
    if run.broker is None:
        return f"Not published: {_NO_BROKER}."
    try:
        results.record_version(run.broker.client, pact_results.about["provider"], version, run.config)
        return f"Result published: {results.publish_results(run.broker.client, pact_results, version)}"
    except Refused as refused:
        raise ClientError(f"The results were not published. {refused}", hint=refused.hint) from refused
