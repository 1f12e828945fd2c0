"""Verdicts of the matrix on pages: each reason with its cause, who has to act, and the link or command for it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.causes import DESCRIPTIONS, Cause
from treaty.model.decisions.explanations import Explanation
from treaty.model.decisions.reasons import Obstacle, PairObstacle, Reason
from treaty.model.decisions.version_sets import Advice, SetReason, describe_advice
from treaty.web.api.decisions.causes import Explanations, find_comparison_path, find_page, format_command, help_path
from treaty.web.api.decisions.matrix import find_pact_path


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseView:
    """The cause of an obstacle, as a page shows it: a row for a counterpart."""

    title: str
    help: str
    """The path of the section about the cause."""
    counterpart: str
    """The application that the row is about: the other side of the pact, seen from the version in question."""
    counterpart_number: str | None
    name: str
    """The application that the problem is about; it may be the one in question itself."""
    number: str | None
    exists: bool
    """Whether there is a version of that number."""
    problem: str
    since: datetime | None
    actor: str | None
    contacts: tuple[str, ...]
    """The names of the contacts, each with its first detail."""
    next: str
    links: tuple[tuple[str, str], ...]
    """The titles and paths of pages: where the step is done, the comparison, and the pact in question."""
    command: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonView:
    """A reason, as a page shows it."""

    severity: str
    text: str
    next: str | None = None
    """What to do about it, if its cause is not known."""
    cause: CauseView | None = None


def describe_reasons(
    reasons: Sequence[SetReason],
    explanations: Explanations = (),
    *,
    base_url: str = "",
    own: Collection[str] = (),
) -> list[ReasonView]:
    """Describe reasons without repetitions: rows between several versions may have the same reason.

    `own` are the applications in question, whose counterparts name the rows.
    """
    pairs = zip(reasons, explanations or [None] * len(reasons), strict=True)
    return list(dict.fromkeys(_build_view(reason, explanation, base_url, own) for reason, explanation in pairs))


def _build_view(reason: SetReason, explanation: Explanation | None, base_url: str, own: Collection[str]) -> ReasonView:
    if isinstance(reason, Advice):
        return ReasonView(severity="warning", text=describe_advice(reason))
    return ReasonView(
        # The page shows the severity by colour.
        severity=reason_texts.get_severity(reason),
        text=reason_texts.describe_reason(reason).removeprefix("WARN: "),
        next=reason_texts.suggest_next_step(reason) if explanation is None and isinstance(reason, Obstacle) else None,
        cause=None if explanation is None else _build_cause(reason, explanation, base_url, own),
    )


def _build_cause(reason: Reason, explanation: Explanation, base_url: str, own: Collection[str]) -> CauseView:
    counterpart, counterpart_number = _find_counterpart(reason, own) or explanation.subject
    step = explanation.step
    own_title = "Show the delivery" if step.delivery else "Show the webhook" if step.webhook else "Show the pact"
    links = (
        (own_title, find_page(step)),
        ("Show the comparison", find_comparison_path(reason)),
        ("Show the pact", find_pact_path(reason)),
    )
    return CauseView(
        title=DESCRIPTIONS[explanation.cause].title,
        help=help_path(explanation),
        counterpart=counterpart,
        counterpart_number=counterpart_number,
        name=explanation.subject.pacticipant,
        number=explanation.subject.number,
        exists=explanation.cause is not Cause.VERSION_NEVER_BUILT,
        problem=explanation.problem,
        since=explanation.since,
        actor=explanation.actor,
        contacts=tuple(contact.describe() for contact in explanation.contacts),
        next=step.text,
        links=tuple(dict.fromkeys((title, path) for title, path in links if path)),
        command=format_command(step, base_url),
    )


def _find_counterpart(reason: Reason, own: Collection[str]) -> tuple[str, str | None] | None:
    """Find the side of a pact that is not in question; None if there is no such side, or both are."""
    if not isinstance(reason, PairObstacle):
        return None
    others = [side for side in (reason.consumer, reason.provider) if side.pacticipant not in own]
    return (others[0].pacticipant, others[0].version) if len(others) == 1 else None
