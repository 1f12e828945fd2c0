"""Publications: what is there before a contract is published, adding it, and what follows from it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
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
from treaty.store.engine.database import execute, fetch_column, fetch_first, fetch_rows, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
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
from treaty.store.webhooks.webhooks import CONCERNS_PAIR


@dataclass(frozen=True, slots=True)
class PublicationState:
    """What is there before a contract is published."""

    current_sha: str | None
    """Of the pact that this version has already."""
    revision: int
    """Of that pact; 0 when there is none."""
    has_content: bool
    """Whether this content is kept already."""
    has_integration: bool
    is_verified: bool
    """Whether any content of the pair has ever been verified."""
    has_webhooks: bool


CURRENT_PUBLICATION_ID: Final = (
    select(publication.c.id)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .where(
        version.c.pacticipant_id == select_pacticipant_id("consumer"),
        version.c.number == bindparam("consumer_version"),
        publication.c.provider_id == select_pacticipant_id("provider"),
        publication.c.is_current,
    )
)
"""Finds the newest publication of a consumer's version for a provider, by their names."""
_CURRENT_OF_VERSION: Final = and_(
    publication.c.consumer_version_id == VERSION_ID,
    publication.c.provider_id == PROVIDER_ID,
    publication.c.is_current,
)
_STANDING: Final = select(
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
)


def load_state(db: Connection, contract: Contract) -> PublicationState:
    """Find what is there before a contract is published, in one look."""
    row = fetch_first(db, _STANDING, _named(contract))
    return PublicationState(row[0], row[1], *(bool(value) for value in row[2:]))


def _named(contract: Contract) -> dict[str, str]:
    return {
        "consumer": contract.consumer,
        "version": contract.version,
        "provider": contract.provider,
        "sha": contract.content.sha,
    }


_ADD_CONTENT: Final = insert(content).values(
    consumer_id=CONSUMER_ID,
    provider_id=PROVIDER_ID,
    sha=bindparam("sha"),
    body=bindparam("body"),
    created_at=bindparam("now"),
)
_OVERRIDE: Final = update(publication).where(_CURRENT_OF_VERSION).values(is_current=false())
_ADD: Final = insert(publication).from_select(
    [
        "consumer_id",
        "provider_id",
        "consumer_version_id",
        "content_id",
        "revision",
        "position",
        "is_current",
        "created_at",
    ],
    select(
        version.c.pacticipant_id,
        PROVIDER_ID,
        version.c.id,
        CONTENT_ID,
        bindparam("revision", type_=publication.c.revision.type),
        version.c.position,
        true(),
        bindparam("now", type_=publication.c.created_at.type),
    ).where(version.c.pacticipant_id == CONSUMER_ID, version.c.number == bindparam("version")),
)
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
_OF_INTEGRATION: Final = and_(integration.c.consumer_id == CONSUMER_ID, integration.c.provider_id == PROVIDER_ID)
_SET_LATEST: Final = (
    update(integration)
    .where(_OF_INTEGRATION)
    .values(latest_publication_id=_LATEST_OF_PAIR, contract_data_updated_at=bindparam("now"))
)
_TOUCH: Final = update(integration).where(_OF_INTEGRATION).values(contract_data_updated_at=bindparam("now"))


def add(db: Connection, contract: Contract, before: PublicationState, *, now: datetime) -> None:
    """Add a publication as the newest revision of its version's pact. Content that is kept already stays as it is."""
    params: dict[str, Any] = {**_named(contract), "now": now}
    if not before.has_content:
        execute(db, _ADD_CONTENT, {**params, "body": contract.content.body})
    if before.current_sha is not None:
        execute(db, _OVERRIDE, params)
    execute(db, _ADD, {**params, "revision": before.revision + 1})
    execute(db, _SET_LATEST if before.has_integration else _ADD_INTEGRATION, params)


def touch(db: Connection, consumer: str, provider: str, *, now: datetime) -> None:
    """Note that something was published for a pair."""
    execute(db, _TOUCH, {"consumer": consumer, "provider": provider, "now": now})


