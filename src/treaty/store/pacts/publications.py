"""Publications: the state before a contract is published, adding it, and the data for the events that it raises.

A publication records that a consumer version has a content for a provider. Content is stored once for each consumer,
provider and hash: a thousand versions that publish the same pact share one body and its verification results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Integer,
    and_,
    bindparam,
    exists,
    false,
    func,
    insert,
    literal,
    null,
    select,
    true,
    update,
)

from treaty.model.pacts.pacts import Contract
from treaty.model.webhooks.events import PreviousContent
from treaty.store import newest_results
from treaty.store.engine.database import (
    execute,
    fetch_column,
    fetch_first,
    fetch_rows,
    fetch_rows_of_each,
    fetch_scalar,
)
from treaty.store.pacts.pacts import CONSUMER_ID, CONTENT_ID, PROVIDER_ID, VERSION_ID
from treaty.store.tables import (
    branch,
    content,
    deployed_version,
    environment,
    integration,
    pacticipant,
    publication,
    released_version,
    tag,
    tag_head,
    verification,
    version,
)
from treaty.store.webhooks.webhooks import CONCERNS_PAIR


@dataclass(frozen=True, slots=True)
class PublicationState:
    """The state that decides how a contract is published, loaded before anything is written."""

    consumer_id: int
    """0 if the consumer does not exist yet; the same for the provider."""
    provider_id: int
    content_id: int | None
    """Id of the content if it is already stored, for any version."""
    current_sha: str | None
    """Hash of the pact that this version has already published; None if it has none."""
    revision: int
    """Revision of that pact; 0 if there is none."""
    has_integration: bool
    is_verified: bool
    """Whether any content of the pair has ever been verified."""
    has_webhooks: bool
    """Whether any webhook, enabled or not, could apply to the pair."""
    has_provider_contracts: bool
    """Whether any version of the provider has published a contract of its own."""


# PostgreSQL reads a small table of pacticipants completely to find a name, so the statement does it once for each.
_pair: Final = (
    select(CONSUMER_ID.label("consumer_id"), PROVIDER_ID.label("provider_id")).cte("pair").prefix_with("MATERIALIZED")
)
_PAIR_CONSUMER: Final = select(_pair.c.consumer_id).scalar_subquery()
_PAIR_PROVIDER: Final = select(_pair.c.provider_id).scalar_subquery()
_CURRENT_OF_NAMES: Final = and_(
    publication.c.consumer_version_id
    == select(version.c.id)
    .where(version.c.pacticipant_id == _PAIR_CONSUMER, version.c.number == bindparam("version"))
    .scalar_subquery(),
    publication.c.provider_id == _PAIR_PROVIDER,
    publication.c.is_current,
)
_STATE: Final = select(
    func.coalesce(_PAIR_CONSUMER, 0).label("consumer_id"),
    func.coalesce(_PAIR_PROVIDER, 0).label("provider_id"),
    select(content.c.id)
    .where(
        content.c.consumer_id == _PAIR_CONSUMER,
        content.c.provider_id == _PAIR_PROVIDER,
        content.c.sha == bindparam("sha"),
    )
    .scalar_subquery()
    .label("content_id"),
    select(content.c.sha).join(publication).where(_CURRENT_OF_NAMES).scalar_subquery().label("current_sha"),
    func.coalesce(select(publication.c.revision).where(_CURRENT_OF_NAMES).scalar_subquery(), 0).label("revision"),
    exists()
    .where(integration.c.consumer_id == _PAIR_CONSUMER, integration.c.provider_id == _PAIR_PROVIDER)
    .label("has_integration"),
    exists()
    .where(verification.c.consumer_id == _PAIR_CONSUMER, verification.c.provider_id == _PAIR_PROVIDER)
    .label("is_verified"),
    exists().where(CONCERNS_PAIR).label("has_webhooks"),
    exists()
    .where(version.c.pacticipant_id == _PAIR_PROVIDER, version.c.documents_sha.is_not(None))
    .label("has_provider_contracts"),
)


def load_state(db: Connection, contract: Contract) -> PublicationState:
    """Load the existing state in one query, to save round trips while the pacticipants are locked."""
    return load_states(db, [contract])[0]


def load_states(db: Connection, contracts: Sequence[Contract]) -> list[PublicationState]:
    """Load the existing state for each of several contracts."""
    rows_of_each = fetch_rows_of_each(db, [(_STATE, _params(contract)) for contract in contracts])
    return [PublicationState(*row[:5], *(bool(value) for value in row[5:])) for (row,) in rows_of_each]


def _params(contract: Contract) -> dict[str, str]:
    return {
        "consumer": contract.consumer,
        "version": contract.version,
        "provider": contract.provider,
        "sha": contract.content.sha,
    }


class PublicationKey(NamedTuple):
    """The parts of a publication, most of them by their ids. With names, each statement would find them again."""

    consumer_id: int
    provider_id: int
    version: str
    content_id: int
    has_new_content: bool
    """Whether the content was added for this publication."""


ADD_CONTENT: Final = insert(content).values(
    consumer_id=CONSUMER_ID,
    provider_id=PROVIDER_ID,
    sha=bindparam("sha"),
    body=bindparam("body"),
    created_at=bindparam("now"),
)
_ADD_NEW_CONTENT: Final = (
    insert(content)
    .values(
        consumer_id=bindparam("consumer_id"),
        provider_id=bindparam("provider_id"),
        sha=bindparam("sha"),
        body=bindparam("body"),
        created_at=bindparam("now"),
    )
    .returning(content.c.id)
)


def ensure_contents(
    db: Connection, contracts: Sequence[tuple[Contract, PublicationState]], *, now: datetime
) -> list[PublicationKey]:
    """Add the contents of contracts that are not stored yet, and return the key of each. The pacticipants exist.

    Content that is already stored stays as it was first received, as in the original: the same content with its
    interactions in another order has the same hash.
    """
    inserts = [
        (
            _ADD_NEW_CONTENT,
            {
                "consumer_id": state.consumer_id,
                "provider_id": state.provider_id,
                "sha": contract.content.sha,
                "body": contract.content.body,
                "now": now,
            },
        )
        for contract, state in contracts
        if state.content_id is None
    ]
    new_ids = iter([row.id for (row,) in fetch_rows_of_each(db, inserts)])
    return [
        PublicationKey(
            consumer_id=state.consumer_id,
            provider_id=state.provider_id,
            version=contract.version,
            content_id=next(new_ids) if state.content_id is None else state.content_id,
            has_new_content=state.content_id is None,
        )
        for contract, state in contracts
    ]


def insert_publication(*, is_current: ColumnElement[bool]) -> Insert:
    """Build the statement that adds a publication of existing content, by the names of consumer, version and provider.

    Parameters: `consumer`, `version`, `provider`, `sha`, `revision` and `now`.
    """
    values: dict[str, Any] = {
        "consumer_id": version.c.pacticipant_id,
        "provider_id": PROVIDER_ID,
        "consumer_version_id": version.c.id,
        "content_id": CONTENT_ID,
        "revision": bindparam("revision", type_=publication.c.revision.type),
        # Copied from the version: queries for the newest pact then read one index, without a join.
        "position": version.c.position,
        "is_current": is_current,
        "created_at": bindparam("now", type_=publication.c.created_at.type),
    }
    source = select(*values.values()).where(
        version.c.pacticipant_id == CONSUMER_ID, version.c.number == bindparam("version")
    )
    return insert(publication).from_select(list(values), source)


_CONSUMER: Final = bindparam("_consumer_id", type_=Integer)
_PROVIDER: Final = bindparam("_provider_id", type_=Integer)
_IS_VERSION: Final = and_(version.c.pacticipant_id == _CONSUMER, version.c.number == bindparam("_version"))
_VERSION: Final = select(version.c.id).where(_IS_VERSION).scalar_subquery()
_POSITION: Final = select(version.c.position).where(_IS_VERSION).scalar_subquery()
_STORED_CONTENT: Final = bindparam("_content_id", type_=Integer)
_IS_OF_IDS: Final = and_(publication.c.consumer_id == _CONSUMER, publication.c.provider_id == _PROVIDER)
# Overwritten revisions stay, so that their contents can still be fetched by hash and verified. The flag marks the
# newest revision, the only one that decisions and lists use.
_OVERRIDE: Final = (
    update(publication)
    .where(
        publication.c.consumer_version_id == _VERSION,
        publication.c.provider_id == _PROVIDER,
        publication.c.is_current,
    )
    .values(is_current=false())
)
_ADD: Final = insert(publication).values(
    consumer_id=_CONSUMER,
    provider_id=_PROVIDER,
    consumer_version_id=_VERSION,
    content_id=_STORED_CONTENT,
    revision=bindparam("revision"),
    position=_POSITION,
    is_current=true(),
    created_at=bindparam("now"),
)
# The latest publication of a pair is denormalized into its integration: it is the pact that decisions, lists and pages
# ask for most, and is then found at once, however long the history is. A new publication is not always the latest: with
# versions in the order of their numbers, an older version may publish later. So the statement looks for it.
_LATEST_OF_PAIR: Final = (
    select(publication.c.id)
    .where(_IS_OF_IDS)
    .order_by(publication.c.position.desc(), publication.c.revision.desc())
    .limit(1)
    .scalar_subquery()
)
_ADD_INTEGRATION: Final = insert(integration).values(
    consumer_id=_CONSUMER,
    provider_id=_PROVIDER,
    latest_publication_id=_LATEST_OF_PAIR,
    contract_data_updated_at=bindparam("now"),
    created_at=bindparam("now"),
)
_NOW: Final = bindparam("now", type_=integration.c.contract_data_updated_at.type)
_SET_LATEST: Final = (
    update(integration)
    .where(integration.c.consumer_id == _CONSUMER, integration.c.provider_id == _PROVIDER)
    .values(
        latest_publication_id=_LATEST_OF_PAIR,
        contract_data_updated_at=_NOW,
        **newest_results.build_values(_LATEST_OF_PAIR, _NOW),
    )
)
_TOUCH: Final = (
    update(integration)
    .where(integration.c.consumer_id == CONSUMER_ID, integration.c.provider_id == PROVIDER_ID)
    .values(contract_data_updated_at=_NOW, **newest_results.build_values(integration.c.latest_publication_id, _NOW))
)


def add(db: Connection, key: PublicationKey, state: PublicationState, *, now: datetime) -> None:
    """Add a publication of stored content as the newest revision of its version's pact."""
    params = {**_ids(key), "revision": state.revision + 1, "now": now}
    if state.current_sha is not None:
        execute(db, _OVERRIDE, params)
    execute(db, _ADD, params)
    execute(db, _SET_LATEST if state.has_integration else _ADD_INTEGRATION, params)


