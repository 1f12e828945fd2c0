"""Publishes pacts from a test run, and describes the broker's responses."""

from __future__ import annotations

import contextlib
import io
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from treaty.cli import build_detection, contracts, matrix, output, provider_contracts, selectors
from treaty.cli.builds import Build
from treaty.cli.selectors import SelectorOptions, VersionSelector
from treaty.errors import ClientError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from treaty.cli.pactfiles import PactFile
    from treaty.client import BrokerClient, HalResource, Json

_COMPARISON_ATTEMPTS: Final = 40
_COMPARISON_INTERVAL_SECONDS: Final = 0.25
_MAX_FINDINGS: Final = 10
"""Findings of one comparison that are shown."""


@dataclass(frozen=True, slots=True)
class PublicationReport:
    """The broker's responses as text, and whether it accepted all pacts."""

    text: str
    is_complete: bool


def detect_build(version: str, *, branch: str | None, tags: Sequence[str] = (), build_url: str | None = None) -> Build:
    """Describe the build. The version `auto` is the commit; a missing branch or URL is detected if possible.

    Raises ClientError if the commit cannot be detected.
    """
    return Build(
        version=build_detection.commit() if version == "auto" else version,
        branch=branch or detect_or_none(build_detection.branch),
        tags=list(tags),
        build_url=build_url or detect_or_none(build_detection.build_url),
    )


def detect_or_none(detect: Callable[[], str | None]) -> str | None:
    """Call a function of `build_detection`; return None if it cannot detect its value."""
    with suppress(ClientError):
        return detect() or None
    return None


def publish(broker: BrokerClient, build: Build, files: Sequence[PactFile]) -> PublicationReport:
    """Publish pacts; raises ClientError if the broker cannot be reached."""
    try:
        responses = contracts.publish_contracts(broker, build, files)
    except contracts.OldBroker:
        return _publish_one_by_one(broker, build, files)
    text = "\n".join(_describe(response) for response in responses)
    return PublicationReport(text, not any(isinstance(response, Refused) for response in responses))


def _describe(response: HalResource | Refused) -> str:
    return click.unstyle(output.format_publication(response)).rstrip() or "Successfully published pacts"


def _publish_one_by_one(broker: BrokerClient, build: Build, files: Sequence[PactFile]) -> PublicationReport:
    """Publish to a broker that is too old for `POST /contracts/publish`, as the command line does."""
    # The function of the command line prints its progress, which becomes the report.
    with contextlib.redirect_stdout(io.StringIO()) as printed, contextlib.redirect_stderr(printed):
        try:
            contracts.publish_one_by_one(broker, build, list(files))
        except ClientError as error:
            return PublicationReport(f"{printed.getvalue()}\n{error}".strip(), is_complete=False)
    return PublicationReport(click.unstyle(printed.getvalue()).strip(), is_complete=True)


def publish_provider_contract(broker: BrokerClient, provider: str, build: Build, contract: Json) -> str:
    """Publish the contract of a provider version, and return the broker's response as text.

    Raises ClientError with that text if the broker refuses it.
    """
    try:
        text, _ = provider_contracts.publish(broker, provider, build, [contract])
    except Refused as refused:
        raise ClientError(click.unstyle(output.format_publication(refused)).strip(), hint=refused.hint) from refused
    return click.unstyle(text).strip()


def describe_verdict(broker: BrokerClient, pacticipant: str, version: str, environment: str | None) -> str:
    """Return the output of can-i-deploy for an environment, or else for the latest versions of its integrations.

    Below it are the findings of comparisons with contracts of providers. Comparisons that the broker has not finished
    are waited for, for some seconds.
    """
    selector_options = SelectorOptions([VersionSelector(pacticipant=pacticipant, version=version)], [])
    if environment:
        query = selectors.build_query(selector_options, latest_by="cvpv", target=[("environment", environment)])
    else:
        query = selectors.build_query(selector_options, latest_by="cvp", target=[("latest", "true")])
    url = broker.url_for("matrix", query=query)
    body = broker.get(url).body
    for _ in range(_COMPARISON_ATTEMPTS):
        if not any(reason.get("kind") == "missing_comparison" for reason in body.get("reasons") or []):
            break
        time.sleep(_COMPARISON_INTERVAL_SECONDS)
        body = broker.get(url).body
    verdict = click.unstyle(matrix.describe(body, ignores_pacticipants=False))
    return "\n".join([verdict, *_describe_findings(broker, body)])


def _describe_findings(broker: BrokerClient, body: Json) -> Iterator[str]:
    for row in body.get("matrix") or []:
        result = row.get("verificationResult") or {}
        link = ((result.get("_links") or {}).get("self") or {}).get("href")
        if result.get("success") is not False or not link:
            continue
        errors = _load_findings(broker, link)
        names = [f"{row[side]['name']} {row[side]['version']['number']}" for side in ("consumer", "provider")]
        if errors:
            yield f"Findings of the comparison of {' with '.join(names)}:"
        yield from (f"  {error.get('message')}" for error in errors[:_MAX_FINDINGS])
        if len(errors) > _MAX_FINDINGS:
            yield f"  and {len(errors) - _MAX_FINDINGS} more: {link}"


def _load_findings(broker: BrokerClient, url: str) -> Sequence[Json]:
    """Return the errors of a comparison; none for the result of a verifier, or if it cannot be loaded."""
    with suppress(ClientError):
        comparison = broker.get(url).body.get("crossContractVerificationResults") or {}
        return (comparison.get("results") or {}).get("errors") or []
    return []
