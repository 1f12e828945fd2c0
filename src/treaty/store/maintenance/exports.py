"""Exports: the facts of this broker, in pages, as an import into another Treaty reads them.

Pages follow ids that existed when the export began, so that data added meanwhile does not shift them, and no fact
refers to one that was left out. Each page is small enough for its request not to block others.
"""

from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    not_,
    select,
    true,
    tuple_,
)

from treaty.errors import Invalid
from treaty.model.maintenance.exports import ExportExtent, ExportKind, ExportPage
from treaty.model.maintenance.imports import (
    BranchMembership,
    DeploymentFact,
    EnvironmentFact,
    Fact,
    ImportedSelfVerification,
    PactFact,
    PacticipantFact,
    ProviderContractFact,
    ReleaseFact,
    ResultFact,
    TagMembership,
    VersionFact,
)
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_rows
from treaty.store.pacts.pacts import CONSUMER, PACTS, PROVIDER
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    deployed_version,
    environment,
    label,
    pacticipant,
    provider_contract,
    provider_document,
    publication,
    released_version,
    self_verification,
    tag,
    verification,
    version,
)

T = TypeVar("T")
_Rows = Select[*tuple[Any, ...]]

PAGE_SIZE: Final = 500
"""Maximum number of facts on a page."""
MAX_PAGE_BYTES: Final = 4_000_000
"""Bytes of pacts or test results after which a page ends."""
_BYTES_CHUNK: Final = 20
"""Number of pacts or test results that are loaded at a time, until the page is full."""

_UNTIL: Final = bindparam("until", type_=Integer)
_AFTER: Final = bindparam("after", type_=Integer)
_LIMIT: Final = bindparam("limit", type_=Integer)


def _page_of(statement: _Rows, table: Any) -> _Rows:
    """Select a page of a table's rows in the order of their ids."""
    return (
        statement.add_columns(table.c.id.label("id"))
        .where(table.c.id > _AFTER, table.c.id <= _UNTIL)
        .order_by(table.c.id)
        .limit(_LIMIT)
    )


_IS_EXPORTED: Final = and_(
    exists().where(publication.c.content_id == verification.c.content_id), verification.c.comparison_id.is_(None)
)
"""Results of contents that no version publishes any more are in no answer, and have no pact to be exported with.

Results of comparisons are computed, so the other broker computes its own.
"""
_TABLES: Final[Mapping[ExportKind, tuple[Any, ColumnElement[bool]]]] = {
    ExportKind.PACTICIPANTS: (pacticipant, true()),
    ExportKind.VERSIONS: (version, true()),
    ExportKind.PACTS: (publication, publication.c.is_current),
    ExportKind.OVERWRITTEN_PACTS: (publication, not_(publication.c.is_current)),
    ExportKind.RESULTS: (verification, _IS_EXPORTED),
    ExportKind.PROVIDER_CONTRACTS: (provider_contract, true()),
    ExportKind.ENVIRONMENTS: (environment, true()),
    ExportKind.DEPLOYMENTS: (deployed_version, true()),
    ExportKind.RELEASES: (released_version, true()),
}
"""The table of each kind, and the condition for its rows."""


def _select_extents() -> _Rows:
    columns = []
    for kind, (table, condition) in _TABLES.items():
        count = select(func.count()).select_from(table).where(condition).scalar_subquery()
        last = select(func.coalesce(func.max(table.c.id), 0)).scalar_subquery()
        columns += [count.label(f"count_{kind.name}"), last.label(f"last_{kind.name}")]
    return select(*columns)


_EXTENTS: Final = _select_extents()


def load_extents(db: Connection) -> dict[ExportKind, ExportExtent]:
    """Count the facts of each kind, and find the newest ones, in one statement."""
    row = fetch_rows(db, _EXTENTS, {})[0]._asdict()
    return {kind: ExportExtent(row[f"count_{kind.name}"], row[f"last_{kind.name}"]) for kind in ExportKind}


