"""Where sealed texts stand, and sealing them anew, some rows at a time."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, Update, bindparam, or_, select, update

from treaty.model.webhooks.webhooks import EncryptedText
from treaty.store.engine.database import execute, fetch_rows
from treaty.store.engine.vault import KeyStatus, Vault
from treaty.store.tables import access, webhook


@dataclass(frozen=True, slots=True)
class EncryptedColumn:
    """A column with sealed texts, in a table whose rows have an id."""

    column: Column[Any]
    is_json: bool = False
    """Whether it is JSON, in which sealed texts stand as `{"sealed": …}`; else it is a sealed text as a whole."""

    @property
    def id(self) -> Column[Any]:
        (found,) = self.column.table.primary_key
        return found


ENCRYPTED_COLUMNS: Final = (
    EncryptedColumn(webhook.c.headers, is_json=True),
    EncryptedColumn(webhook.c.password, is_json=True),
    EncryptedColumn(webhook.c.secret),
    EncryptedColumn(access.c.sealed_key),
)
"""All of them: what is missing here cannot be opened once its key is gone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RotationBatch:
    """What became of some rows of a column."""

    last_id: Any
    """The id of the last; None when there are no more."""
    rotated_count: int
    """How many texts were sealed anew."""


def rotate(db: Connection, one: EncryptedColumn, vault: Vault, *, after: Any, limit: int) -> RotationBatch:
    """Seal anew, in some rows after one, what was sealed with an older key."""
    found = fetch_rows(db, _some(one), {"after": after, "most": limit})
    renewed = sum(_renew_row(db, one, row, vault) for row in found)
    return RotationBatch(last_id=found[-1].id if len(found) == limit else None, rotated_count=renewed)


def _renew_row(db: Connection, one: EncryptedColumn, row: Any, vault: Vault) -> int:
    older = [text for text in _sealed_in(one, row.text) if vault.get_key_status(text) is KeyStatus.OLDER]
    if older:
        anew = {text.text: vault.encrypt(vault.decrypt(text)).text for text in older}
        text = _with(one, row.text, lambda sealed: anew.get(sealed, sealed))
        execute(db, _change(one), {"its_id": row.id, "text": text})
    return len(older)


def count_by_key(db: Connection, vault: Vault) -> Counter[KeyStatus]:
    """Count sealed texts by what they were sealed with."""
    return Counter(
        vault.get_key_status(text)
        for one in ENCRYPTED_COLUMNS
        for row in fetch_rows(db, _every(one), {})
        for text in _sealed_in(one, row.text)
    )


def has_any(db: Connection) -> bool:
    """Whether anything was sealed."""
    return any(_sealed_in(one, row.text) for one in ENCRYPTED_COLUMNS for row in fetch_rows(db, _every(one), {}))


@lru_cache
def _every(one: EncryptedColumn) -> Select[Any, Any]:
    return select(one.id.label("id"), one.column.label("text")).where(one.column.is_not(None)).order_by(one.id)


@lru_cache
def _some(one: EncryptedColumn) -> Select[Any, Any]:
    after = bindparam("after", type_=one.id.type)
    return _every(one).where(or_(after.is_(None), one.id > after)).limit(bindparam("most")).with_for_update()


@lru_cache
def _change(one: EncryptedColumn) -> Update:
    table: Any = one.column.table
    return update(table).where(one.id == bindparam("its_id")).values({one.column.name: bindparam("text")})


def _sealed_in(one: EncryptedColumn, text: str) -> list[EncryptedText]:
    return [EncryptedText(found) for found in _texts(json.loads(text))] if one.is_json else [EncryptedText(text)]


def _texts(value: Any) -> Iterator[str]:
    match value:
        case {"sealed": str(text)}:
            yield text
        case dict():
            for item in value.values():
                yield from _texts(item)
        case _:
            return


def _with(one: EncryptedColumn, text: str, change: Callable[[str], str]) -> str:
    if not one.is_json:
        return change(text)
    return json.dumps(_changed(json.loads(text), change), ensure_ascii=False, separators=(",", ":"))


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    match value:
        case {"sealed": str(text)}:
            return {"sealed": change(text)}
        case dict():
            return {name: _changed(item, change) for name, item in value.items()}
        case _:
            return value
