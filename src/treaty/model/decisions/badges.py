"""Badges: a pair of words and a colour that say how things stand."""

import re
from dataclasses import dataclass
from typing import Final

GREEN: Final = "brightgreen"
ORANGE: Final = "orange"
RED: Final = "red"
GREY: Final = "lightgrey"


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """What a badge says on its left and on its right."""

    left: str
    right: str
    colour: str
    comment: str | None = None
    """What it was worked out from, for who reads the image's source."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BadgePact:
    """The pact that a badge is about."""

    version: str
    revision: int
    sha: str


@dataclass(frozen=True, kw_only=True, slots=True)
class BadgeResult:
    """The result that a badge is about."""

    sha: str
    provider_version: str
    number: int
    success: bool
    was_pending: bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BadgeNames:
    """How the names on a badge of a pact are to be written."""

    consumer: str
    provider: str
    consumer_tag: str | None = None
    provider_tag: str | None = None
    label: str | None = None
    """Which of the names is shown: `consumer`, `provider`; anything else shows both."""
    has_initials: bool = False


def build_pact_badge(names: BadgeNames, pact: BadgePact | None, result: BadgeResult | None) -> Badge:
    """Say whether a pact is verified."""
    right, colour = _state(pact, result)
    return Badge(
        left=f"{_title(names)} pact".lower() if pact else "pact not found",
        right=right,
        colour=colour,
        comment=_comment(names, pact, result),
    )


def _state(pact: BadgePact | None, result: BadgeResult | None) -> tuple[str, str]:
    if pact is None or result is None:
        return "unknown", GREY
    if not result.success:
        return ("failed (pending)" if result.was_pending else "failed"), RED
    return ("verified", GREEN) if result.sha == pact.sha else ("changed", ORANGE)


def _title(names: BadgeNames) -> str:
    consumer = _name(names.consumer, names.consumer_tag, has_initials=names.has_initials)
    provider = _name(names.provider, names.provider_tag, has_initials=names.has_initials)
    shown = {"consumer": consumer, "provider": provider}
    return shown.get((names.label or "").lower(), f"{consumer}/{provider}")


def _name(name: str, tag: str | None, *, has_initials: bool) -> str:
    shown = abbreviate(name) if has_initials else name
    return f"{shown} ({tag})" if tag else shown


def abbreviate(name: str) -> str:
    """Shorten a name of several words to their first letters."""
    words = [word for word in re.split(r"[ _-]", name) if word]
    if len(words) == 1:
        words = re.findall(r"[A-Z]?[^A-Z]+|[A-Z]+(?![^A-Z])", words[0])
    return "".join(word[0] for word in words) if len(words) > 1 else name


def _comment(names: BadgeNames, pact: BadgePact | None, result: BadgeResult | None) -> str:
    version, revision = (pact.version, pact.revision) if pact else ("?", "?")
    provider_version, number = (result.provider_version, result.number) if result else ("?", "?")
    consumer = f"{names.consumer} version {version} revision {revision}"
    return f"{consumer} {names.provider} version {provider_version} number {number}"


def build_deployment_badge(way: str, *, deployable: bool | None, label: str | None) -> Badge:
    """Say whether what has a tag, or is on a branch, can go its way. Not to know is as bad as no."""
    colour = GREEN if deployable is True else RED
    return Badge(left=label or "can-i-deploy", right=way, colour=colour)


def build_merge_badge(*, deployable: bool | None) -> Badge:
    """Say whether what is on the main branch fits to the main branches of everyone else."""
    right, colour = {True: ("success", GREEN), False: ("failed", RED), None: ("unknown", GREY)}[deployable]
    return Badge(left="can-i-merge", right=right, colour=colour)


def build_not_found_badge(what: str) -> Badge:
    """Say what does not exist."""
    return Badge(left=what, right="not found", colour=GREY)
