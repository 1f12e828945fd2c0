"""Badges: two short texts and a colour that show whether a pact is verified or a version can be deployed."""

import re
from dataclasses import dataclass
from typing import Final

GREEN: Final = "brightgreen"
ORANGE: Final = "orange"
RED: Final = "red"
GREY: Final = "lightgrey"


@dataclass(frozen=True, kw_only=True, slots=True)
class Badge:
    """The texts on the left and right half of a badge."""

    left: str
    right: str
    colour: str
    comment: str | None = None
    """The versions and the result behind the badge, for readers of the source of the image."""
    explanation: str | None = None
    """Why the answer is not yes, as part of the title of the image."""


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
    """The names on a badge of a pact, and how to write them."""

    consumer: str
    provider: str
    consumer_tag: str | None = None
    provider_tag: str | None = None
    label: str | None = None
    """The name to show: `consumer` or `provider`; any other value shows both."""
    has_initials: bool = False


def build_pact_badge(names: BadgeNames, pact: BadgePact | None, result: BadgeResult | None) -> Badge:
    """Build the badge that shows whether a pact is verified."""
    right, colour = _describe_state(pact, result)
    return Badge(
        left=f"{_title(names)} pact".lower() if pact else "pact not found",
        right=right,
        colour=colour,
        comment=_comment(names, pact, result),
    )


def _describe_state(pact: BadgePact | None, result: BadgeResult | None) -> tuple[str, str]:
    if pact is None or result is None:
        return "unknown", GREY
    if not result.success:
        return ("failed (pending)" if result.was_pending else "failed"), RED
    # A success for other content than that of the latest pact says nothing about the latest pact.
    return ("verified", GREEN) if result.sha == pact.sha else ("changed", ORANGE)


def _title(names: BadgeNames) -> str:
    consumer = _title_side(names.consumer, names.consumer_tag, has_initials=names.has_initials)
    provider = _title_side(names.provider, names.provider_tag, has_initials=names.has_initials)
    titles = {"consumer": consumer, "provider": provider}
    return titles.get((names.label or "").lower(), f"{consumer}/{provider}")


def _title_side(name: str, tag: str | None, *, has_initials: bool) -> str:
    title = abbreviate(name) if has_initials else name
    return f"{title} ({tag})" if tag else title


def abbreviate(name: str) -> str:
    """Shorten a name of several words to their first letters. Words are separated by ` `, `_` or `-`, or by case."""
    words = [word for word in re.split(r"[ _-]", name) if word]
    if len(words) == 1:
        words = re.findall(r"[A-Z]?[^A-Z]+|[A-Z]+(?![^A-Z])", words[0])
    return "".join(word[0] for word in words) if len(words) > 1 else name


def _comment(names: BadgeNames, pact: BadgePact | None, result: BadgeResult | None) -> str:
    version, revision = (pact.version, pact.revision) if pact else ("?", "?")
    provider_version, number = (result.provider_version, result.number) if result else ("?", "?")
    consumer = f"{names.consumer} version {version} revision {revision}"
    return f"{consumer} {names.provider} version {provider_version} number {number}"


def build_deployment_badge(
    text: str, *, deployable: bool | None, label: str | None, explanation: str | None = None
) -> Badge:
    """Build the badge that shows whether a version can be deployed; `text` names its source and its destination."""
    # Red also while results are missing, as in the original: only a certain yes is green.
    colour = GREEN if deployable is True else RED
    return Badge(left=label or "can-i-deploy", right=text, colour=colour, explanation=explanation)


def build_merge_badge(*, deployable: bool | None, explanation: str | None = None) -> Badge:
    """Build the badge that shows whether the main branch is compatible with the main branches of its partners."""
    right, colour = {True: ("success", GREEN), False: ("failed", RED), None: ("unknown", GREY)}[deployable]
    return Badge(left="can-i-merge", right=right, colour=colour, explanation=explanation)


def build_not_found_badge(subject: str) -> Badge:
    """Build the badge of a subject that does not exist, such as `branch`. As in the original, it replaces a 404."""
    return Badge(left=subject, right="not found", colour=GREY)
