"""Publication of the contracts of a provider version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from treaty.actions.pacts.publications import check_names_in_use, find_similar_names
from treaty.actions.provider_contracts.comparisons import refresh_version
from treaty.actions.versions.versions import ensure_pacticipants, save_build
from treaty.errors import ConflictingContracts
from treaty.model.audit import Action
from treaty.model.pacticipants.pacticipants import Pacticipant
from treaty.model.provider_contracts.contracts import NewContract, NewContracts, describe_name
from treaty.model.provider_contracts.notices import ContractOutcome, PublishedProviderContract, describe_conflict
from treaty.model.versions import Version
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.pacticipants import pacticipants
from treaty.store.provider_contracts import comparisons, contracts


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedProviderContracts:
    """Result of `publish_provider_contracts`."""

    version: Version
    is_new: bool
    branch: str | None
    tags: tuple[str, ...]
    contracts: tuple[PublishedProviderContract, ...]
    is_self_verified: bool | None


def publish_provider_contracts(
    db: Connection, new: NewContracts, *, base_url: str, now: datetime, settings: Settings
) -> PublishedProviderContracts:
    """Publish the contracts of a provider version together, and enqueue their comparison with pacts.

    Raises ConflictingContracts if the version has another document under one of the names, if the provider's name is
    new and very similar to an existing one, or if it is a former name. The transaction then has to be rolled back.
    """
    provider = _lock_provider(db, new.provider, now=now, settings=settings)
    existing_shas = contracts.load_shas(db, new.provider, new.version)
    _check_unchanged(new, existing_shas)
    version, is_new = save_build(db, provider, new, now=now, settings=settings)
    for contract in new.contracts:
        _save_contract(db, new, contract, has_contract=contract.name in existing_shas, now=now)
    state = contracts.update_state(db, new.provider, new.version)
    refresh_version(db, new.provider, new.version, base_url=base_url, now=now)
    comparisons.enqueue_for_version(db, new.provider, new.version, base_url=base_url, now=now)
    return PublishedProviderContracts(
        version=version,
        is_new=is_new,
        branch=new.branch,
        tags=new.tags,
        contracts=tuple(_describe(contract, existing_shas) for contract in new.contracts),
        is_self_verified=state.is_self_verified,
    )


def _lock_provider(db: Connection, name: str, *, now: datetime, settings: Settings) -> Pacticipant:
    locked = {pacticipant.name: pacticipant for pacticipant in pacticipants.lock(db, [name])}
    if name not in locked:
        check_names_in_use(db, [name])
        similar_names = find_similar_names(db, [name], locked, settings)
        if similar_names:
            raise ConflictingContracts([], similar_names)
        locked = ensure_pacticipants(db, [name], now=now)
    return locked[name]


def _check_unchanged(new: NewContracts, existing_shas: Mapping[str, str]) -> None:
    """Raise ConflictingContracts if a document of the version would change.

    Decisions about a version may already rest on its document.
    """
    changed = [
        describe_conflict(new.provider, new.version, describe_name(contract.name))
        for contract in new.contracts
        if existing_shas.get(contract.name, contract.sha) != contract.sha
    ]
    if changed:
        raise ConflictingContracts([("error", text) for text in changed], {})


def _save_contract(
    db: Connection, new: NewContracts, contract: NewContract, *, has_contract: bool, now: datetime
) -> None:
    if not has_contract:
        contracts.add(db, new.provider, new.version, contract, now=now)
    result = contract.self_verification
    if result is not None:
        contracts.add_self_verification(db, new.provider, new.version, contract.name, result, now=now)
    audit.record(
        db,
        Action.PROVIDER_CONTRACT_PUBLICATION,
        resource=new.provider,
        params={"version": new.version, **({"contract": contract.name} if contract.name else {})},
        after={
            "sha": contract.sha,
            **({"branch": new.branch} if new.branch else {}),
            **({"tags": new.tags} if new.tags else {}),
            **({"self_verification": result.success} if result else {}),
        },
    )


def _describe(contract: NewContract, existing_shas: Mapping[str, str]) -> PublishedProviderContract:
    outcome = ContractOutcome.SAME if contract.name in existing_shas else ContractOutcome.NEW
    result = contract.self_verification
    return PublishedProviderContract(
        name=contract.name,
        outcome=outcome,
        warnings=tuple(contract.warnings),
        self_verification=None if result is None else result.success,
    )
