"""Publication of pacts: one at a time, or all pacts of a consumer version together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from treaty.actions.pacts.merging import merge_contract
from treaty.actions.usage import index_published
from treaty.actions.versions.versions import (
    check_not_renamed,
    ensure_pacticipants,
    ensure_version,
    save_build,
)
from treaty.actions.webhooks.event_log import record_contract_events
from treaty.actions.webhooks.events import enqueue_for_contract
from treaty.errors import Conflict, ConflictingContracts, SimilarNames, describe_renaming
from treaty.model.audit import Action
from treaty.model.pacticipants.pacticipants import Pacticipant, list_similar_names
from treaty.model.pacts.content import Content
from treaty.model.pacts.merging import MergeConflict
from treaty.model.pacts.notices import (
    PublicationOutcome,
    PublishedContract,
    describe_changed_content,
    describe_merge_conflict,
)
from treaty.model.pacts.pacts import Contract, ContractBatch
from treaty.model.pacts.text_diff import diff_contents
from treaty.model.versions import Version
from treaty.model.webhooks.events import (
    Event,
    RequiredVerification,
    group_by_version,
    list_first_publication_events,
    list_republication_events,
)
from treaty.model.webhooks.parameters import WebhookContext
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine.database import pipelined
from treaty.store.pacticipants import former_names, pacticipants
from treaty.store.pacts import pacts, publications
from treaty.store.pacts.publications import PublicationKey, PublicationState
from treaty.store.provider_contracts import comparisons
from treaty.store.usage.contents import ContentKey

MAX_DIFF_STEPS: Final = 100_000
"""Values compared or printed before the difference to the published pact is left out of an error."""


MAX_DIFFERENCES: Final = 10
"""Notices about conflicts after which no difference is computed: other writers wait meanwhile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedContracts:
    """Result of `publish_contracts`."""

    version: Version
    is_new: bool
    branch: str | None
    tags: tuple[str, ...]
    contracts: tuple[PublishedContract, ...]


def publish_contracts(
    db: Connection, batch: ContractBatch, *, base_url: str, now: datetime, settings: Settings
) -> PublishedContracts:
    """Publish contracts of one version together, and enqueue the webhooks of their events.

    Raises ConflictingContracts if a contract would change a pact that the version has already published, if it cannot
    be merged into it, if a new name is very similar to an existing one, or if a name is a former one. The transaction
    then has to be rolled back.
    """
    names = {batch.pacticipant, *(contract.provider for contract in batch.contracts)}
    locked = _lock(db, names)
    with pipelined(db):
        return _publish_batch(db, batch, names, locked, base_url=base_url, now=now, settings=settings)


def _publish_batch(  # noqa: PLR0913 - the batch with its pacticipants, and the settings
    db: Connection,
    batch: ContractBatch,
    names: set[str],
    locked: dict[str, Pacticipant],
    *,
    base_url: str,
    now: datetime,
    settings: Settings,
) -> PublishedContracts:
    missing_names = names - locked.keys()
    check_names_in_use(db, missing_names)
    states = publications.load_states(db, batch.contracts)
    conflicts = [] if settings.allow_dangerous_contract_modification else _conflicts(db, batch.contracts, states)
    similar_names = (
        {} if batch.allows_similar_names else find_similar_names(db, _names_in_order(batch), locked, settings)
    )
    if conflicts or similar_names:
        raise ConflictingContracts(conflicts, similar_names)
    if missing_names:
        locked = locked | _add_missing(db, missing_names, now=now)
        states = publications.load_states(db, batch.contracts)  # now with the ids of all pacticipants
    version, is_new = save_build(db, locked[batch.pacticipant], batch, now=now, settings=settings)
    context = _webhook_context(batch, base_url)
    # A new version has no tags but those of this request, so without them the store can skip a query.
    may_have_tags = not is_new or bool(batch.tags)
    published: list[PublishedContract] = []
    for number, contracts in enumerate(_split_at_repeated_providers(batch.contracts)):
        if number:
            # The first contract with a provider has changed the state that was loaded before.
            states = publications.load_states(db, contracts)
        mergeable: list[tuple[Contract, PublicationState]] = []
        # The states of the batch begin with those of its first part.
        for contract, state in zip(contracts, states[: len(contracts)], strict=True):
            try:
                mergeable.append(_merge_if_requested(db, contract, state))
            except MergeConflict as conflict:
                conflicts += _describe_conflict(contract, conflict, has_difference=len(conflicts) < MAX_DIFFERENCES)
        published += _publish(db, mergeable, context=context, now=now, may_have_tags=may_have_tags)
    if conflicts:
        raise ConflictingContracts(conflicts, {})
    return PublishedContracts(
        version=version, is_new=is_new, branch=batch.branch, tags=batch.tags, contracts=tuple(published)
    )


