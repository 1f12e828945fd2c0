"""Recorded decisions, and the versions that they are about."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Text,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
)

from treaty.errors import NotFound
from treaty.model.decisions.records import DecisionFilter, RecordedDecision
from treaty.model.decisions.trends import AnsweredQuestion
from treaty.model.paging import Page, Paged
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import execute, execute_many, fetch_column, fetch_rows, fetch_scalar
from treaty.store.tables import (
    Time,
    decision,
    decision_version,
    deployed_version,
    environment,
    pacticipant,
    released_version,
    version,
)

_COLUMNS: Final = (
    *("uuid", "environment", "environment_uuid", "deployable", "causes", "who", "token", "client", "document"),
    "created_at",
)
_ADD: Final = insert(decision).values({name: bindparam(name) for name in _COLUMNS}).returning(decision.c.id)
_VERSION_ID: Final = (
    select(version.c.id)
    .join(pacticipant, pacticipant.c.id == version.c.pacticipant_id)
    .where(
        pacticipant.c.name == bindparam("pacticipant", type_=Text), version.c.number == bindparam("number", type_=Text)
    )
    .scalar_subquery()
)
_ADD_VERSION: Final = insert(decision_version).values(
    decision_id=bindparam("decision_id"),
    version_id=_VERSION_ID,
    pacticipant=bindparam("pacticipant", type_=Text),
    number=bindparam("number", type_=Text),
)
_DECISIONS: Final = select(decision.c.id, *(decision.c[name] for name in _COLUMNS))
_WITH_UUID: Final = _DECISIONS.where(decision.c.uuid == bindparam("uuid"))
_VERSIONS: Final = (
    select(decision_version.c.decision_id, decision_version.c.pacticipant, decision_version.c.number)
    .where(decision_version.c.decision_id.in_(bindparam("ids", expanding=True)))
    .order_by(decision_version.c.id)
)


def add(db: Connection, new: RecordedDecision) -> None:
    """Add a record with its versions."""
    values = {name: getattr(new, name) for name in _COLUMNS}
    decision_id = fetch_scalar(db, _ADD, {**values, "causes": json.dumps(list(new.causes))})
    execute_many(
        db,
        _ADD_VERSION,
        [{"decision_id": decision_id, "pacticipant": name, "number": number} for name, number in new.versions],
    )


def get(db: Connection, uuid: str) -> RecordedDecision:
    """Find a recorded decision. Raises NotFound."""
    rows = _build(db, fetch_rows(db, _WITH_UUID, {"uuid": uuid}))
    if not rows:
        raise NotFound
    return rows[0]


def _build(db: Connection, rows: Sequence[Any]) -> list[RecordedDecision]:
    versions: dict[int, list[tuple[str, str]]] = {}
    for row in fetch_in_batches(db, _VERSIONS, [row.id for row in rows]):
        versions.setdefault(row.decision_id, []).append((row.pacticipant, row.number))
    return [
        RecordedDecision(
            **{name: getattr(row, name) for name in _COLUMNS if name != "causes"},
            causes=json.loads(row.causes),
            versions=versions.get(row.id, []),
        )
        for row in rows
    ]


# Lists

_has_version: Final = decision_version.c.decision_id == decision.c.id
_CONDITIONS: Final[Mapping[str, ColumnElement[bool]]] = {
    "environment": or_(
        decision.c.environment == bindparam("environment"), decision.c.environment_uuid == bindparam("environment")
    ),
    "pacticipant": exists().where(_has_version, decision_version.c.pacticipant == bindparam("pacticipant")),
    "version": exists().where(_has_version, decision_version.c.number == bindparam("version")),
    "pacticipant version": exists().where(
        _has_version,
        decision_version.c.pacticipant == bindparam("pacticipant"),
        decision_version.c.number == bindparam("version"),
    ),
    "since": decision.c.created_at >= bindparam("since", type_=Time),
    "until": decision.c.created_at < bindparam("until", type_=Time),
}


def list_page(db: Connection, decision_filter: DecisionFilter, page: Page) -> Paged[RecordedDecision]:
    """List a page of the decisions that match a filter, the newest first."""
    listed, counted = _list_statements(_condition_names(decision_filter), decision_filter.answers)
    params = {
        "environment": decision_filter.environment,
        "pacticipant": decision_filter.pacticipant,
        "version": decision_filter.version,
        "since": decision_filter.since,
        "until": decision_filter.until,
    }
    rows = fetch_rows(db, listed, {**params, "limit": page.limit, "offset": page.offset})
    return Paged(_build(db, rows), page, fetch_scalar(db, counted, params))


def _condition_names(decision_filter: DecisionFilter) -> tuple[str, ...]:
    names = [name for name in ("environment", "since", "until") if getattr(decision_filter, name) is not None]
    of_version = [name for name in ("pacticipant", "version") if getattr(decision_filter, name) is not None]
    # Both have to be of the same version: sets have several.
    return (*names, " ".join(of_version)) if of_version else tuple(names)


@lru_cache(maxsize=128)
def _list_statements(names: tuple[str, ...], answers: frozenset[bool | None] | None) -> tuple[Select[Any], Select[Any]]:
    conditions = [_CONDITIONS[name] for name in names]
    if answers is not None:
        conditions.append(or_(*(decision.c.deployable.is_(answer) for answer in answers)))
    listed = (
        _DECISIONS.where(*conditions)
        .order_by(decision.c.created_at.desc(), decision.c.id.desc())
        .limit(bindparam("limit", type_=Integer))
        .offset(bindparam("offset", type_=Integer))
    )
    return listed, select(func.count()).select_from(decision).where(*conditions)


# Decisions before deployments

_HAS_YES: Final = (
    select(decision.c.id)
    .join(decision_version, decision_version.c.decision_id == decision.c.id)
    .where(
        decision_version.c.version_id == _VERSION_ID,
        decision.c.environment_uuid == bindparam("environment"),
        decision.c.deployable.is_(True),
        decision.c.created_at >= bindparam("since", type_=Time),
    )
    .limit(1)
)


def has_yes(db: Connection, *, pacticipant: str, version: str, environment: str, since: datetime) -> bool:
    """Whether a yes for a version and an environment, given by its UUID, was recorded at a time or later."""
    params = {"pacticipant": pacticipant, "number": version, "environment": environment, "since": since}
    return fetch_scalar(db, _HAS_YES, params) is not None


# Retention. The newest yes for each version that is live in the environment is kept, however old it is: it is the
# reason why the version is there.

_newer: Final = decision.alias("newer")
_newer_version: Final = decision_version.alias("newer_version")


def _exists(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Build a condition about another row than that of the decision and its version."""
    return exists(select(1).where(*conditions).correlate(decision, decision_version))


