"""Loads what deliveries are about: the webhook's request, and the facts for its parameters.

Facts are loaded when a request is built, so that tags and results published right after the event are included. Before
a pact, version or result is removed, the facts of its queued deliveries are stored with them.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    Connection,
    Executable,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)

from treaty.model.webhooks.deliveries import Delivery
from treaty.model.webhooks.events import EventSubject, get_subject
from treaty.model.webhooks.parameters import DeliveryFacts, EventProviderVersion, EventResult
from treaty.model.webhooks.webhooks import EncryptedText, Webhook
from treaty.store.engine.batches import execute_in_batches, fetch_in_batches, split
from treaty.store.engine.database import execute, fetch_first, fetch_rows, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.tables import (
    Time,
    branch,
    branch_version,
    content,
    integration,
    label,
    pacticipant,
    publication,
    tag,
    triggered_webhook,
    verification,
    version,
    webhook,
)
from treaty.store.verifications import NEWEST_FIRST
from treaty.store.versions import versions
from treaty.store.webhooks.webhooks import CONSUMER, PROVIDER, request_from_row

_Names = defaultdict[int, list[str]]
verified_content: Final = content.alias("verified_content")

_LAST_BRANCH: Final = (
    select(branch.c.name)
    .join(branch_version, branch_version.c.branch_id == branch.c.id)
    .where(branch_version.c.version_id == version.c.id)
    .order_by(branch_version.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_PACTS: Final = (
    select(
        publication.c.id.label("publication_id"),
        publication.c.consumer_id,
        publication.c.provider_id,
        publication.c.content_id,
        version.c.id.label("version_id"),
        version.c.number,
        _LAST_BRANCH.label("branch"),
        content.c.sha,
        CONSUMER.c.name.label("consumer"),
        PROVIDER.c.name.label("provider"),
    )
    .select_from(publication)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .join(content, content.c.id == publication.c.content_id)
    .join(CONSUMER, CONSUMER.c.id == publication.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == publication.c.provider_id)
    .where(publication.c.id.in_(bindparam("ids", expanding=True)))
)
_LABELS: Final = (
    select(label.c.pacticipant_id, label.c.name)
    .where(label.c.pacticipant_id.in_(bindparam("ids", expanding=True)))
    .order_by(label.c.name)
)
_TAGS: Final = (
    select(tag.c.version_id, tag.c.name)
    .where(tag.c.version_id.in_(bindparam("ids", expanding=True)))
    .order_by(tag.c.created_at, tag.c.id)
)
_RESULTS: Final = (
    select(
        verification.c.id.label("number"),
        verification.c.success,
        version.c.id,
        version.c.number.label("provider_version"),
        _LAST_BRANCH.label("branch"),
        verified_content.c.sha,
    )
    .join_from(verification, version, version.c.id == verification.c.provider_version_id)
    .join(verified_content, verified_content.c.id == verification.c.content_id)
)
_RECORDED: Final = _RESULTS.where(verification.c.id == bindparam("verification"))
_MAIN_BEFORE: Final = (
    _RESULTS.join(branch_version, branch_version.c.version_id == version.c.id)
    .join(branch, branch.c.id == branch_version.c.branch_id)
    .join(pacticipant, and_(pacticipant.c.id == branch.c.pacticipant_id, pacticipant.c.main_branch == branch.c.name))
    .where(verification.c.content_id == bindparam("content"), verification.c.created_at <= bindparam("at"))
    .order_by(*NEWEST_FIRST)
    .limit(1)
)
_LATEST: Final = _RESULTS.where(verification.c.content_id == bindparam("content")).order_by(*NEWEST_FIRST).limit(1)
_LATEST_OF_VERSION: Final = _LATEST.where(verification.c.provider_version_id == bindparam("provider_version"))
_FOLLOWING: Final = _LATEST.where(
    verification.c.created_at >= bindparam("from", type_=Time),
    verification.c.created_at <= bindparam("until", type_=Time),
)
_PROVIDER_VERSION: Final = select(version.c.id, version.c.number, _LAST_BRANCH.label("branch")).where(
    version.c.pacticipant_id == bindparam("provider"), version.c.number == bindparam("number")
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Subject:
    """Subject of a delivery."""

    publication: int
    event: str | None = None
    """None for a test, which is about the latest result."""
    at: datetime | None = None
    """When the event happened."""
    verification: int | None = None
    provider_version: str | None = None
    """Number of the version that the event requires to verify the pact."""

    @property
    def event_subject(self) -> EventSubject | None:
        return get_subject(self.event)


def _facts(db: Connection, subjects: Collection[_Subject]) -> dict[_Subject, DeliveryFacts]:
    """Load the facts about several subjects; pacts, tags and labels in one statement each."""
    publications = fetch_rows(db, _PACTS, {"ids": list({subject.publication for subject in subjects})})
    pacts = {row.publication_id: row for row in publications}
    tags = _names(db, _TAGS, {row.version_id for row in publications})
    labels = _names(db, _LABELS, {side for row in publications for side in (row.consumer_id, row.provider_id)})
    return {subject: _facts_of(db, subject, pacts[subject.publication], tags, labels) for subject in set(subjects)}


def _facts_of(db: Connection, subject: _Subject, pact: Any, tags: _Names, labels: _Names) -> DeliveryFacts:
    facts = DeliveryFacts(
        consumer=pact.consumer,
        consumer_version=pact.number,
        consumer_tags=tuple(tags[pact.version_id]),
        consumer_branch=pact.branch,
        consumer_labels=tuple(labels[pact.consumer_id]),
        provider=pact.provider,
        provider_labels=tuple(labels[pact.provider_id]),
        sha=pact.sha,
        result=None,
    )
    if subject.event_subject is EventSubject.REQUIRED_VERIFICATION:
        return _with_provider_version(db, facts, subject, pact)
    row = _result_row(db, subject, pact.content_id)
    # The version's pact may have been replaced since it was verified.
    sha = row.sha if row and subject.event_subject is EventSubject.RESULT else pact.sha
    return replace(facts, sha=sha, result=_result(db, row) if row else None)


FOLLOW_UP_WINDOW: Final = timedelta(seconds=5)
"""A result within this time counts as following the event: the delay before the original broker's first attempt."""


