"""Publishing pacts: one at a time, or all of a consumer's version together."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from treaty.actions.versions import versions as version_actions
from treaty.actions.webhooks.events import enqueue_for_contract
from treaty.errors import Conflict, ConflictingContracts, SimilarNames
from treaty.model.audit import Action
from treaty.model.pacticipants.pacticipants import Pacticipant, list_similar_names
from treaty.model.pacts import content as contents
from treaty.model.pacts import notices
from treaty.model.pacts.content import Content, Document, MergeConflict
from treaty.model.pacts.notices import PublicationOutcome, PublishedContract
from treaty.model.pacts.pacts import Contract, ContractBatch
from treaty.model.pacts.text_diff import diff_contents
from treaty.model.versions import Version
from treaty.model.webhooks import events as webhook_events
from treaty.model.webhooks.events import Event
from treaty.model.webhooks.parameters import WebhookContext
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import pacts, publications
from treaty.store.pacts.pacts import PactWithBody
from treaty.store.pacts.publications import PublicationState
from treaty.store.versions import versions

MAX_DIFF_LENGTH: Final = 100_000
"""Steps after which the difference to what is published is left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedContracts:
    """What publishing contracts together came to."""

    version: Version
    is_new: bool
    branch: str | None
    tags: tuple[str, ...]
    contracts: tuple[PublishedContract, ...]


def publish_contracts(
    db: Connection, given: ContractBatch, *, base_url: str, now: datetime, settings: Settings
) -> PublishedContracts:
    """Publish contracts of one version together, and owe webhooks what they asked for.

    Raises ConflictingContracts, before anything is written, when a contract would change what the version has published
    already or a new name is too like another.
    """
    names = {given.pacticipant, *(one.provider for one in given.contracts)}
    known = {one.name: one for one in pacticipants.lock(db, names)}
    before = [publications.load_state(db, one) for one in given.contracts]
    conflicts = [] if settings.allow_dangerous_contract_modification else _changes(db, given.contracts, before)
    slips = _slips(db, _names_in_order(given), known, settings)
    if conflicts or slips:
        raise ConflictingContracts(conflicts, slips)
    known |= _added(db, names - known.keys(), now=now)
    version, is_new = _version(db, known[given.pacticipant], given, now=now, settings=settings)
    context = _context(given, base_url)
    published: list[PublishedContract] = []
    providers: set[str] = set()
    may_have_tags = not is_new or bool(given.tags)
    for one, standing in zip(given.contracts, before, strict=True):
        is_second = one.provider in providers
        providers.add(one.provider)
        prepared = _prepared(db, one, publications.load_state(db, one) if is_second else standing)
        published.append(_publish(db, *prepared, context=context, now=now, may_have_tags=may_have_tags))
    return PublishedContracts(
        version=version, is_new=is_new, branch=given.branch, tags=given.tags, contracts=tuple(published)
    )


def _context(given: ContractBatch, base_url: str) -> WebhookContext:
    known = {
        "base_url": base_url,
        "consumer_version_branch": given.branch,
        "build_url": given.build_url,
        "consumer_version_tags": list(given.tags) or None,
    }
    return {name: value for name, value in known.items() if value is not None}


def _names_in_order(given: ContractBatch) -> list[str]:
    names = (name for one in given.contracts for name in (one.consumer, one.provider))
    return list(dict.fromkeys((*names, given.pacticipant)))


def _added(db: Connection, names: Collection[str], *, now: datetime) -> dict[str, Pacticipant]:
    return version_actions.ensure_pacticipants(db, names, now=now) if names else {}


def _changes(
    db: Connection, contracts: Sequence[Contract], before: Sequence[PublicationState]
) -> list[tuple[str, str]]:
    """Tell what would change: what the version has published, or another contract of the same request."""
    found = []
    earlier: dict[str, Content] = {}
    for one, standing in zip(contracts, before, strict=True):
        twin = one.content if one.is_merge else earlier.setdefault(one.provider, one.content)
        if (standing.current_sha or twin.sha) != one.content.sha:
            existing = pacts.find(db, one.key)
            found.append(("error", notices.describe_changed_content(one.consumer, one.version, one.provider)))
            found.append(("info", _difference(existing.body if existing else twin.body, one.content.body)))
    return found


class _TooLarge(Exception):
    """A difference that takes too many steps to work out while others wait to write."""


def _difference(old: bytes, new: bytes) -> str:
    steps = 0

    def go_on() -> None:
        nonlocal steps
        steps += 1
        if steps > MAX_DIFF_LENGTH:
            raise _TooLarge

    try:
        return diff_contents(old, new, check_deadline=go_on)
    except _TooLarge:
        return "The difference is too large to be shown."


def _slips(
    db: Connection, names: Sequence[str], known: dict[str, Pacticipant], settings: Settings
) -> dict[str, list[str]]:
    new = [name for name in names if name not in known]
    if not new or not settings.check_for_potential_duplicate_pacticipant_names:
        return {}
    existing = pacticipants.list_names(db)  # somebody may have added one of them since they were looked for
    return {name: like for name in new if name not in existing and (like := list_similar_names(name, existing))}


def _version(
    db: Connection, pacticipant: Pacticipant, given: ContractBatch, *, now: datetime, settings: Settings
) -> tuple[Version, bool]:
    version, is_new = version_actions.ensure_version(db, pacticipant, given.version, now=now, settings=settings)
    if given.build_url is not None:
        version = replace(version, build_url=given.build_url, updated_at=now)
        versions.set_build_url(db, version)
    if given.branch is not None:
        version_actions.put_on_branch(db, pacticipant, given.branch, given.version, now=now, settings=settings)
    for tag in given.tags:
        version_actions.put_tag(
            db, pacticipant, version, tag, now=now, settings=settings, can_be_branch=given.branch is None
        )
    return version, is_new


