"""Lookups of a single pact, with its content."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    or_,
    select,
)

from treaty.model.pacts.pacts import Pact, PactKey
from treaty.model.pacts.renaming import replace_names
from treaty.store.engine.database import fetch_column, fetch_first, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    integration,
    pacticipant,
    publication,
    tag,
    version,
)

CONSUMER: Final = pacticipant.alias("consumer")
PROVIDER: Final = pacticipant.alias("provider")

PACTS: Final = (
    select(
        CONSUMER.c.name.label("consumer"),
        version.c.number.label("version"),
        PROVIDER.c.name.label("provider"),
        content.c.sha,
        publication.c.revision,
        version.c.id.label("consumer_version_id"),
        publication.c.created_at,
    )
    .select_from(publication)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .join(CONSUMER, CONSUMER.c.id == publication.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == publication.c.provider_id)
    .join(content, content.c.id == publication.c.content_id)
)
"""All revisions of all pacts; queries add `publication.c.is_current` for the newest revision of each version.

The columns are the fields of `Pact`, in their order."""


CONSUMER_ID: Final = select_pacticipant_id("consumer")
PROVIDER_ID: Final = select_pacticipant_id("provider")
IS_OF_PAIR: Final = and_(publication.c.consumer_id == CONSUMER_ID, publication.c.provider_id == PROVIDER_ID)
VERSION_ID: Final = (
    select(version.c.id)
    .where(version.c.pacticipant_id == CONSUMER_ID, version.c.number == bindparam("version"))
    .scalar_subquery()
)
CONTENT_ID: Final = (
    select(content.c.id)
    .where(
        content.c.consumer_id == CONSUMER_ID, content.c.provider_id == PROVIDER_ID, content.c.sha == bindparam("sha")
    )
    .scalar_subquery()
)


class PactWithBody(NamedTuple):
    """A pact with its content as JSON."""

    pact: Pact
    body: bytes


IS_RENAMED: Final = or_(CONSUMER.c.renamed_at.is_not(None), PROVIDER.c.renamed_at.is_not(None))
"""Condition that the stored pact of a pair may have former names."""


def _with_body(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return statement.add_columns(IS_RENAMED.label("is_renamed"), content.c.body).limit(1)


_OF_PAIR: Final = PACTS.where(IS_OF_PAIR, publication.c.is_current)
_OF_VERSION: Final = PACTS.where(
    publication.c.consumer_version_id == VERSION_ID,
    publication.c.provider_id == PROVIDER_ID,
    publication.c.is_current,
)
_OF_CONTENT: Final = PACTS.where(publication.c.content_id == CONTENT_ID).order_by(
    publication.c.position.desc(), publication.c.revision.desc()
)
_AT_VERSION: Final = _with_body(_OF_VERSION)
_WITH_SHA: Final = _with_body(_OF_CONTENT)
_WITH_SHA_AT: Final = _with_body(
    _OF_CONTENT.where(
        publication.c.consumer_version_id.in_(bindparam("version_ids", expanding=True)), publication.c.is_current
    )
)
_WITH_SHA_OF_VERSION: Final = _with_body(_OF_VERSION.where(publication.c.content_id == CONTENT_ID))
# One lookup by primary key: the latest publication is denormalized into the integration.
_LATEST: Final = _with_body(
    PACTS.where(
        publication.c.id
        == select(integration.c.latest_publication_id)
        .where(integration.c.consumer_id == CONSUMER_ID, integration.c.provider_id == PROVIDER_ID)
        .scalar_subquery()
    )
)
_candidate: Final = publication.alias("candidate")


def _select_newest_id(versions: Any, *conditions: ColumnElement[bool]) -> Any:
    """Select the publication of the highest version, among rows of a table with `version_id` and `position`.

    The correlated subquery makes the database walk the index of positions from the top and stop at the first version
    with a pact. A join would read all publications of the pair and sort them.
    """
    publication_id = (
        select(_candidate.c.id)
        .where(
            _candidate.c.consumer_version_id == versions.c.version_id,
            _candidate.c.provider_id == PROVIDER_ID,
            _candidate.c.is_current,
        )
        .scalar_subquery()
    )
    newest_first = (
        select(publication_id).where(*conditions, publication_id.is_not(None)).order_by(versions.c.position.desc())
    )
    return newest_first.limit(1).scalar_subquery()


_LATEST_TAGGED: Final = _with_body(
    PACTS.where(
        publication.c.id == _select_newest_id(tag, tag.c.pacticipant_id == CONSUMER_ID, tag.c.name == bindparam("tag"))
    )
)
_BRANCH_ID: Final = (
    select(branch.c.id)
    .where(branch.c.pacticipant_id == CONSUMER_ID, branch.c.name == bindparam("branch"))
    .scalar_subquery()
)
_LATEST_ON_BRANCH: Final = _with_body(
    PACTS.where(publication.c.id == _select_newest_id(branch_version, branch_version.c.branch_id == _BRANCH_ID))
)
_LATEST_UNTAGGED: Final = _with_body(
    _OF_PAIR.where(~exists().where(tag.c.version_id == version.c.id)).order_by(publication.c.position.desc())
)
# Compares positions rather than times: the original's "previous" follows the order of versions.
_PREVIOUS_DISTINCT: Final = _with_body(
    _OF_PAIR.where(
        publication.c.position < bindparam("position"),
        content.c.sha != bindparam("sha"),
    ).order_by(publication.c.position.desc())
)


def _fetch(db: Connection, statement: Select[*tuple[Any, ...]], params: dict[str, Any]) -> PactWithBody | None:
    row = fetch_first(db, statement, params)
    if row is None:
        return None
    pact, body = Pact._make(row[:-2]), row.body
    if row.is_renamed:
        body = replace_names(body, consumer=pact.consumer, provider=pact.provider)
    return PactWithBody(pact, body)


def find(db: Connection, key: PactKey) -> PactWithBody | None:
    """Find the pact of a consumer version, in its newest revision."""
    return _fetch(db, _AT_VERSION, {"consumer": key.consumer, "version": key.version, "provider": key.provider})


def find_by_sha(
    db: Connection,
    consumer: str,
    provider: str,
    sha: str,
    *,
    version_ids: Collection[int] = (),
    version: str | None = None,
) -> PactWithBody | None:
    """Find the latest publication of a content, if possible of one of these versions.

    The versions come from the metadata of a URL. Where none of them has the content (the pact was republished or the
    version deleted), the latest publication of any version stands in, as in the original.
    """
    pair = {"consumer": consumer, "provider": provider, "sha": sha}
    pact = None
    if version_ids:
        pact = _fetch(db, _WITH_SHA_AT, {**pair, "version_ids": list(version_ids)})
    elif version is not None:
        pact = _fetch(db, _WITH_SHA_OF_VERSION, {**pair, "version": version})
    return pact or _fetch(db, _WITH_SHA, pair)


def find_latest(db: Connection, consumer: str, provider: str) -> PactWithBody | None:
    """Find the pact of the highest version that has a pact."""
    return _fetch(db, _LATEST, {"consumer": consumer, "provider": provider})


def find_latest_tagged(db: Connection, consumer: str, provider: str, tag: str) -> PactWithBody | None:
    """Find the pact of the highest version that has both the tag and a pact."""
    return _fetch(db, _LATEST_TAGGED, {"consumer": consumer, "provider": provider, "tag": tag})


def find_latest_untagged(db: Connection, consumer: str, provider: str) -> PactWithBody | None:
    """Find the pact of the highest version that has a pact and no tag."""
    return _fetch(db, _LATEST_UNTAGGED, {"consumer": consumer, "provider": provider})


def find_latest_on_branch(db: Connection, consumer: str, provider: str, branch: str) -> PactWithBody | None:
    """Find the pact of the highest version of the branch that has a pact; it need not be the head."""
    return _fetch(db, _LATEST_ON_BRANCH, {"consumer": consumer, "provider": provider, "branch": branch})


VERSION_POSITION: Final = select(version.c.position).where(version.c.id == VERSION_ID)


def find_previous_distinct(db: Connection, pact: Pact) -> PactWithBody | None:
    """Find the pact of the closest lower version that has different content."""
    pair = {"consumer": pact.consumer, "provider": pact.provider}
    position = fetch_scalar(db, VERSION_POSITION, {"consumer": pact.consumer, "version": pact.version})
    return _fetch(db, _PREVIOUS_DISTINCT, {**pair, "position": position, "sha": pact.sha})


_NEXT_PUBLISHED: Final = (
    select(publication.c.created_at)
    .where(IS_OF_PAIR, publication.c.is_current, publication.c.position > bindparam("position"))
    .order_by(publication.c.position)
    .limit(1)
)


def find_next_published_at(db: Connection, pact: Pact) -> datetime | None:
    """Find when the pact of the next higher version was published; None if this is the latest."""
    pair = {"consumer": pact.consumer, "provider": pact.provider}
    position = fetch_scalar(db, VERSION_POSITION, {"consumer": pact.consumer, "version": pact.version})
    published_at: datetime | None = fetch_scalar(db, _NEXT_PUBLISHED, {**pair, "position": position})
    return published_at


_NUMBERS: Final = select(version.c.number).join(pacticipant).where(pacticipant.c.name == bindparam("consumer"))
_NUMBERS_BY_ID: Final = _NUMBERS.where(version.c.id.in_(bindparam("ids", expanding=True))).order_by(
    version.c.position.desc()
)
_NUMBERS_BY_NUMBER: Final = _NUMBERS.where(version.c.number == bindparam("version"))


def list_version_numbers(
    db: Connection, consumer: str, *, version_ids: Collection[int], version: str | None
) -> list[str]:
    """List the numbers of a consumer's versions, newest first. Ids of other pacticipants' versions are ignored.

    The ids come from the metadata of a URL, which anybody can write: the join with the consumer keeps them from
    revealing the versions of others.
    """
    if version_ids:
        return fetch_column(db, _NUMBERS_BY_ID, {"consumer": consumer, "ids": list(version_ids)})
    return [] if version is None else fetch_column(db, _NUMBERS_BY_NUMBER, {"consumer": consumer, "version": version})