def _with_provider_version(db: Connection, facts: DeliveryFacts, subject: _Subject, pact: Any) -> DeliveryFacts:
    """Add the provider version that the event is about, with its own result.

    Other versions' results only count if they follow the event at once, as the original broker waits for them.
    """
    params = {"provider": pact.provider_id, "number": subject.provider_version}
    row = fetch_first(db, _PROVIDER_VERSION, params) if subject.provider_version is not None else None
    if row is None:
        return replace(facts, provider_version=EventProviderVersion(number=subject.provider_version or ""))
    tags = tuple(_names(db, _TAGS, [row.id])[row.id])
    params = {
        "content": pact.content_id,
        "provider_version": row.id,
        "from": subject.at,
        "until": None if subject.at is None else subject.at + FOLLOW_UP_WINDOW,
    }
    result = fetch_first(db, _LATEST_OF_VERSION, params) or fetch_first(db, _FOLLOWING, params)
    return replace(
        facts,
        provider_version=EventProviderVersion(number=row.number, branch=row.branch, tags=tags),
        result=_result(db, result) if result else None,
    )


def _names(db: Connection, statement: Executable, ids: Collection[int]) -> _Names:
    """List the names that belong to rows, by their ids."""
    names: _Names = defaultdict(list)
    for owner, name in fetch_rows(db, statement, {"ids": list(ids)}) if ids else ():
        names[owner].append(name)
    return names