def _split_at_repeated_providers(contracts: Sequence[Contract]) -> list[list[Contract]]:
    """Split contracts into parts whose providers are different, so that none changes the state of another one."""
    parts: list[list[Contract]] = [[]]
    for contract in contracts:
        if any(contract.provider == other.provider for other in parts[-1]):
            parts.append([])
        parts[-1].append(contract)
    return parts


def check_names_in_use(db: Connection, missing: Collection[str]) -> None:
    """Raise ConflictingContracts, whose notices clients print, if missing names are former names."""
    renamed = sorted(former_names.find_current_names(db, missing).items())
    if renamed:
        raise ConflictingContracts([("error", describe_renaming(former, name)) for former, name in renamed], {})


def _merge_if_requested(
    db: Connection, contract: Contract, state: PublicationState
) -> tuple[Contract, PublicationState]:
    """Merge a contract into the pact of its version; return it with its state. Raises MergeConflict."""
    if not contract.is_merge or state.current_sha is None:
        return contract, state
    merged = merge_contract(db, contract)
    return merged, publications.load_state(db, merged)


def _describe_conflict(
    contract: Contract, conflict: MergeConflict, *, has_difference: bool = True
) -> list[tuple[str, str]]:
    text = describe_merge_conflict(contract.consumer, contract.version, contract.provider, str(conflict))
    difference = conflict.difference if has_difference else ""
    return [("error", text), *([("info", difference)] if difference else [])]


def _lock(db: Connection, names: Collection[str]) -> dict[str, Pacticipant]:
    # The lock comes before all reads, so that two builds cannot both decide on a state that the other one changes.
    # The statement locks in the order of names: builds that publish for the same pacticipants cannot deadlock.
    return {pacticipant.name: pacticipant for pacticipant in pacticipants.lock(db, names)}


