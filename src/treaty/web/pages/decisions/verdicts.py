"""Verdicts of the matrix on pages: each reason with its cause, who has to act, and the link or command for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.causes import DESCRIPTIONS, Cause
from treaty.model.decisions.explanations import Explanation
from treaty.model.decisions.reasons import Obstacle, Reason
from treaty.model.decisions.version_sets import Advice, SetReason, describe_advice
from treaty.web.api.decisions.causes import Explanations, find_comparison_path, find_page, format_command, help_path
from treaty.web.api.decisions.matrix import find_pact_path


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseView:
    """The cause of an obstacle, as a page shows it: a row for a counterpart."""

    title: str
    help: str
    """The path of the section about the cause."""
    name: str
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
    reasons: Sequence[SetReason], explanations: Explanations = (), *, base_url: str = ""
) -> list[ReasonView]:
    """Describe reasons without repetitions: rows between several versions may have the same reason."""
    pairs = zip(reasons, explanations or [None] * len(reasons), strict=True)
    return list(dict.fromkeys(_build_view(reason, explanation, base_url) for reason, explanation in pairs))


def _build_view(reason: SetReason, explanation: Explanation | None, base_url: str) -> ReasonView:
    if isinstance(reason, Advice):
        return ReasonView(severity="warning", text=describe_advice(reason))
    return ReasonView(
        # The page shows the severity by colour.
        severity=reason_texts.get_severity(reason),
        text=reason_texts.describe_reason(reason).removeprefix("WARN: "),
        next=reason_texts.suggest_next_step(reason) if explanation is None and isinstance(reason, Obstacle) else None,
        cause=None if explanation is None else _build_cause(reason, explanation, base_url),
    )


def _build_cause(reason: Reason, explanation: Explanation, base_url: str) -> CauseView:
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