def _result_row(db: Connection, subject: _Subject, content: int) -> Any:
    """Find the result that an event is about; else the main branch's at the time of the event; else the latest."""
    if subject.event_subject is EventSubject.RESULT:
        # If it has been deleted, no other result takes its place.
        return (
            None if subject.verification is None else fetch_first(db, _RECORDED, {"verification": subject.verification})
        )
    row = None
    if subject.event_subject is EventSubject.PACT and subject.at is not None:
        row = fetch_first(db, _MAIN_BEFORE, {"content": content, "at": subject.at})
    return row or fetch_first(db, _LATEST, {"content": content})


def _result(db: Connection, row: Any) -> EventResult:
    return EventResult(
        number=row.number,
        success=row.success,
        provider_version=row.provider_version,
        provider_tags=tuple(_names(db, _TAGS, [row.id])[row.id]),
        provider_branch=row.branch,
    )


_CLAIMED: Final = (
    select(
        triggered_webhook.c.uuid,
        triggered_webhook.c.event,
        triggered_webhook.c.context,
        triggered_webhook.c.attempts,
        triggered_webhook.c.created_at,
        triggered_webhook.c.publication_id,
        triggered_webhook.c.verification_id,
        triggered_webhook.c.facts,
        CONSUMER.c.name.label("consumer"),
        PROVIDER.c.name.label("provider"),
        webhook.c.uuid.label("webhook"),
        webhook.c.secret,
        webhook.c.failing_since,
        *(webhook.c[name] for name in ("method", "url", "headers", "body", "username", "password")),
    )
    .join(webhook, webhook.c.id == triggered_webhook.c.webhook_id)
    .join(CONSUMER, CONSUMER.c.id == triggered_webhook.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == triggered_webhook.c.provider_id)
    .where(
        triggered_webhook.c.uuid.in_(bindparam("uuids", expanding=True)),
        triggered_webhook.c.claimed_by == bindparam("owner"),
        or_(triggered_webhook.c.publication_id.is_not(None), triggered_webhook.c.facts.is_not(None)),
    )
)


def load_claimed(db: Connection, uuids: Collection[str], *, owner: str) -> dict[str, Delivery]:
    """Load claimed deliveries by uuid, without those whose webhook has been deleted."""
    rows = fetch_rows(db, _CLAIMED, {"uuids": list(uuids), "owner": owner}) if uuids else ()
    subjects = {row.uuid: _subject(row) for row in rows if row.facts is None}
    facts = _facts(db, subjects.values()) if subjects else {}
    return {
        row.uuid: _delivery(row, facts[subjects[row.uuid]] if row.facts is None else _stored_facts_of(row))
        for row in rows
    }


def _stored_facts_of(row: Any) -> DeliveryFacts:
    # The pacticipants may have been renamed since the facts were stored.
    return replace(_stored_facts(row.facts), consumer=row.consumer, provider=row.provider)


def _subject(row: Any) -> _Subject:
    return _Subject(
        publication=row.publication_id,
        event=row.event,
        at=row.created_at,
        verification=row.verification_id,
        provider_version=json.loads(row.context).get("provider_version_number"),
    )


def _delivery(row: Any, facts: DeliveryFacts) -> Delivery:
    return Delivery(
        uuid=row.uuid,
        webhook=row.webhook,
        request=request_from_row(row),
        secret=None if row.secret is None else EncryptedText(row.secret),
        facts=facts,
        context=json.loads(row.context),
        attempts=row.attempts,
        triggered_at=row.created_at,
        is_failing=row.failing_since is not None,
    )


_NEWEST: Final = (
    select(func.max(publication.c.id))
    .select_from(integration)
    .join(publication, publication.c.id == integration.c.latest_publication_id)
)
_NEWEST_OF: Final = {
    (False, False): _NEWEST,
    (True, False): _NEWEST.where(integration.c.consumer_id == select_pacticipant_id("consumer")),
    (False, True): _NEWEST.where(integration.c.provider_id == select_pacticipant_id("provider")),
    (True, True): _NEWEST.where(
        integration.c.consumer_id == select_pacticipant_id("consumer"),
        integration.c.provider_id == select_pacticipant_id("provider"),
    ),
}


