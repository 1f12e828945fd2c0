"""Versions that the command line names by an abbreviated commit, which Treaty brokers look up, and their pages.

A version of exactly this number is looked for first, so that a command needs no further request if there is one. Other
brokers know exact numbers only. Commands that create versions never come here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from treaty.cli import output
from treaty.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.cli.selectors import VersionSelector
    from treaty.client import BrokerClient, Json

_RELATION: Final = "pb:version-lookup"
_COMMIT_PART: Final = re.compile(r"[0-9a-f]{7}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookup:
    """The version that a text identifies, or the broker's sentence about why it identifies none."""

    number: str | None
    is_abbreviated_commit: bool
    problem: str | None
    has_candidates: bool
    """Whether the problem names versions that are probably meant."""


def look_up(broker: BrokerClient, pacticipant: str, text: str) -> Lookup | None:
    """Look up a version by its number, an alias or a prefix; None if the broker cannot, or has no such pacticipant."""
    broker = broker.without_retries()
    try:
        if not broker.index.has_link(_RELATION):
            return None
        resource = broker.find(broker.index.link(_RELATION).fill(pacticipant=pacticipant, version=text))
    except ClientError:  # the command reports why the version is missing
        return None
    if resource is None:
        return None
    return Lookup(
        number=resource.body.get("version"),
        is_abbreviated_commit=resource.body.get("abbreviatedCommit") is True,
        problem=resource.body.get("problem"),
        has_candidates=bool(resource.embedded("versions")),
    )


def complete(broker: BrokerClient, pacticipant: str, text: str) -> str | None:
    """Return the number of the version that an abbreviated commit identifies, and print it; None for other texts.

    Only abbreviated commits are completed: for a decision, `1.2.3-rc.1` must not stand for `1.2.3-rc.10`.
    """
    lookup = look_up(broker, pacticipant, text)
    if lookup is None or lookup.number is None or not lookup.is_abbreviated_commit:
        return None
    output.print_error(f"{text} is the version {lookup.number} of {pacticipant}.")
    return lookup.number


def complete_missing(
    broker: BrokerClient, selectors: Sequence[VersionSelector], body: Json
) -> Sequence[VersionSelector]:
    """Complete the versions that a decision reports as missing. Returns the same sequence if there are none."""
    missing = {
        (side.get("name"), side.get("version"))
        for reason in body.get("reasons") or []
        if reason.get("kind") == "no_such_version" and isinstance(side := reason.get("pacticipant"), dict)
    }
    return _complete(broker, selectors, [each for each in selectors if (each.pacticipant, each.version) in missing])


def complete_members(broker: BrokerClient, members: Sequence[VersionSelector]) -> Sequence[VersionSelector]:
    """Complete the members of a set before the question, since the broker may record each answer."""
    return _complete(broker, members, [each for each in members if _COMMIT_PART.search(each.version or "")])


def _complete(
    broker: BrokerClient, selectors: Sequence[VersionSelector], candidates: Sequence[VersionSelector]
) -> Sequence[VersionSelector]:
    numbers = {
        candidate: number
        for candidate in candidates
        if candidate.version and (number := complete(broker, candidate.pacticipant, candidate.version))
    }
    if not numbers:
        return selectors
    return [replace(each, version=numbers.get(each, each.version)) for each in selectors]


def explain_missing(broker: BrokerClient, body: Json) -> Json:
    """Replace the sentences about missing versions in a decision by those that suggest a version."""
    problems: dict[str, str] = {}
    for reason in body.get("reasons") or []:
        side = reason.get("pacticipant") or {}
        if reason.get("kind") == "no_such_version" and side.get("version"):
            lookup = look_up(broker, str(side["name"]), str(side["version"]))
            if lookup and lookup.problem:
                problems[str(reason.get("text"))] = lookup.problem
    if not problems:
        return body
    notices = [
        {**notice, "text": problems.get(str(notice.get("text")), notice.get("text"))}
        for notice in body.get("notices") or []
    ]
    return {**body, "notices": notices}


def add_page(broker: BrokerClient, text: str, pacticipant: str, number: str) -> str:
    """Add a line with the address of a version's page to a text, if the broker has such pages."""
    if not broker.index.has_link(_RELATION):
        return text
    return f"{text}\nSee {broker.url_for('pacticipants', pacticipant, 'versions', number)}"