def _ids(key: PublicationKey) -> dict[str, Any]:
    # Their names are not those of columns, which SQLAlchemy reserves for the values of an update.
    return {
        "_consumer_id": key.consumer_id,
        "_provider_id": key.provider_id,
        "_version": key.version,
        "_content_id": key.content_id,
    }


_CONTENT: Final = and_(
    content.c.consumer_id == CONSUMER_ID, content.c.provider_id == PROVIDER_ID, content.c.sha == bindparam("sha")
)
_BODY: Final = select(content.c.body).where(_CONTENT)
_REPLACE_BODY: Final = update(content).where(_CONTENT).values(body=bindparam("new_body"))


def find_body(db: Connection, contract: Contract) -> bytes | None:
    """Find the stored JSON of a contract's content."""
    body: bytes | None = fetch_scalar(db, _BODY, _params(contract))
    return body


def replace_body(db: Connection, contract: Contract) -> None:
    """Store other JSON for a contract's content: with the same hash, but more metadata."""
    execute(db, _REPLACE_BODY, {**_params(contract), "new_body": contract.content.body})


def touch(db: Connection, consumer: str, provider: str, *, now: datetime) -> None:
    """Update the time at which contract data of a pair was last published."""
    execute(db, _TOUCH, {"consumer": consumer, "provider": provider, "now": now})