def find_example(db: Connection, webhook_to_test: Webhook) -> DeliveryFacts | None:
    """Load the facts about the latest pact of the (first) pacticipants that a webhook names, to test it with."""
    sides = {
        "consumer": (webhook_to_test.consumer, *(webhook_to_test.consumers or ())),
        "provider": (webhook_to_test.provider, *(webhook_to_test.providers or ())),
    }
    named = {role: [side.name for side in listed if side and side.name] for role, listed in sides.items()}
    names = {role: listed[0] for role, listed in named.items() if listed}
    newest = fetch_scalar(db, _NEWEST_OF["consumer" in names, "provider" in names], names)
    if newest is None:
        return None
    subject = _Subject(publication=newest)
    return _facts(db, [subject])[subject]


def load_past(
    db: Connection,
    publication: int,
    *,
    verification: int | None,
    event: str,
    at: datetime,
    provider_version: str | None,
) -> DeliveryFacts:
    """Load the facts about an event for which no delivery was enqueued."""
    subject = _Subject(
        publication=publication,
        event=event,
        at=at if get_subject(event) is EventSubject.PACT else None,
        verification=verification,
        provider_version=provider_version,
    )
    return _facts(db, [subject])[subject]


# Removals. A queued delivery is still sent if its pact is removed, so the facts are stored with it first.

# The statements begin with the queued deliveries, which are few, and compare ids. Conditions with subqueries would let
# the database choose: PostgreSQL compares every delivery with every version if it does not know yet how many there are.

_IS_QUEUED: Final = triggered_webhook.c.due_at.is_not(None)
# Almost always nothing is queued; this check spares removals the statements below.
_IS_ANY_QUEUED: Final = select(triggered_webhook.c.id).where(_IS_QUEUED).limit(1)
_IDS: Final[BindParameter[Any]] = bindparam("ids", expanding=True)
_QUEUED: Final = (
    select(
        triggered_webhook.c.id,
        triggered_webhook.c.event,
        triggered_webhook.c.context,
        triggered_webhook.c.created_at,
        triggered_webhook.c.publication_id,
        triggered_webhook.c.verification_id,
        triggered_webhook.c.facts,
        publication.c.consumer_version_id,
        publication.c.content_id,
    )
    .join(publication, publication.c.id == triggered_webhook.c.publication_id)
    .where(_IS_QUEUED)
    .order_by(triggered_webhook.c.id)
)
_PACTICIPANT: Final = select_pacticipant_id("pacticipant")
_QUEUED_OF_PACTICIPANT: Final = _QUEUED.where(
    or_(triggered_webhook.c.consumer_id == _PACTICIPANT, triggered_webhook.c.provider_id == _PACTICIPANT)
)
_QUEUED_WITH_PUBLICATIONS: Final = _QUEUED.where(triggered_webhook.c.publication_id.in_(_IDS))
_QUEUED_WITH_CONTENTS: Final = _QUEUED.where(publication.c.content_id.in_(_IDS))
_STORE: Final = (
    update(triggered_webhook).where(triggered_webhook.c.id == bindparam("row_id")).values(facts=bindparam("new_facts"))
)
# Deliveries would be removed together with the publication that they refer to.
_DETACH: Final = update(triggered_webhook).where(triggered_webhook.c.id.in_(_IDS)).values(publication_id=None)
_VERSIONS_ON_BRANCHES: Final = (
    select(branch_version.c.version_id)
    .join(branch, branch.c.id == branch_version.c.branch_id)
    .where(branch.c.pacticipant_id == _PACTICIPANT, branch.c.name.in_(bindparam("names", expanding=True)))
)
_VERIFIED: Final = (
    select(verification.c.content_id)
    .where(
        verification.c.content_id.in_(bindparam("contents", expanding=True)),
        verification.c.provider_version_id.in_(_IDS),
    )
    .distinct()
)
_CONTENTS_OF_RESULTS: Final = select(verification.c.content_id).where(verification.c.id.in_(_IDS)).distinct()