_POSITION_OF_VERSION: Final = VERSION_POSITION.scalar_subquery()
_its_content: Final = content.alias("its_content")
_candidate: Final = publication.alias("candidate")
_SHA_AT_TAG: Final = (
    select(_its_content.c.sha)
    .join(_candidate, _candidate.c.content_id == _its_content.c.id)
    .where(
        _candidate.c.consumer_version_id == tag.c.version_id,
        _candidate.c.provider_id == PROVIDER_ID,
        _candidate.c.is_current,
    )
    .scalar_subquery()
)
_mine: Final = tag.alias("mine")
_SHA_BEFORE_TAGGED: Final = (
    select(_SHA_AT_TAG)
    .where(tag.c.pacticipant_id == _mine.c.pacticipant_id, tag.c.name == _mine.c.name)
    .where(tag.c.position < _mine.c.position, _SHA_AT_TAG.is_not(None))
    .order_by(tag.c.position.desc())
    .limit(1)
    .correlate(_mine)
    .scalar_subquery()
)
_BEFORE_TAGGED: Final = (
    select(_mine.c.name, _SHA_BEFORE_TAGGED.label("sha"))
    .where(_mine.c.version_id == VERSION_ID)
    .order_by(_mine.c.created_at, _mine.c.id)
)
_BEFORE_UNTAGGED: Final = (
    select(content.c.sha)
    .select_from(publication)
    .join(content, content.c.id == publication.c.content_id)
    .where(IS_OF_PAIR, publication.c.is_current, publication.c.position < _POSITION_OF_VERSION)
    .where(~exists().where(tag.c.version_id == publication.c.consumer_version_id))
    .order_by(publication.c.position.desc())
    .limit(1)
)


def list_earlier_contents(db: Connection, contract: Contract, *, may_have_tags: bool = True) -> list[PreviousContent]:
    """Find the latest earlier content for each tag; for a version without tags that of the untagged versions."""
    params = _named(contract)
    by_tag = fetch_rows(db, _BEFORE_TAGGED, params) if may_have_tags else ()
    tagged = [PreviousContent(tag=name, sha=sha) for name, sha in by_tag]
    return tagged or [PreviousContent(tag=None, sha=fetch_scalar(db, _BEFORE_UNTAGGED, params))]


_TAGS: Final = select(tag.c.name).where(tag.c.version_id == VERSION_ID).order_by(tag.c.created_at, tag.c.id)


def list_tags(db: Connection, consumer: str, version: str) -> list[str]:
    """List the tags of a consumer's version, oldest first."""
    return fetch_column(db, _TAGS, {"consumer": consumer, "version": version})


# Which of a provider's versions ought to verify new content: the head of its main branch (or the latest with a tag of
# that name) and whatever runs or is supported somewhere, without those that have a result for the content.
_UNVERIFIED: Final = ~exists().where(
    verification.c.content_id == CONTENT_ID, verification.c.provider_version_id == version.c.id
)
_MAIN: Final = (
    select(
        version.c.id,
        version.c.number,
        literal("main").label("reason"),
        pacticipant.c.main_branch.label("place"),
        literal(0).label("at"),
    )
    .select_from(pacticipant)
    .join(branch, and_(branch.c.pacticipant_id == pacticipant.c.id, branch.c.name == pacticipant.c.main_branch))
    .join(version, version.c.id == branch.c.head_version_id)
    .where(pacticipant.c.name == bindparam("provider"), _UNVERIFIED)
)
_MAIN_TAGGED: Final = (
    # The branch of a version that only has the tag is its own.
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
    """List the provider's versions that ought to verify a contract: number, why (main, deployed, released), where."""
    order = {"main": 0, "deployed": 1, "released": 2}
    found = sorted(fetch_rows(db, _REQUIRED, _named(contract)), key=lambda row: (order[row.reason], row.at))
    return [(row.number, row.reason, row.place) for row in found]