_candidate_content: Final = content.alias("candidate_content")
_candidate: Final = publication.alias("candidate")
_CURRENT_SHA: Final = (
    select(_candidate_content.c.sha)
    .join(_candidate, _candidate.c.content_id == _candidate_content.c.id)
    .where(
        _candidate.c.consumer_version_id == tag.c.version_id,
        _candidate.c.provider_id == _PROVIDER,
        _candidate.c.is_current,
    )
    .scalar_subquery()
)
_own_tag: Final = tag.alias("own_tag")
_EARLIER_SHA_AT_TAG: Final = (
    select(_CURRENT_SHA)
    .where(tag.c.pacticipant_id == _own_tag.c.pacticipant_id, tag.c.name == _own_tag.c.name)
    .where(tag.c.position < _own_tag.c.position, _CURRENT_SHA.is_not(None))
    .order_by(tag.c.position.desc())
    .limit(1)
    .correlate(_own_tag)
    .scalar_subquery()
)
# For each tag of the version, the tag's index is walked downwards from the version to the first one with a pact, so the
# length of the history does not matter.
_EARLIER_BY_TAG: Final = (
    select(_own_tag.c.name, _EARLIER_SHA_AT_TAG.label("sha"))
    .where(_own_tag.c.version_id == _VERSION)
    .order_by(_own_tag.c.created_at, _own_tag.c.id)
)
_EARLIER_UNTAGGED: Final = (
    select(content.c.sha)
    .select_from(publication)
    .join(content, content.c.id == publication.c.content_id)
    .where(_IS_OF_IDS, publication.c.is_current, publication.c.position < _POSITION)
    .where(~exists().where(tag.c.version_id == publication.c.consumer_version_id))
    .order_by(publication.c.position.desc())
    .limit(1)
)