def read_page(db: Connection, kind: ExportKind, *, after: str | None, until: int) -> ExportPage:
    """Read the page after a cursor, of facts whose ids are not above `until`. Raises Invalid for an invalid cursor."""
    return _READERS[kind](db, after, until)


def _end(kind: ExportKind, rows: Sequence[Any], facts: Sequence[Fact]) -> ExportPage:
    """Build a page, which is the last one unless more rows follow."""
    is_last = len(facts) == len(rows) < PAGE_SIZE
    return ExportPage(kind, facts, None if is_last else str(rows[len(facts) - 1].id))


def _fetch(db: Connection, statement: Executable, after: str | None, until: int) -> Sequence[Any]:
    return fetch_rows(db, statement, {"after": _parse_number(after or "0"), "until": until, "limit": PAGE_SIZE})


_MAX_ID_DIGITS: Final = 18


def _parse_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_ID_DIGITS):
        raise Invalid.member("after", "must be that of a link to a next page")
    return int(text)


def _group(rows: Iterable[Any], make: Callable[[Any], T]) -> defaultdict[int, list[T]]:
    """Group what rows describe by the id of their owner."""
    grouped: defaultdict[int, list[T]] = defaultdict(list)
    for row in rows:
        grouped[row.owner_id].append(make(row))
    return grouped


# Pacticipants and versions

_PACTICIPANTS: Final = _page_of(
    select(
        pacticipant.c.name,
        pacticipant.c.display_name,
        pacticipant.c.main_branch,
        pacticipant.c.repository_url,
        pacticipant.c.repository_name,
        pacticipant.c.repository_namespace,
        pacticipant.c.comparison_profile,
        pacticipant.c.created_at,
        pacticipant.c.updated_at,
    ),
    pacticipant,
)
_LABELS: Final = (
    select(label.c.pacticipant_id.label("owner_id"), label.c.name)
    .where(label.c.pacticipant_id.in_(bindparam("ids", expanding=True)))
    .order_by(label.c.id)
)


def _read_pacticipants(db: Connection, after: str | None, until: int) -> ExportPage:
    rows = _fetch(db, _PACTICIPANTS, after, until)
    labels = _group(fetch_in_batches(db, _LABELS, [row.id for row in rows]), lambda row: str(row.name))
    return _end(
        ExportKind.PACTICIPANTS, rows, [PacticipantFact(**_without_id(row), labels=labels[row.id]) for row in rows]
    )


def _without_id(row: Any) -> dict[str, Any]:
    values: dict[str, Any] = row._asdict()
    del values["id"]
    return values


_earlier: Final = version.alias("earlier")
_NUMBER_BELOW: Final = (
    select(_earlier.c.number)
    .where(
        _earlier.c.pacticipant_id == version.c.pacticipant_id,
        _earlier.c.position < version.c.position,
        _earlier.c.id <= _UNTIL,
    )
    .order_by(_earlier.c.position.desc())
    .limit(1)
    .correlate(version)
    .scalar_subquery()
)
# In the order of positions, in which an import adds versions. Positions may move up while the pages are read, never
# down: a version may then be on two pages, but none is skipped.
_VERSIONS: Final = (
    select(
        version.c.id,
        version.c.pacticipant_id,
        version.c.position,
        pacticipant.c.name.label("pacticipant"),
        version.c.number,
        version.c.build_url,
        version.c.created_at,
        version.c.updated_at,
        _NUMBER_BELOW.label("above"),
    )
    .join_from(version, pacticipant, pacticipant.c.id == version.c.pacticipant_id)
    .where(
        tuple_(version.c.pacticipant_id, version.c.position)
        > tuple_(bindparam("after_pacticipant", type_=Integer), bindparam("after_position", type_=Integer)),
        version.c.id <= _UNTIL,
    )
    .order_by(version.c.pacticipant_id, version.c.position)
    .limit(_LIMIT)
)
_MEMBERSHIPS: Final = (
    select(
        branch_version.c.version_id.label("owner_id"),
        branch.c.name,
        branch_version.c.created_at,
        (func.coalesce(branch.c.head_version_id, 0) == branch_version.c.version_id).label("is_head"),
        branch.c.created_at.label("branch_created_at"),
        branch.c.updated_at.label("branch_updated_at"),
    )
    .join_from(branch_version, branch, branch.c.id == branch_version.c.branch_id)
    .where(branch_version.c.version_id.in_(bindparam("ids", expanding=True)))
    .order_by(branch_version.c.id)
)
_TAGS: Final = (
    select(tag.c.version_id.label("owner_id"), tag.c.name, tag.c.created_at)
    .where(tag.c.version_id.in_(bindparam("ids", expanding=True)))
    .order_by(tag.c.id)
)


