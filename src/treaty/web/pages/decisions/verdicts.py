"""Verdicts of the matrix on pages: each reason with the next step, and with the link or command for it."""

from collections.abc import Iterable
from dataclasses import dataclass

from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.reasons import (
    ComparisonFailed,
    NoSuchVersion,
    NotCompared,
    NotVerified,
    PairObstacle,
    Reason,
    VerificationFailed,
)
from treaty.web import urls
from treaty.web.api.decisions.matrix import record_deployment_command


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonView:
    """A reason, as a page shows it."""

    severity: str
    text: str
    next: str | None = None
    link: str | None = None
    """The path of the page that explains it: the pact, or its comparison with the provider contract."""
    link_text: str = "Show the pact"
    command: str | None = None


def describe_reasons(reasons: Iterable[Reason]) -> list[ReasonView]:
    """Describe reasons without repetitions: rows between several versions may have the same reason."""
    return list(dict.fromkeys(map(_build_view, reasons)))


def _build_view(reason: Reason) -> ReasonView:
    # The page shows the severity by colour.
    severity, text = reason_texts.get_severity(reason), reason_texts.describe_reason(reason).removeprefix("WARN: ")
    match reason:
        case NotVerified() | VerificationFailed() | NotCompared() | ComparisonFailed():
            return ReasonView(
                severity=severity,
                text=text,
                next=reason_texts.suggest_next_step(reason),
                link=_find_comparison_path(reason) or _find_pact_path(reason),
                link_text="Show the comparison" if _find_comparison_path(reason) else "Show the pact",
                command=_find_command(reason),
            )
        case NoSuchVersion():
            return ReasonView(severity=severity, text=text, next=reason_texts.suggest_next_step(reason))
        case _:
            return ReasonView(severity=severity, text=text)


def _find_pact_path(reason: PairObstacle) -> str | None:
    if reason.consumer.version is None:
        return None
    names = {"provider": reason.provider.pacticipant, "consumer": reason.consumer.pacticipant}
    return urls.PACT.fill(**names, version=reason.consumer.version)


def _find_comparison_path(reason: PairObstacle) -> str | None:
    consumer, provider = reason.consumer, reason.provider
    if not isinstance(reason, NotCompared | ComparisonFailed) or None in (consumer.version, provider.version):
        return None
    return urls.COMPARISON_OF_VERSIONS.fill(
        provider=provider.pacticipant,
        version=str(provider.version),
        consumer=consumer.pacticipant,
        consumerVersion=str(consumer.version),
    )


def _find_command(reason: PairObstacle) -> str | None:
    for side in (reason.provider, reason.consumer):
        if side.environment:
            return record_deployment_command(side, side.environment)
    return None