def _webhook_context(batch: ContractBatch, base_url: str) -> WebhookContext:
    values = {
        "base_url": base_url,
        "consumer_version_branch": batch.branch,
        "build_url": batch.build_url,
        "consumer_version_tags": list(batch.tags) or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _names_in_order(batch: ContractBatch) -> list[str]:
    # The order of the notices about similar names.
    names = (name for contract in batch.contracts for name in (contract.consumer, contract.provider))
    return list(dict.fromkeys((*names, batch.pacticipant)))


def _add_missing(db: Connection, names: Collection[str], *, now: datetime) -> dict[str, Pacticipant]:
    return ensure_pacticipants(db, names, now=now) if names else {}


def _conflicts(
    db: Connection, contracts: Sequence[Contract], states: Sequence[PublicationState]
) -> list[tuple[str, str]]:
    """List (notice type, text) for contracts that would replace a published pact or another contract of the request.

    Contracts to merge replace nothing: whether they fit is known once they are merged.
    """
    conflicts = []
    first_contents: dict[str, Content] = {}
    for contract, state in zip(contracts, states, strict=True):
        if contract.is_merge:
            continue
        new = contract.content
        first = first_contents.setdefault(contract.provider, new)
        if (state.current_sha or first.sha) != new.sha:
            existing_pact = pacts.find(db, contract.key)
            text = describe_changed_content(contract.consumer, contract.version, contract.provider)
            old_body = existing_pact.body if existing_pact else first.body
            conflicts += [("error", text), ("info", _describe_difference(old_body, new.body))]
    return conflicts


class _TooManySteps(Exception):
    """Raised to abandon a diff that would delay other writers for too long."""


def _describe_difference(old: bytes, new: bytes) -> str:
    # The limit counts steps rather than time, because actions must not read the clock.
    steps = 0

    def count_step() -> None:
        nonlocal steps
        steps += 1
        if steps > MAX_DIFF_STEPS:
            raise _TooManySteps

    try:
        return diff_contents(old, new, check_deadline=count_step)
    except _TooManySteps:
        return "The difference is too large to be shown."


def find_similar_names(
    db: Connection, names: Sequence[str], locked: dict[str, Pacticipant], settings: Settings
) -> dict[str, list[str]]:
    """Find, for each new name, the existing names that it is probably a misspelling of."""
    new_names = [name for name in names if name not in locked]
    if not new_names or not settings.check_for_potential_duplicate_pacticipant_names:
        return {}
    existing = pacticipants.list_names(db)
    similar = {}
    for name in new_names:
        # Another build may have added the pacticipant since the lock; then it is not new any more.
        if name not in existing and (similar_names := list_similar_names(name, existing)):
            similar[name] = similar_names
    return similar


def publish_pact(
    db: Connection, contract: Contract, *, base_url: str, now: datetime, settings: Settings
) -> PublishedContract:
    """Publish one pact, replacing the pact that its version may have published before.

    Raises Renamed, SimilarNames, and Conflict if the content of a published version would change.
    """
    locked = _lock_pair(db, contract, settings)
    _ensure_version(db, contract, locked, now=now, settings=settings)
    state = publications.load_state(db, contract)
    if state.current_sha not in (None, contract.content.sha) and not settings.allow_dangerous_contract_modification:
        raise Conflict(describe_changed_content(contract.consumer, contract.version, contract.provider))
    return _publish_alone(db, contract, state, base_url=base_url, now=now)


def merge_pact(
    db: Connection, contract: Contract, *, base_url: str, now: datetime, settings: Settings
) -> PublishedContract:
    """Merge a pact into the pact that its version has already published.

    Raises Renamed, SimilarNames, and Conflict if the two contradict each other.
    """
    locked = _lock_pair(db, contract, settings)
    try:
        merged = merge_contract(db, contract)
    except MergeConflict as conflict:
        texts = [text for _, text in _describe_conflict(contract, conflict)]
        raise Conflict("\n\n".join(texts)) from conflict
    _ensure_version(db, contract, locked, now=now, settings=settings)
    state = publications.load_state(db, merged)
    return _publish_alone(db, merged, state, base_url=base_url, now=now)


def _lock_pair(db: Connection, contract: Contract, settings: Settings) -> dict[str, Pacticipant]:
    names = (contract.consumer, contract.provider)
    locked = _lock(db, set(names))
    check_not_renamed(db, set(names) - locked.keys())
    similar_names = {} if contract.allows_similar_names else find_similar_names(db, names, locked, settings)
    if similar_names:
        raise SimilarNames(similar_names)
    return locked


def _ensure_version(
    db: Connection, contract: Contract, locked: dict[str, Pacticipant], *, now: datetime, settings: Settings
) -> None:
    consumers = locked | _add_missing(db, {contract.consumer, contract.provider} - locked.keys(), now=now)
    ensure_version(db, consumers[contract.consumer], contract.version, now=now, settings=settings)


def _publish_alone(
    db: Connection, contract: Contract, state: PublicationState, *, base_url: str, now: datetime
) -> PublishedContract:
    with pipelined(db):
        return _publish(db, [(contract, state)], context={"base_url": base_url}, now=now)[0]


def _publish(
    db: Connection,
    contracts: Sequence[tuple[Contract, PublicationState]],
    *,
    context: WebhookContext,
    now: datetime,
    may_have_tags: bool = True,
) -> list[PublishedContract]:
    """Store contracts of a version, and enqueue their webhooks. Each has the state before the publication.

    Their providers are different. Statements for several contracts run together, since each round trip to PostgreSQL
    takes longer than a statement.
    """
    keys = publications.ensure_contents(db, contracts, now=now)
    not_indexed = _store(db, contracts, keys, context=context, now=now)
    required = [group_by_version(requirements) for requirements in publications.list_required_verifications(db, keys)]
    events = _list_events(db, contracts, keys, required, may_have_tags=may_have_tags)
    published = []
    for (contract, state), own_required, own_events in zip(contracts, required, events, strict=True):
        record_contract_events(db, contract, own_events, own_required, context=context, now=now)
        triggered = (
            enqueue_for_contract(db, contract, own_events, own_required, context=context, now=now)
            if state.has_webhooks
            else ()
        )
        published.append(
            PublishedContract(
                consumer=contract.consumer,
                version=contract.version,
                provider=contract.provider,
                outcome=_decide_outcome(contract, state),
                events=tuple(own_events),
                triggered=tuple(triggered),
                has_webhooks=state.has_webhooks,
                is_verified=state.is_verified,
                is_indexed=contract.provider not in not_indexed,
                is_compared=state.has_provider_contracts,
            )
        )
    return published


def _store(
    db: Connection,
    contracts: Sequence[tuple[Contract, PublicationState]],
    keys: Sequence[PublicationKey],
    *,
    context: WebhookContext,
    now: datetime,
) -> set[str]:
    """Store publications, and return the providers of those whose new content is too large to be indexed at once."""
    new_contents: dict[ContentKey, Contract] = {}
    for (contract, state), key in zip(contracts, keys, strict=True):
        if state.current_sha != contract.content.sha:
            publications.add(db, key, state, now=now)
        else:
            publications.touch(db, contract.consumer, contract.provider, now=now)
        if key.has_new_content:
            new_contents[ContentKey(key.content_id, key.consumer_id, key.provider_id)] = contract
        if state.has_provider_contracts:
            comparisons.enqueue_for_content(
                *(db, contract.consumer, contract.provider, contract.content.sha),
                base_url=context["base_url"],
                now=now,
            )
        _record_audit(db, contract, state, context)
    indexed = index_published(db, new_contents)
    return {contract.provider for key, contract in new_contents.items() if key not in indexed}


def _record_audit(db: Connection, contract: Contract, state: PublicationState, context: WebhookContext) -> None:
    # The event names the content by its hash only: pacts are large, and the hash is enough to find the content.
    branch, tags = context.get("consumer_version_branch"), context.get("consumer_version_tags")
    old_sha, new_sha = state.current_sha, contract.content.sha
    audit.record(
        db,
        Action.PACT_PUBLICATION,
        resource=contract.consumer,
        other=contract.provider,
        params={"version": contract.version},
        before={"sha": old_sha} if old_sha is not None and old_sha != new_sha else {},
        after={"sha": new_sha, **({"branch": branch} if branch else {}), **({"tags": tags} if tags else {})},
    )


def _decide_outcome(contract: Contract, state: PublicationState) -> PublicationOutcome:
    if state.current_sha is None:
        return PublicationOutcome.NEW
    if contract.is_merge:
        return PublicationOutcome.MERGED
    is_changed = state.current_sha != contract.content.sha
    return PublicationOutcome.CHANGED if is_changed else PublicationOutcome.SAME


def _list_events(
    db: Connection,
    contracts: Sequence[tuple[Contract, PublicationState]],
    keys: Sequence[PublicationKey],
    required: Sequence[Sequence[RequiredVerification]],
    *,
    may_have_tags: bool,
) -> list[list[Event]]:
    """List the events of each contract."""
    first = [key for (_, state), key in zip(contracts, keys, strict=True) if state.current_sha is None]
    earlier_contents = iter(publications.list_earlier_contents(db, first, may_have_tags=may_have_tags))
    events = []
    for (contract, state), own_required in zip(contracts, required, strict=True):
        requires_verification, sha = bool(own_required), contract.content.sha
        if state.current_sha is None:
            events.append(
                list_first_publication_events(sha, next(earlier_contents), requires_verification=requires_verification)
            )
        else:
            events.append(
                list_republication_events(
                    contract.consumer,
                    contract.version,
                    is_changed=state.current_sha != sha,
                    requires_verification=requires_verification,
                )
            )
    return events
