"""Verdicts of the matrix as pages tell them: each reason with what can be done, and where it is seen."""

from collections.abc import Iterable
from dataclasses import dataclass

from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.reasons import NoSuchVersion, NotVerified, Reason, VerificationFailed
from treaty.web import urls
from treaty.web.api.decisions.matrix import record_deployment_command


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonView:
    """A reason."""

    severity: str
    text: str
    next: str | None = None
    link: str | None = None
    """The path of the pact that it is about."""
    command: str | None = None


def describe_reasons(reasons: Iterable[Reason]) -> list[ReasonView]:
    """Tell reasons, each once."""
    return list(dict.fromkeys(map(_told, reasons)))


def _told(one: Reason) -> ReasonView:
    severity, text = reason_texts.get_severity(one), reason_texts.describe_reason(one).removeprefix("WARN: ")
    match one:
        case NotVerified() | VerificationFailed():
            return ReasonView(
                severity=severity,
                text=text,
                next=reason_texts.suggest_next_step(one),
                link=_pact(one),
                command=_command(one),
            )
        case NoSuchVersion():
            return ReasonView(severity=severity, text=text, next=reason_texts.suggest_next_step(one))
        case _:
            return ReasonView(severity=severity, text=text)


def _pact(one: NotVerified | VerificationFailed) -> str | None:
    if one.consumer.version is None:
        return None
    names = {"provider": one.provider.pacticipant, "consumer": one.consumer.pacticipant}
    return urls.PACT.fill(**names, version=one.consumer.version)


def _command(one: NotVerified | VerificationFailed) -> str | None:
    for side in (one.provider, one.consumer):
        if side.environment:
            return record_deployment_command(side, side.environment)
    return None
