"""Publish pacts from within a test run, and tell what the broker said."""

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
    """What the broker said, for people; and whether it took all."""

    text: str
    is_complete: bool


def detect_build(version: str, *, branch: str | None, tags: Sequence[str] = (), build_url: str | None = None) -> Build:
    """Describe what is built. What was not given is found out, if it can be; the version `auto` is the commit."""
    return Build(
        version=build_detection.commit() if version == "auto" else version,
        branch=branch or detect_or_none(build_detection.branch),
        tags=list(tags),
        build_url=build_url or detect_or_none(build_detection.build_url),
    )


def detect_or_none(ask: Callable[[], str | None]) -> str | None:
    with suppress(ClientError):
        return ask() or None
    return None


def publish(broker: BrokerClient, made: Build, files: Sequence[PactFile]) -> PublicationReport:
    """Publish pacts; raises ClientError if the broker cannot be reached."""
    if contracts.uses_old_api(broker):
        return _publish_one_by_one(broker, made, files)
    answers = contracts.publish_contracts(broker, made, files)
    text = "\n".join(_told(answer) for answer in answers)
    return PublicationReport(text, not any(isinstance(answer, Refused) for answer in answers))


def _told(answer: HalResource | Refused) -> str:
    return click.unstyle(output.format_publication(answer)).rstrip() or "Successfully published pacts"


def _publish_one_by_one(broker: BrokerClient, made: Build, files: Sequence[PactFile]) -> PublicationReport:
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        try:
            contracts.publish_one_by_one(broker, made, list(files), merge=False)
        except ClientError as error:
            return PublicationReport(f"{said.getvalue()}\n{error}".strip(), is_complete=False)
    return PublicationReport(click.unstyle(said.getvalue()).strip(), is_complete=True)


def describe_verdict(broker: BrokerClient, pacticipant: str, version: str, environment: str | None) -> str:
    """Say what can-i-deploy would answer; without an environment it is asked about the latest of the others."""
    chosen = SelectorOptions([VersionSelector(pacticipant=pacticipant, version=version)], [])
    if environment:
        query = selectors.build_query(chosen, latest_by="cvpv", target=[("environment", environment)])
    else:
        query = selectors.build_query(chosen, latest_by="cvp", target=[("latest", "true")])
    return click.unstyle(
        matrix.describe(broker.get(broker.url_for("matrix", query=query)).body, ignores_pacticipants=False)
    )