def _read_versions(db: Connection, after: str | None, until: int) -> ExportPage:
    after_pacticipant, _, after_position = (after or "0-0").partition("-")
    start = {"after_pacticipant": _parse_number(after_pacticipant), "after_position": _parse_number(after_position)}
    rows = fetch_rows(db, _VERSIONS, {**start, "until": until, "limit": PAGE_SIZE})
    ids = [row.id for row in rows]
    branches = _group(fetch_in_batches(db, _MEMBERSHIPS, ids), _membership)
    tags = _group(fetch_in_batches(db, _TAGS, ids), lambda row: TagMembership(name=row.name, created_at=row.created_at))
    facts = [
        VersionFact(
            pacticipant=row.pacticipant,
            number=row.number,
            build_url=row.build_url,
            created_at=row.created_at,
            updated_at=row.updated_at,
            above=row.above,
            branches=branches[row.id],
            tags=tags[row.id],
        )
        for row in rows
    ]
    is_last = len(rows) < PAGE_SIZE
    return ExportPage(ExportKind.VERSIONS, facts, None if is_last else f"{rows[-1].pacticipant_id}-{rows[-1].position}")


def _membership(row: Any) -> BranchMembership:
    values: dict[str, Any] = row._asdict()
    del values["owner_id"]
    return BranchMembership(**{**values, "is_head": bool(row.is_head)})


# Pacts and results


def _select_pacts(*, is_current: bool) -> _Rows:
    _, condition = _TABLES[ExportKind.PACTS if is_current else ExportKind.OVERWRITTEN_PACTS]
    return _page_of(PACTS.add_columns(publication.c.content_id).where(condition), publication)


_PACTS: Final = {is_current: _select_pacts(is_current=is_current) for is_current in (True, False)}
_BODIES: Final = select(content.c.id, content.c.body).where(content.c.id.in_(bindparam("ids", expanding=True)))


def _read_pacts(db: Connection, after: str | None, until: int) -> ExportPage:
    return _read_revisions(db, ExportKind.PACTS, after, until)


def _read_overwritten_pacts(db: Connection, after: str | None, until: int) -> ExportPage:
    return _read_revisions(db, ExportKind.OVERWRITTEN_PACTS, after, until)


def _read_revisions(db: Connection, kind: ExportKind, after: str | None, until: int) -> ExportPage:
    is_current = kind is ExportKind.PACTS
    rows = _fetch(db, _PACTS[is_current], after, until)
    facts: list[Fact] = []
    size = 0
    bodies: dict[int, str] = {}
    for start in range(0, len(rows), _BYTES_CHUNK):
        chunk = rows[start : start + _BYTES_CHUNK]
        missing = {row.content_id for row in chunk} - bodies.keys()
        bodies |= {row.id: row.body.decode() for row in fetch_in_batches(db, _BODIES, missing)}
        facts += [_pact_fact(row, bodies[row.content_id], is_current=is_current) for row in chunk]
        size += sum(len(bodies[row.content_id]) for row in chunk)
        if size >= MAX_PAGE_BYTES:
            break
    return _end(kind, rows, facts)


