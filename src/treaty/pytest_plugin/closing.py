"""The end of a run: publish what is to be published, and tell what was written, published and verified."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from treaty.cli import pactfiles
from treaty.errors import ClientError, Refused, TreatyError
from treaty.pytest_plugin import options
from treaty.testing import publishing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from treaty.cli.pactfiles import PactFile
    from treaty.client import BrokerClient
    from treaty.pytest_plugin.results import PactResults
    from treaty.pytest_plugin.run import PluginRun

_NO_BROKER: Final = "no broker is configured: give --broker-url (PACT_BROKER_BASE_URL), or --run-broker"
_FAILED: Final = "Not published: not all tests passed."


def publish_and_summarize(run: PluginRun, *, written: Sequence[Path], passed: bool) -> bool:
    """Do what is left to do; False if it could not be done."""
    if run.has_temporary_broker:
        run.summary.append(f"Broker of this run: {run.start()}")
    try:
        files = _files(written)
        run.summary.extend(_written_line(file, run) for file in files)
        is_published = _publish_pacts(run, files, passed=passed)
        return _publish_results(run) and is_published
    except TreatyError as error:
        run.summary.append(f"ERROR: {_line(error)}")
        return False


def _line(error: TreatyError) -> str:
    """Say in a line why something failed, and what to do about it."""
    hint = error.hint if isinstance(error, ClientError) else ""
    words = [" ".join(str(error).split()).rstrip("."), hint.replace("--broker-base-url", "--broker-url")]
    return ". ".join(part for part in words if part)


def _files(paths: Iterable[Path]) -> list[PactFile]:
    return [file for path in paths for file in pactfiles.read_pact_files([str(path)])]


def _written_line(file: PactFile, run: PluginRun) -> str:
    count = sum(len(file.content.get(kind) or []) for kind in ("interactions", "messages"))
    interactions = "1 interaction" if count == 1 else f"{count} interactions"
    return f"Written: {_shown(file.path, run)} ({file.consumer} -> {file.provider}, {interactions})"


def _shown(path: str, run: PluginRun) -> str:
    """Show a path as short as it goes."""
    base = f"{run.config.invocation_params.dir}/"
    return path.removeprefix(base)


def _publish_pacts(run: PluginRun, files: Sequence[PactFile], *, passed: bool) -> bool:
    version = options.get_text(run.config, "publish-pact")
    if not version or not files:
        return True
    if not passed:
        run.summary.append(_FAILED)
        return True
    if run.broker is None:
        raise ClientError(f"The pacts were not published: {_NO_BROKER}.")
    return _publish_files(run, run.broker.client, files, version)


def _publish_files(run: PluginRun, broker: BrokerClient, files: Sequence[PactFile], version: str) -> bool:
    made = publishing.detect_build(
        version,
        branch=options.get_text(run.config, "pact-branch"),
        tags=options.get_list(run.config, "pact-tag"),
        build_url=options.get_text(run.config, "pact-build-url"),
    )
    try:
        published = publishing.publish(broker, made, files)
    except ClientError as error:
        raise ClientError(f"The pacts were not published. {error}", hint=error.hint) from error
    run.summary.append(f"Published to {broker.url}:" if published.is_complete else "ERROR: The broker took not all:")
    run.summary.extend(f"  {line}" for line in published.text.splitlines())
    for consumer in dict.fromkeys(file.consumer for file in files):
        _tell_verdict(run, broker, consumer, made.version)
    return published.is_complete


def _tell_verdict(run: PluginRun, broker: BrokerClient, pacticipant: str, version: str) -> None:
    environment = options.get_text(run.config, "deploy-to")
    where = f" to {environment}" if environment else ""
    try:
        answer = publishing.describe_verdict(broker, pacticipant, version, environment)
    except ClientError as error:
        answer = _line(error)
    run.summary.append(f"can-i-deploy {pacticipant} {version}{where}:")
    run.summary.extend(f"  {line}".rstrip() for line in answer.splitlines() if line.strip())


def _publish_results(run: PluginRun) -> bool:
    from treaty.pytest_plugin import results  # noqa: PLC0415 - runs of consumers do without

    tallies = results.list_results()
    version = results.find_provider_version(run.config)
    is_asked = options.get_flag(run.config, "publish-verification")
    may_publish = is_asked and any(tally.about["results_url"] for tally in tallies)
    if may_publish and not version:
        raise ClientError("The results were not published: the provider's version is missing (--provider-version).")
    for tally in tallies:
        run.summary.append(_verified_line(tally))
        if may_publish and tally.about["results_url"]:
            run.summary.append(f"  {_published(run, tally, str(version))}")
    if may_publish and run.broker and version:
        for provider in dict.fromkeys(tally.about["provider"] for tally in tallies):
            _tell_verdict(run, run.broker.client, provider, version)
    return True


def _verified_line(tally: PactResults) -> str:
    about = tally.about
    consumer = f"{about['consumer']} {about['version']}".rstrip()
    pending = " (pending)" if about["pending"] else ""
    return f"Verified: {about['provider']} against {consumer}{pending}: {tally.passed} of {tally.total} interactions"


def _published(run: PluginRun, tally: PactResults, version: str) -> str:
    from treaty.pytest_plugin import results  # noqa: PLC0415 - as above

    if not tally.is_complete:
        return f"Not published: only {len(tally.found)} of its {tally.total} interactions were verified."
    if run.broker is None:
        return f"Not published: {_NO_BROKER}."
    try:
        results.record_version(run.broker.client, tally.about["provider"], version, run.config)
        return f"Result published: {results.publish_results(run.broker.client, tally, version)}"
    except Refused as refused:
        raise ClientError(f"The results were not published. {refused}", hint=refused.hint) from refused