def _is_live(table: Any, ended_at: str) -> ColumnElement[bool]:
    return _exists(
        table.c.version_id == decision_version.c.version_id,
        table.c[ended_at].is_(None),
        table.c.environment_id == environment.c.id,
        environment.c.uuid == decision.c.environment_uuid,
    )


_IS_NEWEST_YES: Final = ~_exists(
    _newer_version.c.version_id == decision_version.c.version_id,
    _newer_version.c.decision_id == _newer.c.id,
    _newer.c.environment_uuid == decision.c.environment_uuid,
    _newer.c.deployable.is_(True),
    _newer.c.id > decision.c.id,
)
_IS_REASON_OF_LIVE_VERSION: Final = exists().where(
    decision_version.c.decision_id == decision.c.id,
    decision.c.deployable.is_(True),
    or_(_is_live(deployed_version, "undeployed_at"), _is_live(released_version, "support_ended_at")),
    _IS_NEWEST_YES,
)
_IS_OLD: Final = decision.c.created_at < bindparam("before", type_=Time)
_OLD: Final = (
    select(decision.c.id)
    .where(_IS_OLD, ~_IS_REASON_OF_LIVE_VERSION)
    .order_by(decision.c.id)
    .limit(bindparam("limit", type_=Integer))
)
_COUNT: Final = select(func.count()).select_from(decision)
_COUNT_OLD: Final = _COUNT.where(_IS_OLD, ~_IS_REASON_OF_LIVE_VERSION)
_REMOVE: Final = delete(decision).where(
    decision.c.id.in_(bindparam("ids", expanding=True)), ~_IS_REASON_OF_LIVE_VERSION
)


def list_old_ids(db: Connection, *, before: datetime, limit: int) -> list[int]:
    """List the ids of the oldest decisions before a time that are not kept."""
    return fetch_column(db, _OLD, {"before": before, "limit": limit})


def count(db: Connection, *, before: datetime | None = None) -> int:
    """Count all decisions, or those before a time that are not kept."""
    if before is None:
        return int(fetch_scalar(db, _COUNT, {}))
    return int(fetch_scalar(db, _COUNT_OLD, {"before": before}))


def remove(db: Connection, ids: Sequence[int]) -> int:
    """Remove those of the decisions that are still not kept, and return their number."""
    return execute(db, _REMOVE, {"ids": ids})


# Trends

_SINCE: Final = (
    select(
        decision.c.id,
        decision.c.environment_uuid,
        decision.c.environment,
        decision.c.created_at,
        decision.c.deployable,
        decision.c.causes,
        decision_version.c.pacticipant,
    )
    .outerjoin(decision_version, decision_version.c.decision_id == decision.c.id)
    .where(decision.c.created_at >= bindparam("since", type_=Time))
    .order_by(decision.c.created_at, decision.c.id, decision_version.c.id)
)


def list_since(db: Connection, since: datetime) -> Iterable[AnsweredQuestion]:
    """List the decisions since a time for trends, the oldest first."""
    questions: dict[int, AnsweredQuestion] = {}
    for row in fetch_rows(db, _SINCE, {"since": since}):
        question = questions.get(row.id)
        if question is None:
            question = questions[row.id] = AnsweredQuestion(
                environment_uuid=row.environment_uuid,
                environment=row.environment,
                at=row.created_at,
                deployable=row.deployable,
                causes=json.loads(row.causes),
            )
        if row.pacticipant is not None:
            question.pacticipants.append(row.pacticipant)
    return questions.values()
