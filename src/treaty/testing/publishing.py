"""Publishes pacts from a test run, and describes the broker's responses."""

from __future__ import annotations

import contextlib
import io
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from treaty.cli import build_detection, contracts, matrix, output, selectors
from treaty.cli.builds import Build
from treaty.cli.selectors import SelectorOptions, VersionSelector
from treaty.errors import ClientError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treaty.cli.pactfiles import PactFile
    from treaty.client import BrokerClient, HalResource


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


def describe_verdict(broker: BrokerClient, pacticipant: str, version: str, environment: str | None) -> str:
    """Return the output of can-i-deploy for an environment, or else for the latest versions of its integrations."""
    selector_options = SelectorOptions([VersionSelector(pacticipant=pacticipant, version=version)], [])
    if environment:
        query = selectors.build_query(selector_options, latest_by="cvpv", target=[("environment", environment)])
    else:
        query = selectors.build_query(selector_options, latest_by="cvp", target=[("latest", "true")])
    return click.unstyle(
        matrix.describe(broker.get(broker.url_for("matrix", query=query)).body, ignores_pacticipants=False)
    )
