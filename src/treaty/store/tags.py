"""Tags, and which version is the latest with each."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, exists, insert, select, update

from treaty.model.version import Tag, Version
from treaty.store.database import rows, run
from treaty.store.tables import branch_version, pacticipant, tag, tag_head, version
from treaty.store.versions import PACTICIPANT


@dataclass(frozen=True, slots=True)
class Standing:
    """What is there of a tag, and what else is on its version."""

    tag: Tag | None
    is_first: bool
    """Whether no version has the tag yet."""
    is_newest: bool
    """Whether no newer version has the tag."""
    is_bare: bool
    """Whether the version is on no branch and has no tags."""


_head_version: Final = version.alias()
_other_tag: Final = tag.alias()
_STANDING: Final = (
    select(
        tag.c.created_at,
        tag.c.updated_at,
        version.c.position,
        _head_version.c.position.label("head_position"),
        ~exists().where(_other_tag.c.version_id == version.c.id).label("has_no_tags"),
        ~exists().where(branch_version.c.version_id == version.c.id).label("has_no_branch"),
    )
    .join_from(version, pacticipant)
    .outerjoin(tag, and_(tag.c.version_id == version.c.id, tag.c.name == bindparam("tag")))
    .outerjoin(tag_head, and_(tag_head.c.pacticipant_id == pacticipant.c.id, tag_head.c.name == bindparam("tag")))
    .outerjoin(_head_version, _head_version.c.id == tag_head.c.version_id)
    .where(pacticipant.c.name == bindparam("pacticipant"), version.c.number == bindparam("version"))
)


def standing(db: Connection, on: Version, tag: str) -> Standing:
    """Find a tag and what its version has besides, in one look."""
    row = rows(db, _STANDING, {"pacticipant": on.pacticipant, "version": on.number, "tag": tag})[0]
    return Standing(
        tag=_tag(row, on, tag),
        is_first=row.head_position is None,
        is_newest=row.head_position is None or row.position >= row.head_position,
        is_bare=bool(row.has_no_tags and row.has_no_branch),
    )


def _tag(row: Any, on: Version, name: str) -> Tag | None:  # noqa: ANN401 - a row's own type
    if row.created_at is None:
        return None
    return Tag(
        pacticipant=on.pacticipant,
        version=on.number,
        name=name,
        is_head=row.position == row.head_position,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


_TAGGED: Final = version.c.pacticipant_id == PACTICIPANT, version.c.number == bindparam("version")
_ADD: Final = insert(tag).from_select(
    ["version_id", "pacticipant_id", "position", "name", "created_at", "updated_at"],
    select(
        version.c.id,
        version.c.pacticipant_id,
        version.c.position,
        bindparam("name", type_=tag.c.name.type),
        bindparam("created_at", type_=tag.c.created_at.type),
        bindparam("updated_at", type_=tag.c.updated_at.type),
    ).where(*_TAGGED),
)
_ADD_HEAD: Final = insert(tag_head).from_select(
    ["pacticipant_id", "version_id", "name"],
    select(version.c.pacticipant_id, version.c.id, bindparam("name", type_=tag_head.c.name.type)).where(*_TAGGED),
)
_SET_HEAD: Final = (
    update(tag_head)
    .where(tag_head.c.pacticipant_id == PACTICIPANT, tag_head.c.name == bindparam("_name"))
    .values(version_id=select(version.c.id).where(*_TAGGED).scalar_subquery())
)


def add(db: Connection, new: Tag) -> None:
    """Tag a version; which is the latest with the tag stays."""
    run(db, _ADD, new)


def add_head(db: Connection, first: Tag) -> None:
    """Make a version the latest with a tag that no other version has."""
    run(db, _ADD_HEAD, first)


def set_head(db: Connection, newest: Tag) -> None:
    """Make a version the latest with a tag that others have."""
    values = {"pacticipant": newest.pacticipant, "version": newest.version, "_name": newest.name}
    run(db, _SET_HEAD, values)
