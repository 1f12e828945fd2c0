"""Tags of versions.

The latest version with each tag is denormalized into `tag_head`, because decisions ask for it most often.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, delete, exists, insert, select, update

from treaty.model.versions import Tag, Version
from treaty.store.engine.database import execute, fetch_column, fetch_one, fetch_rows
from treaty.store.tables import branch_version, pacticipant, tag, tag_head, version
from treaty.store.versions.versions import PACTICIPANT_ID


@dataclass(frozen=True, slots=True)
class TagState:
    """A tag if it exists, and what decides about the effects of adding it."""

    tag: Tag | None
    is_first: bool
    """Whether no version of the pacticipant has the tag yet."""
    is_newest: bool
    """Whether no newer version has the tag: then the version is the latest with it."""
    has_no_branch_or_tags: bool
    """Whether the version is on no branch and has no tags."""


_HEAD_VERSION: Final = version.alias()
_OTHER_TAG: Final = tag.alias()
_STATE: Final = (
    select(
        tag.c.created_at,
        tag.c.updated_at,
        version.c.position,
        _HEAD_VERSION.c.position.label("head_position"),
        ~exists().where(_OTHER_TAG.c.version_id == version.c.id).label("has_no_tags"),
        ~exists().where(branch_version.c.version_id == version.c.id).label("has_no_branch"),
    )
    .join_from(version, pacticipant)
    .outerjoin(tag, and_(tag.c.version_id == version.c.id, tag.c.name == bindparam("tag")))
    .outerjoin(tag_head, and_(tag_head.c.pacticipant_id == pacticipant.c.id, tag_head.c.name == bindparam("tag")))
    .outerjoin(_HEAD_VERSION, _HEAD_VERSION.c.id == tag_head.c.version_id)
    .where(pacticipant.c.name == bindparam("pacticipant"), version.c.number == bindparam("version"))
)


def load_state(db: Connection, version: Version, tag: str) -> TagState:
    """Load the state of a tag on an existing version, in one query."""
    row = fetch_rows(db, _STATE, {"pacticipant": version.pacticipant, "version": version.number, "tag": tag})[0]
    return TagState(
        tag=_tag(row, version, tag),
        is_first=row.head_position is None,
        is_newest=row.head_position is None or row.position >= row.head_position,
        has_no_branch_or_tags=bool(row.has_no_tags and row.has_no_branch),
    )


def _tag(row: Any, version: Version, name: str) -> Tag | None:
    if row.created_at is None:
        return None
    return Tag(
        pacticipant=version.pacticipant,
        version=version.number,
        name=name,
        is_head=row.position == row.head_position,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


_IS_TAGGED_VERSION: Final = version.c.pacticipant_id == PACTICIPANT_ID, version.c.number == bindparam("version")
_VERSION: Final = select(version.c.id).where(*_IS_TAGGED_VERSION).scalar_subquery()
_ADD: Final = insert(tag).from_select(
    ["version_id", "pacticipant_id", "position", "name", "created_at", "updated_at"],
    select(
        version.c.id,
        version.c.pacticipant_id,
        version.c.position,
        bindparam("name", type_=tag.c.name.type),
        bindparam("created_at", type_=tag.c.created_at.type),
        bindparam("updated_at", type_=tag.c.updated_at.type),
    ).where(*_IS_TAGGED_VERSION),
)
_ADD_HEAD: Final = insert(tag_head).from_select(
    ["pacticipant_id", "version_id", "name"],
    select(version.c.pacticipant_id, version.c.id, bindparam("name", type_=tag_head.c.name.type)).where(
        *_IS_TAGGED_VERSION
    ),
)
_SET_HEAD: Final = (
    update(tag_head)
    .where(tag_head.c.pacticipant_id == PACTICIPANT_ID, tag_head.c.name == bindparam("head_name"))
    .values(version_id=_VERSION)
)


def add(db: Connection, new: Tag) -> None:
    """Tag a version without changing the head of the tag."""
    execute(db, _ADD, new)


def add_head(db: Connection, first: Tag) -> None:
    """Make a version the head of a tag that no other version has."""
    execute(db, _ADD_HEAD, first)


def set_head(db: Connection, newest: Tag) -> None:
    """Make a version the head of a tag that other versions have."""
    values = {"pacticipant": newest.pacticipant, "version": newest.version, "head_name": newest.name}
    execute(db, _SET_HEAD, values)


_FIND: Final = (
    select(
        pacticipant.c.name.label("pacticipant"),
        version.c.number.label("version"),
        tag.c.name,
        tag_head.c.id.is_not(None).label("is_head"),
        tag.c.created_at,
        tag.c.updated_at,
    )
    .join_from(tag, version)
    .join(pacticipant, pacticipant.c.id == tag.c.pacticipant_id)
    .outerjoin(tag_head, and_(tag_head.c.version_id == tag.c.version_id, tag_head.c.name == tag.c.name))
    .where(pacticipant.c.name == bindparam("pacticipant"), version.c.number == bindparam("version"))
    .where(tag.c.name == bindparam("name"))
)
_NAMES: Final = select(tag.c.name).where(tag.c.version_id == _VERSION).order_by(tag.c.id)
_REMOVE: Final = delete(tag).where(tag.c.version_id == _VERSION, tag.c.name == bindparam("removed_name"))
_REMOVE_HEAD: Final = delete(tag_head).where(
    tag_head.c.pacticipant_id == PACTICIPANT_ID, tag_head.c.name == bindparam("removed_name")
)
_ADD_NEW_HEAD: Final = insert(tag_head).from_select(
    ["pacticipant_id", "version_id", "name"],
    select(tag.c.pacticipant_id, tag.c.version_id, tag.c.name)
    .where(tag.c.pacticipant_id == PACTICIPANT_ID, tag.c.name == bindparam("removed_name"))
    .order_by(tag.c.position.desc())
    .limit(1),
)


def find(db: Connection, pacticipant: str, version: str, name: str) -> Tag | None:
    return fetch_one(db, _FIND, {"pacticipant": pacticipant, "version": version, "name": name}, Tag)


def list_names(db: Connection, version: Version) -> list[str]:
    """List the tags of a version in the order in which they were added."""
    return fetch_column(db, _NAMES, {"pacticipant": version.pacticipant, "version": version.number})


def remove(db: Connection, version: Version, name: str) -> None:
    """Remove a tag from a version. The newest remaining version with the tag becomes its head."""
    params = {"pacticipant": version.pacticipant, "version": version.number, "removed_name": name}
    for statement in (_REMOVE, _REMOVE_HEAD, _ADD_NEW_HEAD):
        execute(db, statement, params)