def publish_pact(
    db: Connection, contract: Contract, *, base_url: str, now: datetime, settings: Settings
) -> PublishedContract:
    """Publish one pact, in the place of what its version may have published before.

    Raises SimilarNames, and Conflict when the content of a published version would change.
    """
    known = _pair(db, contract, settings)
    before = publications.load_state(db, contract)
    if before.current_sha not in (None, contract.content.sha) and not settings.allow_dangerous_contract_modification:
        raise Conflict(notices.describe_changed_content(contract.consumer, contract.version, contract.provider))
    _ensure(db, contract, known, now=now, settings=settings)
    return _publish(db, contract, before, context={"base_url": base_url}, now=now)


def merge_pact(
    db: Connection, contract: Contract, *, base_url: str, now: datetime, settings: Settings
) -> PublishedContract:
    """Put a pact into what its version has published already.

    Raises SimilarNames, and Conflict without a text when the two contradict each other.
    """
    known = _pair(db, contract, settings)
    existing = pacts.find(db, contract.key)
    merged = _merged(existing, contract, checks_requests=True) if existing else contract
    before = publications.load_state(db, merged)
    _ensure(db, contract, known, now=now, settings=settings)
    return _publish(db, merged, before, context={"base_url": base_url}, now=now)


def _pair(db: Connection, contract: Contract, settings: Settings) -> dict[str, Pacticipant]:
    names = (contract.consumer, contract.provider)
    known = {one.name: one for one in pacticipants.lock(db, set(names))}
    slips = _slips(db, names, known, settings)
    if slips:
        raise SimilarNames(slips)
    return known


def _ensure(
    db: Connection, contract: Contract, known: dict[str, Pacticipant], *, now: datetime, settings: Settings
) -> None:
    known |= _added(db, {contract.consumer, contract.provider} - known.keys(), now=now)
    version_actions.ensure_version(db, known[contract.consumer], contract.version, now=now, settings=settings)


def _merged(existing: PactWithBody, contract: Contract, *, checks_requests: bool) -> Contract:
    old = contents.parse_document(existing.body)
    ours = Document({**contract.document.tree}, contract.document.is_plain)
    try:
        merged = contents.merge_documents(contents.remove_broker_ids(old), ours, checks_requests=checks_requests)
    except MergeConflict as error:
        raise Conflict from error
    return replace(contract, document=merged, content=contents.build_content(merged), is_merge=True)


def _publish(
    db: Connection,
    contract: Contract,
    before: PublicationState,
    *,
    context: WebhookContext,
    now: datetime,
    may_have_tags: bool = True,
) -> PublishedContract:
    """Store a contract and say what it amounts to."""
    is_changed = before.current_sha != contract.content.sha
    if is_changed:
        publications.add(db, contract, before, now=now)
    else:
        publications.touch(db, contract.consumer, contract.provider, now=now)
    _note(db, contract, before, context)
    required = webhook_events.group_by_version(publications.list_required_verifications(db, contract))
    events = _events(db, contract, before, requires_verification=bool(required), may_have_tags=may_have_tags)
    triggered = (
        enqueue_for_contract(db, contract, events, required, context=context, now=now) if before.has_webhooks else ()
    )
    return PublishedContract(
        consumer=contract.consumer,
        version=contract.version,
        provider=contract.provider,
        outcome=_outcome(contract, before, is_changed=is_changed),
        events=tuple(events),
        triggered=tuple(triggered),
        has_webhooks=before.has_webhooks,
        is_verified=before.is_verified,
    )


def _note(db: Connection, contract: Contract, before: PublicationState, context: WebhookContext) -> None:
    """Name what was published; its content is found by its hash."""
    branch, tags = context.get("consumer_version_branch"), context.get("consumer_version_tags")
    old, new = before.current_sha, contract.content.sha
    audit.record(
        db,
        Action.PACT_PUBLICATION,
        resource=contract.consumer,
        other=contract.provider,
        params={"version": contract.version},
        before={"sha": old} if old is not None and old != new else {},
        after={"sha": new, **({"branch": branch} if branch else {}), **({"tags": tags} if tags else {})},
    )


def _prepared(db: Connection, contract: Contract, before: PublicationState) -> tuple[Contract, PublicationState]:
    existing = pacts.find(db, contract.key) if contract.is_merge and before.current_sha is not None else None
    if existing is None:
        return contract, before
    merged = _merged(existing, contract, checks_requests=False)
    return merged, publications.load_state(db, merged)


def _outcome(contract: Contract, before: PublicationState, *, is_changed: bool) -> PublicationOutcome:
    if before.current_sha is None:
        return PublicationOutcome.NEW
    if contract.is_merge:
        return PublicationOutcome.MERGED
    return PublicationOutcome.CHANGED if is_changed else PublicationOutcome.SAME


def _events(
    db: Connection,
    contract: Contract,
    before: PublicationState,
    *,
    requires_verification: bool,
    may_have_tags: bool,
) -> list[Event]:
    if before.current_sha is not None:
        is_changed = before.current_sha != contract.content.sha
        return webhook_events.list_republication_events(
            contract.consumer, contract.version, is_changed=is_changed, requires_verification=requires_verification
        )
    earlier = publications.list_earlier_contents(db, contract, may_have_tags=may_have_tags)
    return webhook_events.list_first_publication_events(
        contract.content.sha, earlier, requires_verification=requires_verification
    )