def preserve_for_versions(db: Connection, pacticipant: str, numbers: Sequence[str]) -> None:
    """Preserve queued deliveries before these versions are removed."""
    if not _is_any_queued(db):
        return
    queued = fetch_rows(db, _QUEUED_OF_PACTICIPANT, {"pacticipant": pacticipant})
    removed_ids, removed = frozenset(versions.find_ids(db, pacticipant, numbers)), frozenset(numbers)
    # Deliveries for required verifications name the provider version only in their context, which is JSON.
    required = [row for row in queued if _subject(row).provider_version in removed]
    _store_facts(db, {row.id: row for row in [*_list_using(db, queued, removed_ids), *required]}.values())
    _detach(db, [row.id for row in queued if row.consumer_version_id in removed_ids])


def preserve_for_publications(db: Connection, ids: Collection[int]) -> None:
    """Preserve queued deliveries before these publications are removed."""
    if not _is_any_queued(db):
        return
    using = list(fetch_in_batches(db, _QUEUED_WITH_PUBLICATIONS, ids))
    _store_facts(db, using)
    _detach(db, [row.id for row in using])


def preserve_for_branches(db: Connection, pacticipant: str, names: Collection[str]) -> None:
    """Store the facts of queued deliveries about versions on branches that are about to be removed."""
    if not _is_any_queued(db):
        return
    params = {"pacticipant": pacticipant}
    rows = fetch_in_batches(db, _VERSIONS_ON_BRANCHES, names, params, parameter="names")
    on_branches = {row.version_id for row in rows}
    _store_facts(db, _list_using(db, fetch_rows(db, _QUEUED_OF_PACTICIPANT, params), on_branches))


def preserve_for_results(db: Connection, ids: Collection[int]) -> None:
    """Store the facts of queued deliveries about contents whose results are about to be removed."""
    if not _is_any_queued(db):
        return
    contents = {row.content_id for row in fetch_in_batches(db, _CONTENTS_OF_RESULTS, ids)}
    _store_facts(db, list(fetch_in_batches(db, _QUEUED_WITH_CONTENTS, contents)))


def _list_using(db: Connection, queued: Sequence[Any], version_ids: Collection[int]) -> list[Any]:
    """List the queued deliveries about pacts that one of the versions published or verified."""
    verified: set[int] = set()
    for contents in split({row.content_id for row in queued}):
        params = {"contents": contents}
        verified.update(row.content_id for row in fetch_in_batches(db, _VERIFIED, version_ids, params))
    return [row for row in queued if row.consumer_version_id in version_ids or row.content_id in verified]


def _detach(db: Connection, ids: Sequence[int]) -> None:
    execute_in_batches(db, _DETACH, ids)


def _is_any_queued(db: Connection) -> bool:
    return bool(fetch_rows(db, _IS_ANY_QUEUED, {}))


def _store_facts(db: Connection, queued: Collection[Any]) -> None:
    """Store the facts with deliveries that do not have them yet."""
    subjects = {row.id: _subject(row) for row in queued if row.facts is None}
    facts = _facts(db, subjects.values()) if subjects else {}
    for row_id, subject in subjects.items():
        execute(db, _STORE, {"row_id": row_id, "new_facts": json.dumps(asdict(facts[subject]), ensure_ascii=False)})


def _stored_facts(text: str) -> DeliveryFacts:
    """Read facts that `_store_facts` has written."""
    values = _with_tuples(json.loads(text))
    result, provider_version = values.pop("result"), values.pop("provider_version")
    return DeliveryFacts(
        **values,
        result=None if result is None else EventResult(**_with_tuples(result)),
        provider_version=None if provider_version is None else EventProviderVersion(**_with_tuples(provider_version)),
    )


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def get_consumer_version(facts: str | None) -> str | None:
    """Return the consumer version in stored facts, for a delivery whose version has been removed."""
    return None if facts is None else _stored_facts(facts).consumer_version
