"""Documents, contracts and self-verifications of provider versions.

A document is stored once for each provider and hash. The hash of a version's set of documents and the outcome of its
self-verifications are denormalized into the version, so that decisions see at once which versions have a contract.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, and_, bindparam, delete, exists, func, insert, select, union, update

from treaty.model.provider_contracts.contracts import (
    NewContract,
    NewSelfVerification,
    ProviderContract,
    SelfVerification,
    combine_successes,
    hash_documents,
)
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import execute, fetch_column, fetch_first, fetch_rows, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.tables import (
    comparison,
    content,
    pacticipant,
    provider_contract,
    provider_document,
    self_verification,
    version,
)
from treaty.store.usage import documents

_PROVIDER_ID: Final = select_pacticipant_id("provider")
_IS_VERSION: Final = and_(version.c.pacticipant_id == _PROVIDER_ID, version.c.number == bindparam("version"))
VERSION_ID: Final = select(version.c.id).where(_IS_VERSION).scalar_subquery()
_DOCUMENT_ID: Final = (
    select(provider_document.c.id)
    .where(provider_document.c.provider_id == _PROVIDER_ID, provider_document.c.sha == bindparam("sha"))
    .scalar_subquery()
)
_CONTRACT_ID: Final = (
    select(provider_contract.c.id)
    .where(provider_contract.c.version_id == VERSION_ID, provider_contract.c.name == bindparam("name"))
    .scalar_subquery()
)

# Publication

_SHAS: Final = (
    select(provider_contract.c.name, provider_document.c.sha)
    .join_from(provider_contract, provider_document)
    .where(provider_contract.c.version_id == VERSION_ID)
)
_FIND_DOCUMENT: Final = select(_DOCUMENT_ID)
_DOCUMENT_KEY: Final = select(_DOCUMENT_ID, _PROVIDER_ID)
_ADD_DOCUMENT: Final = insert(provider_document).values(
    provider_id=_PROVIDER_ID,
    **{name: bindparam(name) for name in ("sha", "specification", "operations", "created_at", "source", "body")},
)
_ADD_CONTRACT: Final = insert(provider_contract).values(
    version_id=VERSION_ID,
    provider_document_id=_DOCUMENT_ID,
    **{name: bindparam(name) for name in ("name", "content_type", "created_at")},
)
_ADD_SELF_VERIFICATION: Final = insert(self_verification).values(
    provider_contract_id=_CONTRACT_ID,
    **{
        name: bindparam(name)
        for name in (
            *("success", "content", "content_type", "format", "verifier", "verifier_version", "report", "created_at"),
        )
    },
)


def load_shas(db: Connection, provider: str, version: str) -> dict[str, str]:
    """Load the hashes of the documents that a provider version has, by the names of its contracts."""
    rows = fetch_rows(db, _SHAS, {"provider": provider, "version": version})
    return {row.name: row.sha for row in rows}


def add(db: Connection, provider: str, version: str, new: NewContract, *, now: datetime) -> None:
    """Add a contract to a provider version, and its document unless the provider has it already."""
    names = {"provider": provider, "version": version, "sha": new.sha}
    if fetch_scalar(db, _FIND_DOCUMENT, names) is None:
        values = {
            "specification": new.specification,
            "operations": orjson.dumps(list(new.operations)).decode(),
            "source": new.source,
            "body": new.body,
            "created_at": now,
        }
        execute(db, _ADD_DOCUMENT, {**names, **values})
        document_id, provider_id = fetch_first(db, _DOCUMENT_KEY, names)
        documents.add(db, document_id, provider_id, new.index)
    execute(db, _ADD_CONTRACT, {**names, "name": new.name, "content_type": new.content_type, "created_at": now})


_NEWEST_RESULT_TIME: Final = select(func.max(self_verification.c.created_at)).where(
    self_verification.c.provider_contract_id == _CONTRACT_ID
)


def find_newest_self_verification(db: Connection, provider: str, version: str, name: str) -> datetime | None:
    """Find when the newest self-verification of a contract was recorded."""
    names = {"provider": provider, "version": version, "name": name}
    newest: datetime | None = fetch_scalar(db, _NEWEST_RESULT_TIME, names)
    return newest


def add_self_verification(
    db: Connection, provider: str, version: str, name: str, new: NewSelfVerification, *, now: datetime
) -> None:
    """Add a self-verification of a contract; it is the newest one."""
    names = {"provider": provider, "version": version, "name": name}
    values = {field: getattr(new, field) for field in NewSelfVerification.__slots__}
    execute(db, _ADD_SELF_VERIFICATION, {**values, **names, "created_at": now})


class VersionState(NamedTuple):
    """The denormalized state of a provider version's contracts."""

    documents_sha: str | None
    is_self_verified: bool | None


