"""Recording of answers: whether to record, what the record contains, and who may record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from treaty.actions.decisions.records import record_decision
from treaty.actions.webhooks.notices import BlockedDeployment, enqueue_for_blocked_deployment
from treaty.errors import Forbidden, Renamed, Unauthenticated
from treaty.model.accounts.scopes import Scope
from treaty.model.audit import Actor
from treaty.model.decisions.matrix import Matrix, MatrixRow, VersionKey
from treaty.model.decisions.reasons import Obstacle, describe_reason
from treaty.model.decisions.records import STORED_BASE_URL, Decided, DecisionDraft, RecordedDecision
from treaty.model.decisions.selectors import ResolvedSelector, Selector, find_number
from treaty.model.decisions.version_sets import SetReason, SetVerdict
from treaty.model.deployments import Environment
from treaty.store import deployments
from treaty.store.decisions.selectors import NamedIds
from treaty.store.provider_contracts.missing import has_missing
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.http.request import Request, WriteRequired
from treaty.web.security.authorization import authorize_part
from treaty.web.security.permissions import Permission
from treaty.web.urls import BASE_URL_PLACEHOLDER


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """Whether to record an answer, and why not if the environment asks for it."""

    is_recorded: bool
    obstacle: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with its answer."""

    environment: str
    question: Mapping[str, Any]
    versions: Sequence[VersionKey]
    answer: Matrix | SetVerdict


def plan_recording(
    request: Request, named: NamedIds, members: Iterable[Selector], *, is_requested: bool | None
) -> RecordingPlan:
    """Decide whether to record, before the answer is computed.

    A caller who demands a record and may not write it gets an error. If only the environment asks for records, the
    caller gets the answer with a warning, since the question itself is permitted. Raises WriteRequired to run again in
    a transaction that writes, Unauthenticated, Forbidden and Renamed.
    """
    is_recorded = bool(named.recording) if is_requested is None else is_requested
    if not is_recorded:
        return RecordingPlan(is_recorded=False)
    try:
        authorize_part(
            request,
            Permission.RECORD_DECISION,
            Scope.RECORD_DEPLOYMENTS,
            lambda: [member.pacticipant for member in members],
        )
    except (Unauthenticated, Forbidden, Renamed) as error:
        if is_requested:
            raise
        obstacle = f"Decisions about {named.environments[0]} are recorded, but this one was not: {error}"
        return RecordingPlan(is_recorded=False, obstacle=obstacle)
    if not request.is_writing:
        raise WriteRequired
    return RecordingPlan(is_recorded=True)


def list_versions(resolved: Iterable[ResolvedSelector]) -> list[VersionKey]:
    """List the versions in question, with an empty number if a selector matches none."""
    return list(dict.fromkeys((each.selector.pacticipant, find_number(each) or "") for each in resolved))


def conclude(request: Request, plan: RecordingPlan, answered: Answered) -> Decided:
    """Record an answer in the transaction in which it was computed, if that is planned.

    Without some comparisons, which the server makes next, the handler runs again and records that answer.
    """
    answer = answered.answer
    if not plan.is_recorded or (has_missing() and not request.has_compared):
        return Decided(answer=answer, obstacle=plan.obstacle)
    environment = deployments.find_by_name(request.db, answered.environment)
    assert environment is not None  # noqa: S101 - checked with the question, in the same transaction
    draft = build_draft(answered, environment, request.actor)
    record = record_decision(request.db, draft, now=request.now)
    if environment.is_production and record.deployable is not True:
        _report_blocked(request, record, answer)
    return Decided(answer=answer, record=record)


def build_draft(answered: Answered, environment: Environment, actor: Actor) -> DecisionDraft:
    """Build what a record of an answer contains."""
    answer = answered.answer
    return DecisionDraft(
        environment=environment.name,
        environment_uuid=environment.uuid,
        versions=answered.versions,
        deployable=answer.verdict.summary.deployable if isinstance(answer, Matrix) else answer.deployable,
        causes=_list_causes(answer),
        who=actor.user,
        token=actor.credential_name,
        client=actor.user_agent,
        document=_render_document(answered),
    )


def _list_causes(answer: Matrix | SetVerdict) -> list[str]:
    """List the causes of a verdict that is not yes, without obstacles that an override or a policy covers."""
    return [
        explanation.cause.value
        for reason, explanation in zip(_list_reasons(answer), answer.explanations, strict=False)
        if explanation is not None and isinstance(reason, Obstacle)
    ]


def _list_reasons(answer: Matrix | SetVerdict) -> Sequence[SetReason]:
    return answer.verdict.reasons if isinstance(answer, Matrix) else answer.reasons


def _report_blocked(request: Request, record: RecordedDecision, answer: Matrix | SetVerdict) -> None:
    blocked = BlockedDeployment(
        versions=[(name, number) for name, number in record.versions if number],
        environment=record.environment,
        causes=[describe_reason(reason) for reason in _list_reasons(answer) if isinstance(reason, Obstacle)],
        decision_url=f"{request.base_url}{urls.DECISION.fill(uuid=record.uuid)}",
    )
    enqueue_for_blocked_deployment(request.db, blocked, base_url=request.base_url, now=request.now)
    request.has_queued = True


_ANSWER_MEMBERS: Final = ("summary", "reasons", "leaveOut", "leaveOutIsSmallest", "order")


def _render_document(answered: Answered) -> str:
    """Render what a record contains: the answer as it is returned, and the rows by names and hashes."""
    rendered = represent.hal(answered.answer)
    assert isinstance(rendered, dict)  # noqa: S101 - for type checkers
    document = {
        "question": answered.question,
        **{name: rendered[name] for name in _ANSWER_MEMBERS if name in rendered},
        **_render_facts(answered.answer),
    }
    # The placeholder of links differs in each process.
    text = orjson.dumps(document, option=orjson.OPT_OMIT_MICROSECONDS).decode()
    return text.replace(_escape(BASE_URL_PLACEHOLDER), _escape(STORED_BASE_URL))


def load_document(text: str, base_url: str = BASE_URL_PLACEHOLDER) -> dict[str, Any]:
    """Parse the document of a record, with links that begin with a base URL."""
    document: dict[str, Any] = orjson.loads(text.replace(_escape(STORED_BASE_URL), _escape(base_url)))
    return document


def _escape(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]


def _render_facts(answer: Matrix | SetVerdict) -> dict[str, Any]:
    match answer:
        case Matrix(verdict=verdict):
            rows = [*map(_render_row, verdict.considered), *(_render_row(row, ignored=True) for row in verdict.ignored)]
            return {"rows": rows, "rowCount": verdict.total}
        case SetVerdict():
            ignored = answer.ignored or ()
            rows = [
                *(_render_row(row, **({"ignored": True} if row in ignored else {})) for row in answer.rows),
                *(_render_row(row, replaced=True) for row in answer.replaced_rows),
            ]
            return {"rows": rows, "rowCount": len(rows)}


def _render_row(row: MatrixRow, **marks: bool) -> dict[str, Any]:
    result = None
    if row.verification is not None:
        result = {
            "number": row.verification,
            "success": row.success,
            "verifiedAt": row.verified_at,
            "comparison": row.comparison,
        }
    return {
        "consumer": {"name": row.consumer, "version": row.consumer_version},
        "provider": {"name": row.provider, "version": row.provider_version},
        "pact": {"sha": row.sha, "revision": row.revision, "publishedAt": row.published_at},
        "result": result,
        **marks,
    }