def list_earlier_contents(
    db: Connection, keys: Sequence[PublicationKey], *, may_have_tags: bool = True
) -> list[list[PreviousContent]]:
    """List, for publications of one version, the closest earlier content for each of its tags.

    Without tags, it is that of the untagged versions. These are the contents with which the original compares to decide
    whether a first publication changed the content.
    """
    params = [_ids(key) for key in keys]
    if may_have_tags:
        rows_of_each = fetch_rows_of_each(db, [(_EARLIER_BY_TAG, values) for values in params])
        by_tag = [[PreviousContent(tag=name, sha=sha) for name, sha in rows] for rows in rows_of_each]
        if any(by_tag):
            return by_tag
    rows_of_each = fetch_rows_of_each(db, [(_EARLIER_UNTAGGED, values) for values in params])
    return [[PreviousContent(tag=None, sha=rows[0].sha if rows else None)] for rows in rows_of_each]


_TAGS: Final = select(tag.c.name).where(tag.c.version_id == VERSION_ID).order_by(tag.c.created_at, tag.c.id)


def list_tags(db: Connection, pacticipant: str, version: str) -> list[str]:
    """List the tags of a version, oldest first."""
    return fetch_column(db, _TAGS, {"consumer": pacticipant, "version": version})


# Provider versions that have to verify new content, for the event `contract_requiring_verification_published`: the head
# of the main branch (or the latest version with a tag of that name), and all versions that are deployed or supported,
# except those that already have a result for the content. Those with a contract of their own are compared with it.
_UNVERIFIED: Final = and_(
    ~exists().where(verification.c.content_id == _STORED_CONTENT, verification.c.provider_version_id == version.c.id),
    version.c.documents_sha.is_(None),
)
_MAIN: Final = (
    select(
        version.c.id,
        version.c.number,
        literal("main").label("reason"),
        pacticipant.c.main_branch.label("place"),
        literal(0).label("record_id"),
    )
    .select_from(pacticipant)
    .join(branch, and_(branch.c.pacticipant_id == pacticipant.c.id, branch.c.name == pacticipant.c.main_branch))
    .join(version, version.c.id == branch.c.head_version_id)
    .where(pacticipant.c.id == _PROVIDER, _UNVERIFIED)
)
_MAIN_TAGGED: Final = (
    # Only for providers without such a branch. The main branch is not reported: the version is not on it.
    select(version.c.id, version.c.number, literal("main"), null(), literal(0))
    .select_from(pacticipant)
    .join(tag_head, and_(tag_head.c.pacticipant_id == pacticipant.c.id, tag_head.c.name == pacticipant.c.main_branch))
    .join(version, version.c.id == tag_head.c.version_id)
    .where(
        pacticipant.c.id == _PROVIDER,
        _UNVERIFIED,
        ~exists().where(
            branch.c.pacticipant_id == pacticipant.c.id,
            branch.c.name == pacticipant.c.main_branch,
            branch.c.head_version_id.is_not(None),
        ),
    )
)
_DEPLOYED: Final = (
    select(version.c.id, version.c.number, literal("deployed"), environment.c.name, deployed_version.c.id)
    .select_from(deployed_version)
    .join(version, version.c.id == deployed_version.c.version_id)
    .join(environment, environment.c.id == deployed_version.c.environment_id)
    .where(
        deployed_version.c.pacticipant_id == _PROVIDER,
        deployed_version.c.undeployed_at.is_(None),
        _UNVERIFIED,
    )
)
_RELEASED: Final = (
    select(version.c.id, version.c.number, literal("released"), environment.c.name, released_version.c.id)
    .select_from(released_version)
    .join(version, version.c.id == released_version.c.version_id)
    .join(environment, environment.c.id == released_version.c.environment_id)
    .where(
        released_version.c.pacticipant_id == _PROVIDER,
        released_version.c.support_ended_at.is_(None),
        _UNVERIFIED,
    )
)
_REQUIRED: Final = _MAIN.union_all(_MAIN_TAGGED, _DEPLOYED, _RELEASED)