def _pact_fact(row: Any, body: str, *, is_current: bool) -> PactFact:
    return PactFact(
        consumer=row.consumer,
        provider=row.provider,
        version=row.version,
        created_at=row.created_at,
        content=body,
        sha=row.sha,
        is_current=is_current,
        is_stored_text=True,
        marker=f"{row.revision} {row.created_at.isoformat()}" if is_current else "",
    )


_RESULTS: Final = _page_of(
    select(
        CONSUMER.c.name.label("consumer"),
        PROVIDER.c.name.label("provider"),
        content.c.sha,
        verification.c.id.label("number"),
        version.c.number.label("provider_version"),
        verification.c.success,
        verification.c.verified_at,
        verification.c.created_at.label("recorded_at"),
        verification.c.build_url,
        verification.c.is_wip,
        verification.c.was_pending,
        verification.c.selectors.label("metadata"),
        verification.c.tags,
    )
    .select_from(verification)
    .join(content, content.c.id == verification.c.content_id)
    .join(CONSUMER, CONSUMER.c.id == verification.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == verification.c.provider_id)
    .join(version, version.c.id == verification.c.provider_version_id)
    .where(_IS_EXPORTED),
    verification,
)
_DETAILS: Final = select(verification.c.id, verification.c.verified_by, verification.c.test_results).where(
    verification.c.id.in_(bindparam("ids", expanding=True))
)


def _read_results(db: Connection, after: str | None, until: int) -> ExportPage:
    rows = _fetch(db, _RESULTS, after, until)
    facts: list[Fact] = []
    size = 0
    for start in range(0, len(rows), _BYTES_CHUNK):
        chunk = rows[start : start + _BYTES_CHUNK]
        details = {row.id: row for row in fetch_in_batches(db, _DETAILS, [row.id for row in chunk])}
        facts += [_result_fact(row, details[row.id]) for row in chunk]
        size += sum(len(row.test_results or "") for row in details.values())
        if size >= MAX_PAGE_BYTES:
            break
    return _end(ExportKind.RESULTS, rows, facts)


def _result_fact(row: Any, details: Any) -> ResultFact:
    values = _without_id(row)
    tags = orjson.loads(row.tags) if row.tags else []
    return ResultFact(
        **{**values, "tags": tags, "verified_by": details.verified_by, "test_results": details.test_results}
    )


# Contracts of providers

_CONTRACTS: Final = _page_of(
    select(
        pacticipant.c.name.label("provider"),
        version.c.number.label("version"),
        provider_contract.c.name,
        provider_contract.c.content_type,
        provider_contract.c.created_at,
        provider_document.c.specification,
        provider_document.c.id.label("document_id"),
    )
    .select_from(provider_contract)
    .join(version, version.c.id == provider_contract.c.version_id)
    .join(pacticipant, pacticipant.c.id == version.c.pacticipant_id)
    .join(provider_document, provider_document.c.id == provider_contract.c.provider_document_id),
    provider_contract,
)
_SOURCES: Final = select(provider_document.c.id, provider_document.c.source).where(
    provider_document.c.id.in_(bindparam("ids", expanding=True))
)
_SELF_VERIFICATIONS: Final = (
    select(
        self_verification.c.provider_contract_id.label("owner_id"),
        *(
            self_verification.c[name]
            for name in ("success", "content", "content_type", "format", "verifier", "verifier_version", "created_at")
        ),
    )
    .where(self_verification.c.provider_contract_id.in_(bindparam("ids", expanding=True)))
    .order_by(self_verification.c.id)
)