_candidate: Final = self_verification.alias("candidate")
NEWEST_SELF_VERIFICATION: Final = (
    select(_candidate.c.id)
    .where(_candidate.c.provider_contract_id == provider_contract.c.id)
    .order_by(_candidate.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_WITH_NEWEST: Final = (
    select(provider_document.c.sha, self_verification.c.success)
    .select_from(provider_contract)
    .join(provider_document, provider_document.c.id == provider_contract.c.provider_document_id)
    .outerjoin(self_verification, self_verification.c.id == NEWEST_SELF_VERIFICATION)
    .where(provider_contract.c.version_id == VERSION_ID)
)
_SET_STATE: Final = (
    update(version)
    .where(_IS_VERSION)
    .values(documents_sha=bindparam("documents_sha"), is_self_verified=bindparam("is_self_verified"))
)
_STATE: Final = select(version.c.documents_sha, version.c.is_self_verified).where(_IS_VERSION)


def update_state(db: Connection, provider: str, version: str) -> VersionState:
    """Recompute the denormalized columns of a provider version, and return them."""
    params = {"provider": provider, "version": version}
    rows = fetch_rows(db, _WITH_NEWEST, params)
    sha = hash_documents(row.sha for row in rows) if rows else None
    state = VersionState(sha, combine_successes(row.success for row in rows))
    execute(db, _SET_STATE, {**params, **state._asdict()})
    return state


def load_state(db: Connection, provider: str, version: str) -> VersionState:
    """Load the denormalized state of a provider version; a missing version has no contract."""
    row = fetch_first(db, _STATE, {"provider": provider, "version": version})
    return VersionState(None, None) if row is None else VersionState(row.documents_sha, row.is_self_verified)


# Retrieval

_CONTRACTS: Final = (
    select(
        provider_contract.c.name,
        provider_contract.c.content_type,
        provider_contract.c.created_at,
        provider_document.c.sha,
        provider_document.c.specification,
        provider_document.c.operations,
        provider_document.c.source,
        *(
            self_verification.c[name].label(f"result_{name}")
            for name in ("success", "content", "content_type", "format", "verifier", "verifier_version", "created_at")
        ),
    )
    .select_from(provider_contract)
    .join(provider_document, provider_document.c.id == provider_contract.c.provider_document_id)
    .outerjoin(self_verification, self_verification.c.id == NEWEST_SELF_VERIFICATION)
    .where(provider_contract.c.version_id == VERSION_ID)
    .order_by(provider_contract.c.name)
)


def list_of_version(db: Connection, provider: str, version: str) -> list[ProviderContract]:
    """List the contracts of a provider version by their names, each with its newest self-verification."""
    rows = fetch_rows(db, _CONTRACTS, {"provider": provider, "version": version})
    return [_build_contract(row._asdict()) for row in rows]


def _build_contract(row: Mapping[str, Any]) -> ProviderContract:
    result = {name.removeprefix("result_"): value for name, value in row.items() if name.startswith("result_")}
    own = {name: value for name, value in row.items() if not name.startswith("result_")}
    return ProviderContract(
        **{**own, "operations": orjson.loads(own["operations"])},
        self_verification=None if result["success"] is None else SelfVerification(**result),
    )


_BODIES: Final = (
    select(provider_contract.c.name, provider_document.c.specification, provider_document.c.body)
    .join_from(provider_contract, provider_document)
    .where(provider_contract.c.version_id == VERSION_ID)
    .order_by(provider_contract.c.name)
)


_SIZE_OF_BODIES: Final = (
    select(func.coalesce(func.sum(func.length(provider_document.c.body)), 0))
    .select_from(provider_contract)
    .join(provider_document, provider_document.c.id == provider_contract.c.provider_document_id)
    .where(provider_contract.c.version_id == VERSION_ID)
)


def measure_bodies(db: Connection, provider: str, version: str) -> int:
    """Measure the documents of a provider version, in bytes."""
    return int(fetch_scalar(db, _SIZE_OF_BODIES, {"provider": provider, "version": version}))


class DocumentBody(NamedTuple):
    """A document of a contract, as JSON."""

    name: str
    specification: str
    body: bytes


def load_bodies(db: Connection, provider: str, version: str) -> Sequence[DocumentBody]:
    """Load the documents of a provider version."""
    rows = fetch_rows(db, _BODIES, {"provider": provider, "version": version})
    return [DocumentBody(*row) for row in rows]


_HAS_CONTRACT: Final = and_(version.c.pacticipant_id == _PROVIDER_ID, version.c.documents_sha.is_not(None))
_NEWEST_WITH_CONTRACT: Final = (
    select(version.c.number).where(_HAS_CONTRACT).order_by(version.c.position.desc()).limit(1)
)
_WITH_CONTRACT: Final = select(version.c.number).where(
    _HAS_CONTRACT, version.c.number.in_(bindparam("numbers", expanding=True))
)


def find_newest_version(db: Connection, provider: str) -> str | None:
    """Find the newest version of a provider that has a contract."""
    number: str | None = fetch_scalar(db, _NEWEST_WITH_CONTRACT, {"provider": provider})
    return number


def list_versions_with_contract(db: Connection, provider: str, numbers: Sequence[str]) -> set[str]:
    """List those of a provider's versions that have a contract."""
    rows = fetch_in_batches(db, _WITH_CONTRACT, numbers, {"provider": provider}, parameter="numbers")
    return {row.number for row in rows}


# Clean-up

_IS_UNUSED_DOCUMENT: Final = ~exists().where(provider_contract.c.provider_document_id == provider_document.c.id)
_IS_UNUSED_COMPARISON: Final = ~exists().where(
    version.c.pacticipant_id == content.c.provider_id, version.c.documents_sha == comparison.c.documents_sha
)
_UNUSED_COMPARISONS: Final = (
    select(comparison.c.id).join(content, content.c.id == comparison.c.content_id).where(_IS_UNUSED_COMPARISON)
)
_PROVIDERS_WITH_UNUSED: Final = union(
    select(pacticipant.c.name)
    .join(provider_document, provider_document.c.provider_id == pacticipant.c.id)
    .where(_IS_UNUSED_DOCUMENT),
    select(pacticipant.c.name)
    .join(content, content.c.provider_id == pacticipant.c.id)
    .join(comparison, comparison.c.content_id == content.c.id)
    .where(_IS_UNUSED_COMPARISON),
)
_REMOVE_DOCUMENTS: Final = delete(provider_document).where(
    provider_document.c.provider_id == _PROVIDER_ID, _IS_UNUSED_DOCUMENT
)
_REMOVE_COMPARISONS: Final = delete(comparison).where(
    comparison.c.id.in_(_UNUSED_COMPARISONS.where(content.c.provider_id == _PROVIDER_ID))
)


def list_providers_with_unused(db: Connection) -> list[str]:
    """List the providers with documents, or comparisons with documents, that no version has any more."""
    return fetch_column(db, _PROVIDERS_WITH_UNUSED, {})


def remove_unused(db: Connection, provider: str) -> int:
    """Remove the unused documents and comparisons of a provider, which must be locked; return their number.

    No result refers to these comparisons: a result is removed together with the version it is about.
    """
    params = {"provider": provider}
    return execute(db, _REMOVE_DOCUMENTS, params) + execute(db, _REMOVE_COMPARISONS, params)
