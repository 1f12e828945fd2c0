"""Publish pacts from within a test run, and tell what the broker said."""

from __future__ import annotations

import contextlib
import io
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from treaty.cli import contracts, detect, matrix, output, selectors
from treaty.cli.builds import Build
from treaty.cli.selectors import Selector, Selectors
from treaty.errors import ClientError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treaty.cli.pactfiles import PactFile
    from treaty.client import Broker, Resource


@dataclass(frozen=True, slots=True)
class Published:
    """What the broker said, for people; and whether it took all."""

    text: str
    is_complete: bool


def build(version: str, *, branch: str | None, tags: Sequence[str] = (), build_url: str | None = None) -> Build:
    """Describe what is built. What was not given is found out, if it can be; the version `auto` is the commit."""
    return Build(
        version=detect.commit() if version == "auto" else version,
        branch=branch or found(detect.branch),
        tags=list(tags),
        build_url=build_url or found(detect.build_url),
    )


def found(ask: Callable[[], str | None]) -> str | None:
    with suppress(ClientError):
        return ask() or None
    return None


def publish(broker: Broker, made: Build, files: Sequence[PactFile]) -> Published:
    """Publish pacts; raises ClientError if the broker cannot be reached."""
    if contracts.is_old(broker):
        return _publish_one_by_one(broker, made, files)
    answers = contracts.post(broker, made, files)
    text = "\n".join(_told(answer) for answer in answers)
    return Published(text, not any(isinstance(answer, Refused) for answer in answers))


def _told(answer: Resource | Refused) -> str:
    return click.unstyle(output.told(answer)).rstrip() or "Successfully published pacts"


def _publish_one_by_one(broker: Broker, made: Build, files: Sequence[PactFile]) -> Published:
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        try:
            contracts.publish_one_by_one(broker, made, list(files), merge=False)
        except ClientError as error:
            return Published(f"{said.getvalue()}\n{error}".strip(), is_complete=False)
    return Published(click.unstyle(said.getvalue()).strip(), is_complete=True)


def verdict(broker: Broker, pacticipant: str, version: str, environment: str | None) -> str:
    """Say what can-i-deploy would answer; without an environment it is asked about the latest of the others."""
    chosen = Selectors([Selector(pacticipant=pacticipant, version=version)], [])
    if environment:
        query = selectors.query(chosen, latest_by="cvpv", target=[("environment", environment)])
    else:
        query = selectors.query(chosen, latest_by="cvp", target=[("latest", "true")])
    return click.unstyle(matrix.describe(broker.get(broker.at("matrix", query=query)).body, ignoring=False))