def _read_contracts(db: Connection, after: str | None, until: int) -> ExportPage:
    rows = _fetch(db, _CONTRACTS, after, until)
    facts: list[Fact] = []
    size = 0
    for start in range(0, len(rows), _BYTES_CHUNK):
        chunk = rows[start : start + _BYTES_CHUNK]
        # Versions share documents.
        sources = {row.id: row.source for row in fetch_in_batches(db, _SOURCES, {row.document_id for row in chunk})}
        results = _group(fetch_in_batches(db, _SELF_VERIFICATIONS, [row.id for row in chunk]), _self_verification)
        facts += [_contract_fact(row, sources[row.document_id], results[row.id]) for row in chunk]
        size += sum(len(sources[row.document_id]) for row in chunk)
        if size >= MAX_PAGE_BYTES:
            break
    return _end(ExportKind.PROVIDER_CONTRACTS, rows, facts)


def _contract_fact(row: Any, source: bytes, results: Sequence[ImportedSelfVerification]) -> ProviderContractFact:
    values = _without_id(row)
    del values["document_id"]
    return ProviderContractFact(
        **values, content=b64encode(source).decode(), self_verification=results[-1] if results else None
    )


def _self_verification(row: Any) -> ImportedSelfVerification:
    values: dict[str, Any] = row._asdict()
    del values["owner_id"]
    content = None if row.content is None else b64encode(row.content).decode()
    return ImportedSelfVerification(**{**values, "success": bool(row.success), "content": content})


# Environments, deployments and releases

_ENVIRONMENTS: Final = _page_of(
    select(
        environment.c.uuid,
        environment.c.name,
        environment.c.display_name,
        environment.c.is_production,
        environment.c.contacts,
        environment.c.records_decisions,
        environment.c.allows_first_deployments,
        environment.c.position,
        environment.c.created_at,
        environment.c.updated_at,
    ),
    environment,
)


def _read_environments(db: Connection, after: str | None, until: int) -> ExportPage:
    rows = _fetch(db, _ENVIRONMENTS, after, until)
    return _end(ExportKind.ENVIRONMENTS, rows, [EnvironmentFact(**_without_id(row)) for row in rows])


def _select_periods(table: Any, *columns: Any) -> _Rows:
    statement = (
        select(
            table.c.uuid,
            pacticipant.c.name.label("pacticipant"),
            version.c.number.label("version"),
            environment.c.uuid.label("environment"),
            environment.c.name.label("environment_name"),
            table.c.created_at,
            table.c.lacks_decision,
            *columns,
        )
        .select_from(table)
        .join(pacticipant, pacticipant.c.id == table.c.pacticipant_id)
        .join(version, version.c.id == table.c.version_id)
        .join(environment, environment.c.id == table.c.environment_id)
    )
    return _page_of(statement, table)


_DEPLOYMENTS: Final = _select_periods(
    deployed_version, deployed_version.c.application_instance, deployed_version.c.undeployed_at
)
_RELEASES: Final = _select_periods(released_version, released_version.c.updated_at, released_version.c.support_ended_at)


def _read_deployments(db: Connection, after: str | None, until: int) -> ExportPage:
    rows = _fetch(db, _DEPLOYMENTS, after, until)
    return _end(ExportKind.DEPLOYMENTS, rows, [DeploymentFact(**_without_id(row)) for row in rows])


def _read_releases(db: Connection, after: str | None, until: int) -> ExportPage:
    rows = _fetch(db, _RELEASES, after, until)
    return _end(ExportKind.RELEASES, rows, [ReleaseFact(**_without_id(row)) for row in rows])


_READERS: Final[Mapping[ExportKind, Callable[[Connection, str | None, int], ExportPage]]] = {
    ExportKind.PACTICIPANTS: _read_pacticipants,
    ExportKind.VERSIONS: _read_versions,
    ExportKind.PACTS: _read_pacts,
    ExportKind.OVERWRITTEN_PACTS: _read_overwritten_pacts,
    ExportKind.RESULTS: _read_results,
    ExportKind.PROVIDER_CONTRACTS: _read_contracts,
    ExportKind.ENVIRONMENTS: _read_environments,
    ExportKind.DEPLOYMENTS: _read_deployments,
    ExportKind.RELEASES: _read_releases,
}
