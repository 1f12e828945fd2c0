"""Publications: the state before a contract is published, adding it, and the data for the events that it raises.

A publication records that a consumer version has a content for a provider. Content is stored once for each consumer,
provider and hash: a thousand versions that publish the same pact share one body and its verification results.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
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
from treaty.store.engine.database import execute, fetch_column, fetch_first, fetch_rows, fetch_scalar
from treaty.store.pacts.pacts import CONSUMER_ID, CONTENT_ID, IS_OF_PAIR, PROVIDER_ID, VERSION_ID, VERSION_POSITION
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
from treaty.store.usage.contents import ContentKey
from treaty.store.webhooks.webhooks import CONCERNS_PAIR


@dataclass(frozen=True, slots=True)
class PublicationState:
    """The state that decides how a contract is published, loaded before anything is written."""

    current_sha: str | None
    """Hash of the pact that this version has already published; None if it has none."""
    revision: int
    """Revision of that pact; 0 if there is none."""
    has_content: bool
    """Whether this content is already stored, for any version."""
    has_integration: bool
    is_verified: bool
    """Whether any content of the pair has ever been verified."""
    has_webhooks: bool
    """Whether any webhook, enabled or not, could apply to the pair."""
    has_provider_contracts: bool
    """Whether any version of the provider has published a contract of its own."""


_CURRENT_OF_VERSION: Final = and_(
    publication.c.consumer_version_id == VERSION_ID,
    publication.c.provider_id == PROVIDER_ID,
    publication.c.is_current,
)
_STATE: Final = select(
    select(content.c.sha).join(publication).where(_CURRENT_OF_VERSION).scalar_subquery().label("current_sha"),
    func.coalesce(select(publication.c.revision).where(_CURRENT_OF_VERSION).scalar_subquery(), 0).label("revision"),
    CONTENT_ID.is_not(None).label("has_content"),
    exists()
    .where(integration.c.consumer_id == CONSUMER_ID, integration.c.provider_id == PROVIDER_ID)
    .label("has_integration"),
    exists()
    .where(verification.c.consumer_id == CONSUMER_ID, verification.c.provider_id == PROVIDER_ID)
    .label("is_verified"),
    exists().where(CONCERNS_PAIR).label("has_webhooks"),
    exists()
    .where(version.c.pacticipant_id == PROVIDER_ID, version.c.documents_sha.is_not(None))
    .label("has_provider_contracts"),
)


def load_state(db: Connection, contract: Contract) -> PublicationState:
    """Load the existing state in one query, to save round trips while the pacticipants are locked."""
    row = fetch_first(db, _STATE, _params(contract))
    return PublicationState(row[0], row[1], *(bool(value) for value in row[2:]))


def _params(contract: Contract) -> dict[str, str]:
    return {
        "consumer": contract.consumer,
        "version": contract.version,
        "provider": contract.provider,
        "sha": contract.content.sha,
    }


ADD_CONTENT: Final = insert(content).values(
    consumer_id=CONSUMER_ID,
    provider_id=PROVIDER_ID,
    sha=bindparam("sha"),
    body=bindparam("body"),
    created_at=bindparam("now"),
)

_ADD_NEW_CONTENT: Final = ADD_CONTENT.returning(content.c.id, content.c.consumer_id, content.c.provider_id)


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


# Overwritten revisions stay, so that their contents can still be fetched by hash and verified. The flag marks the
# newest revision, the only one that decisions and lists use.
_OVERRIDE: Final = update(publication).where(_CURRENT_OF_VERSION).values(is_current=false())
_ADD: Final = insert_publication(is_current=true())
# The latest publication of a pair is denormalized into its integration: it is the pact that decisions, lists and pages
# ask for most, and is then found at once, however long the history is. A new publication is not always the latest: with
# versions in the order of their numbers, an older version may publish later. So the statement looks for it.
_LATEST_OF_PAIR: Final = (
    select(publication.c.id)
    .where(IS_OF_PAIR)
    .order_by(publication.c.position.desc(), publication.c.revision.desc())
    .limit(1)
    .scalar_subquery()
)
_ADD_INTEGRATION: Final = insert(integration).values(
    consumer_id=CONSUMER_ID,
    provider_id=PROVIDER_ID,
    latest_publication_id=_LATEST_OF_PAIR,
    contract_data_updated_at=bindparam("now"),
    created_at=bindparam("now"),
)
_NOW: Final = bindparam("now", type_=integration.c.contract_data_updated_at.type)
_OF_INTEGRATION: Final = and_(integration.c.consumer_id == CONSUMER_ID, integration.c.provider_id == PROVIDER_ID)
_SET_LATEST: Final = (
    update(integration)
    .where(_OF_INTEGRATION)
    .values(
        latest_publication_id=_LATEST_OF_PAIR,
        contract_data_updated_at=_NOW,
        **newest_results.build_values(_LATEST_OF_PAIR, _NOW),
    )
)
_TOUCH: Final = (
    update(integration)
    .where(_OF_INTEGRATION)
    .values(contract_data_updated_at=_NOW, **newest_results.build_values(integration.c.latest_publication_id, _NOW))
)


def add(db: Connection, contract: Contract, state: PublicationState, *, now: datetime) -> ContentKey | None:
    """Add a publication as the newest revision of its version's pact. Return the key of its content if that is new.

    Content that is already stored stays as it was first received, as in the original: the same content with its
    interactions in another order has the same hash.
    """
    params: dict[str, Any] = {**_params(contract), "now": now}
    new_content = None
    if not state.has_content:
        new_content = ContentKey(*fetch_first(db, _ADD_NEW_CONTENT, {**params, "body": contract.content.body}))
    if state.current_sha is not None:
        execute(db, _OVERRIDE, params)
    execute(db, _ADD, {**params, "revision": state.revision + 1})
    execute(db, _SET_LATEST if state.has_integration else _ADD_INTEGRATION, params)
    return new_content


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


_POSITION_OF_VERSION: Final = VERSION_POSITION.scalar_subquery()
_candidate_content: Final = content.alias("candidate_content")
_candidate: Final = publication.alias("candidate")
_CURRENT_SHA: Final = (
    select(_candidate_content.c.sha)
    .join(_candidate, _candidate.c.content_id == _candidate_content.c.id)
    .where(
        _candidate.c.consumer_version_id == tag.c.version_id,
        _candidate.c.provider_id == PROVIDER_ID,
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
    .where(_own_tag.c.version_id == VERSION_ID)
    .order_by(_own_tag.c.created_at, _own_tag.c.id)
)
_EARLIER_UNTAGGED: Final = (
    select(content.c.sha)
    .select_from(publication)
    .join(content, content.c.id == publication.c.content_id)
    .where(IS_OF_PAIR, publication.c.is_current, publication.c.position < _POSITION_OF_VERSION)
    .where(~exists().where(tag.c.version_id == publication.c.consumer_version_id))
    .order_by(publication.c.position.desc())
    .limit(1)
)


def list_earlier_contents(db: Connection, contract: Contract, *, may_have_tags: bool = True) -> list[PreviousContent]:
    """List the closest earlier content for each tag of the version, or, without tags, that of the untagged versions.

    These are the contents with which the original compares to decide whether a first publication changed the content.
    """
    params = _params(contract)
    rows = fetch_rows(db, _EARLIER_BY_TAG, params) if may_have_tags else ()
    by_tag = [PreviousContent(tag=name, sha=sha) for name, sha in rows]
    return by_tag or [PreviousContent(tag=None, sha=fetch_scalar(db, _EARLIER_UNTAGGED, params))]


_TAGS: Final = select(tag.c.name).where(tag.c.version_id == VERSION_ID).order_by(tag.c.created_at, tag.c.id)


def list_tags(db: Connection, pacticipant: str, version: str) -> list[str]:
    """List the tags of a version, oldest first."""
    return fetch_column(db, _TAGS, {"consumer": pacticipant, "version": version})


# Provider versions that have to verify new content, for the event `contract_requiring_verification_published`: the head
# of the main branch (or the latest version with a tag of that name), and all versions that are deployed or supported,
# except those that already have a result for the content. Those with a contract of their own are compared with it.
_UNVERIFIED: Final = and_(
    ~exists().where(verification.c.content_id == CONTENT_ID, verification.c.provider_version_id == version.c.id),
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
    .where(pacticipant.c.name == bindparam("provider"), _UNVERIFIED)
)
_MAIN_TAGGED: Final = (
    # Only for providers without such a branch. The main branch is not reported: the version is not on it.
    select(version.c.id, version.c.number, literal("main"), null(), literal(0))
    .select_from(pacticipant)
    .join(tag_head, and_(tag_head.c.pacticipant_id == pacticipant.c.id, tag_head.c.name == pacticipant.c.main_branch))
    .join(version, version.c.id == tag_head.c.version_id)
    .where(
        pacticipant.c.name == bindparam("provider"),
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
    .where(deployed_version.c.pacticipant_id == PROVIDER_ID, deployed_version.c.undeployed_at.is_(None), _UNVERIFIED)
)
_RELEASED: Final = (
    select(version.c.id, version.c.number, literal("released"), environment.c.name, released_version.c.id)
    .select_from(released_version)
    .join(version, version.c.id == released_version.c.version_id)
    .join(environment, environment.c.id == released_version.c.environment_id)
    .where(released_version.c.pacticipant_id == PROVIDER_ID, released_version.c.support_ended_at.is_(None), _UNVERIFIED)
)
_REQUIRED: Final = _MAIN.union_all(_MAIN_TAGGED, _DEPLOYED, _RELEASED)


def list_required_verifications(db: Connection, contract: Contract) -> list[tuple[str, str, str | None]]:
    """List provider versions that have to verify a contract: number, reason and main branch or environment.

    The reason is `main`, `deployed` or `released`; the list is in this order.
    """
    return list_required_of_content(db, _params(contract))


def list_required_of_content(db: Connection, params: Mapping[str, str]) -> list[tuple[str, str, str | None]]:
    """List likewise for stored content, by `consumer`, `provider` and `sha`."""
    rank = {"main": 0, "deployed": 1, "released": 2}
    rows = sorted(fetch_rows(db, _REQUIRED, params), key=lambda row: (rank[row.reason], row.record_id))
    return [(row.number, row.reason, row.place) for row in rows]