def list_required_verifications(
    db: Connection, keys: Sequence[PublicationKey]
) -> list[list[tuple[str, str, str | None]]]:
    """List provider versions that have to verify each publication: number, reason and main branch or environment.

    The reason is `main`, `deployed` or `released`; each list is in this order.
    """
    queries = [(_REQUIRED, _ids(key)) for key in keys]
    return [_sort_required(rows) for rows in fetch_rows_of_each(db, queries)]


_CONTENT_OF_NAMES: Final = select(PROVIDER_ID.label("provider_id"), CONTENT_ID.label("content_id"))


def list_required_of_content(db: Connection, params: Mapping[str, str]) -> list[tuple[str, str, str | None]]:
    """List likewise for stored content, by `consumer`, `provider` and `sha`."""
    ids = fetch_first(db, _CONTENT_OF_NAMES, params)
    return _sort_required(fetch_rows(db, _REQUIRED, {"_provider_id": ids.provider_id, "_content_id": ids.content_id}))


def _sort_required(rows: Sequence[Any]) -> list[tuple[str, str, str | None]]:
    rank = {"main": 0, "deployed": 1, "released": 2}
    ordered = sorted(rows, key=lambda row: (rank[row.reason], row.record_id))
    return [(row.number, row.reason, row.place) for row in ordered]
