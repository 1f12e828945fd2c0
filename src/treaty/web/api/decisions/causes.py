"""Why a decision is not yes: loads and renders the explanation of each obstacle, for the API, pages and badges."""

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NotRequired

from sqlalchemy import Connection
from typing_extensions import TypedDict

from treaty.model.decisions.explanations import VERSION, Explanation, PactVerification, Step, VersionName, explain
from treaty.model.decisions.matrix import Verdict
from treaty.model.decisions.reasons import ComparisonFailed, NotCompared, Reason, find_obstacle
from treaty.model.decisions.version_sets import Advice, SetReason
from treaty.store.decisions.cause_facts import load_cause_facts
from treaty.web import urls
from treaty.web.hal.documents import Link
from treaty.web.hal.shapes import JsonObject

Explanations = Sequence[Explanation | None]
"""An explanation for each reason of a verdict; None for warnings and counts. Empty if the answer is yes."""


def load_explanations(db: Connection, verdict: Verdict) -> Explanations:
    """Explain the obstacles of a verdict, also those that exemptions cover. A yes without any costs no query."""
    return explain_reasons(db, verdict.reasons)


def explain_reasons(db: Connection, reasons: Sequence[SetReason]) -> Explanations:
    """Explain the obstacles among reasons; () if there are none."""
    obstacles = [None if isinstance(reason, Advice) else find_obstacle(reason) for reason in reasons]
    if not any(obstacles):
        return ()
    facts = load_cause_facts(db, [obstacle for obstacle in obstacles if obstacle])
    return [None if obstacle is None else explain(obstacle, facts) for obstacle in obstacles]


class VersionToLookAt(TypedDict):
    name: str
    version: str | None


class ActDocument(TypedDict):
    pacticipant: str
    contacts: list[JsonObject]


class PassedDocument(TypedDict):
    version: str
    at: datetime


class CauseDocument(TypedDict):
    """The members by which an explanation completes a reason."""

    cause: NotRequired[str]
    problem: NotRequired[str]
    since: NotRequired[datetime | None]
    act: NotRequired[ActDocument | None]
    subject: NotRequired[VersionToLookAt]
    version: NotRequired[VersionToLookAt]
    passed: NotRequired[PassedDocument]
    pending: NotRequired[bool]
    help: NotRequired[Link]


def render_explanation(explanation: Explanation) -> CauseDocument:
    """Render the cause, since when it exists, who has to act, and which version to look at."""
    rendered: CauseDocument = {
        "cause": explanation.cause.value,
        "problem": explanation.problem,
        "since": explanation.since,
        "act": _render_actor(explanation),
        "subject": _render_version(explanation.subject),
        "help": Link(help_path(explanation)),
    }
    if explanation.look_at is not None:
        rendered["version"] = _render_version(explanation.look_at)
    if explanation.passed is not None:
        rendered["passed"] = {"version": explanation.passed.number, "at": explanation.passed.at}
    if explanation.is_pending:
        rendered["pending"] = True
    return rendered


def _render_actor(explanation: Explanation) -> ActDocument | None:
    if explanation.actor is None:
        return None
    contacts: list[Any] = [{"name": contact.name, **_details(contact.details)} for contact in explanation.contacts]
    return {"pacticipant": explanation.actor, "contacts": contacts}


def _details(details: object) -> dict[str, object]:
    return {"details": details} if details else {}


def _render_version(version: VersionName) -> VersionToLookAt:
    return {"name": version.pacticipant, "version": version.number}


def help_path(explanation: Explanation) -> str:
    """Return the path of the section about a cause, on a page of this broker."""
    return f"{urls.REASONS.fill()}#{explanation.cause.value}"


def find_page(step: Step) -> str | None:
    """Return the path of the page on which a step is done, or of the pact that it is about."""
    if step.delivery is not None:
        return urls.TRIGGERED_WEBHOOK_LOGS.fill(uuid=step.delivery)
    if step.webhook is not None:
        return urls.WEBHOOK.fill(uuid=step.webhook)
    if step.verification is not None:
        return _pact_path(step.verification)
    return None


def find_comparison_path(reason: Reason) -> str | None:
    """Return the path of the comparison that a reason is about; None for other reasons."""
    if not isinstance(reason, NotCompared | ComparisonFailed):
        return None
    consumer, provider = reason.consumer, reason.provider
    if consumer.version is None or provider.version is None:
        return None
    return urls.COMPARISON_OF_VERSIONS.fill(
        provider=provider.pacticipant,
        version=provider.version,
        consumer=consumer.pacticipant,
        consumerVersion=consumer.version,
    )


def _pact_path(verification: PactVerification) -> str:
    names = {"provider": verification.provider, "consumer": verification.consumer}
    return urls.PACT.fill(**names, version=verification.consumer_version)


PROVIDER_URL: Final = "PROVIDER_URL"
"""Placeholder for the address at which a provider's tests run."""


def format_command(step: Step, base_url: str) -> str | None:
    """Return the command line for a step, quoted for a shell; several commands are joined by `&&`."""
    commands = [shlex.join(command) for command in step.commands]
    if step.verification is not None:
        commands.insert(0, _format_verification(step.verification, base_url))
    return " && ".join(commands) or None


def _format_verification(verification: PactVerification, base_url: str) -> str:
    words = ["pact-verifier", "--provider", verification.provider, "--provider-base-url", PROVIDER_URL]
    words += ["--pact-broker-url", base_url, base_url + _pact_path(verification)]
    words += ["--provider-app-version", verification.provider_version or VERSION]
    words += ["--provider-version-branch", verification.branch] if verification.branch else []
    return shlex.join([*words, "--publish-verification-results"])
