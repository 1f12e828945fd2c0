"""The end of a run: publishes pacts and verification results, and summarizes them for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from treaty.cli import pactfiles
from treaty.errors import ClientError, Refused, TreatyError
from treaty.pytest_plugin import options
from treaty.testing import publishing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.cli.pactfiles import PactFile
    from treaty.client import BrokerClient
    from treaty.pytest_plugin.results import PactResults
    from treaty.pytest_plugin.run import PluginRun

_NO_BROKER: Final = "no broker is configured: give --broker-url (PACT_BROKER_BASE_URL), or --run-broker"
_FAILED: Final = "Not published: not all tests passed."


def publish_and_summarize(run: PluginRun, *, has_passed: bool) -> bool:
    """Publish as requested, and add to the summary of the run. Returns False if publishing failed."""
    if run.has_temporary_broker:
        run.summary.append(f"Broker of this run: {run.start()}")
    try:
        files = [file for path in run.list_written() for file in pactfiles.read_pact_files([str(path)])]
        run.summary.extend(_written_line(file, run) for file in files)
        is_published = _publish_pacts(run, files, has_passed=has_passed)
        return _publish_results(run) and is_published
    except TreatyError as error:
        run.summary.append(f"ERROR: {_line(error)}")
        return False


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


def _publish_pacts(run: PluginRun, files: Sequence[PactFile], *, has_passed: bool) -> bool:
    version = options.get_text(run.config, "publish-pact")
    if not version or not files:
        return True
    if not has_passed:
        run.summary.append(_FAILED)
        return True
    if run.broker is None:
        raise ClientError(f"The pacts were not published: {_NO_BROKER}.")
    return _publish_files(run, run.broker.client, files, version)


def _publish_files(run: PluginRun, broker: BrokerClient, files: Sequence[PactFile], version: str) -> bool:
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
    for consumer in dict.fromkeys(file.consumer for file in files):
        _summarize_verdict(run, broker, consumer, build.version)
    return published.is_complete


def _summarize_verdict(run: PluginRun, broker: BrokerClient, pacticipant: str, version: str) -> None:
    environment = options.get_text(run.config, "deploy-to")
    where = f" to {environment}" if environment else ""
    try:
        verdict = publishing.describe_verdict(broker, pacticipant, version, environment)
    except ClientError as error:
        verdict = _line(error)
    run.summary.append(f"can-i-deploy {pacticipant} {version}{where}:")
    run.summary.extend(f"  {line}".rstrip() for line in verdict.splitlines() if line.strip())


def _publish_results(run: PluginRun) -> bool:
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
    if publishes and run.broker and version:
        for provider in dict.fromkeys(pact_results.about["provider"] for pact_results in all_results):
            _summarize_verdict(run, run.broker.client, provider, version)
    return True


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
