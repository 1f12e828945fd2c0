"""Loads which operations of a provider version are used by consumers, and which its self-verification has exercised."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import orjson
from sqlalchemy import Connection, bindparam, select

from treaty.model.provider_contracts.contracts import Specification
from treaty.model.provider_contracts.coverage import Coverage, OperationUse, OutlinedContract, compute_coverage
from treaty.model.provider_contracts.outline import DocumentOperation, outline_document
from treaty.model.provider_contracts.shown_operations import ShownOperations, load_shown, read_shown
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_rows, fetch_scalar
from treaty.store.provider_contracts.contracts import NEWEST_SELF_VERIFICATION, VERSION_ID
from treaty.store.tables import (
    provider_contract,
    provider_document,
    self_verification,
    usage_content,
    usage_interaction,
    usage_occurrence,
    usage_term,
    verification,
)
from treaty.store.usage.pacts import PactsOfProvider, list_in_use, load_basis

_CONTRACTS: Final = (
    select(
        provider_contract.c.name,
        provider_document.c.specification,
        provider_document.c.id.label("document_id"),
        self_verification.c.id.label("result_id"),
        self_verification.c.success,
        self_verification.c.verifier,
        self_verification.c.format,
        self_verification.c.content_type,
        self_verification.c.report,
    )
    .select_from(provider_contract)
    .join(provider_document, provider_document.c.id == provider_contract.c.provider_document_id)
    .outerjoin(self_verification, self_verification.c.id == NEWEST_SELF_VERIFICATION)
    .where(provider_contract.c.version_id == VERSION_ID)
    .order_by(provider_contract.c.name)
)
_BODY: Final = select(provider_document.c.body).where(provider_document.c.id == bindparam("document_id"))
_CONTENT: Final = select(self_verification.c.content).where(self_verification.c.id == bindparam("result_id"))
_INTERACTIONS: Final = select(usage_content.c.interactions).where(
    usage_content.c.content_id.in_(bindparam("ids", expanding=True))
)
_OPERATIONS: Final = (
    select(usage_occurrence.c.content_id, usage_term.c.place, usage_term.c.name)
    .join_from(usage_occurrence, usage_interaction, usage_interaction.c.id == usage_occurrence.c.interaction_id)
    .join(usage_term, usage_term.c.id == usage_interaction.c.operation_id)
    .where(usage_occurrence.c.content_id.in_(bindparam("ids", expanding=True)))
    .distinct()
)
_VERIFIED: Final = select(verification.c.content_id, verification.c.success).where(
    verification.c.content_id.in_(bindparam("ids", expanding=True)),
    verification.c.provider_version_id == VERSION_ID,
    verification.c.is_latest,
    verification.c.comparison_id.is_(None),
)


def load(db: Connection, provider: str, version: str, *, max_interactions: int | None = None) -> Coverage | None:
    """Load the coverage of a provider version; None if it has no contract.

    If the pacts in use have more than `max_interactions`, consumers are left out.
    """
    names = {"provider": provider, "version": version}
    rows = fetch_rows(db, _CONTRACTS, names)
    if not rows:
        return None
    in_use = list_in_use(db, provider)
    has_uses = max_interactions is None or _count_interactions(db, in_use) <= max_interactions
    return compute_coverage(
        provider=provider,
        version=version,
        contracts=[_load_contract(db, row) for row in rows],
        uses=_load_uses(db, in_use, names) if has_uses else (),
        is_index_complete=has_uses and load_basis(db, provider, in_use).covers_use,
    )


def _count_interactions(db: Connection, in_use: PactsOfProvider) -> int:
    return sum(row.interactions for row in fetch_in_batches(db, _INTERACTIONS, in_use.content_ids))


def _load_contract(db: Connection, row: Any) -> OutlinedContract:
    body = fetch_scalar(db, _BODY, {"document_id": row.document_id})
    operations = outline_document(row.specification, orjson.loads(body))
    return OutlinedContract(
        name=row.name,
        specification=cast("Specification", row.specification),
        operations=operations,
        success=row.success,
        verifier=row.verifier,
        shown=_load_shown(db, row, operations),
    )


def _load_shown(db: Connection, row: Any, operations: Sequence[DocumentOperation]) -> ShownOperations | None:
    shown = load_shown(row.report)
    if shown is not None or row.result_id is None:
        return shown
    # Published before reports were read, or read by other rules.
    content = fetch_scalar(db, _CONTENT, {"result_id": row.result_id})
    return (
        None if content is None else read_shown(content, operations, hints=(row.verifier, row.format, row.content_type))
    )


def _load_uses(db: Connection, in_use: PactsOfProvider, names: Mapping[str, str]) -> list[OperationUse]:
    """List the operations that the pacts in use expect, for each pact."""
    verified = {row.content_id: row.success for row in fetch_in_batches(db, _VERIFIED, in_use.content_ids, names)}
    consumers: dict[int, str] = {pact.content_id: pact.consumer for pact in in_use.pacts}
    return [
        OperationUse(
            consumer=consumers[row.content_id],
            kind=row.place,
            name=row.name,
            is_verified=verified.get(row.content_id),
        )
        for row in fetch_in_batches(db, _OPERATIONS, in_use.content_ids)
    ]
