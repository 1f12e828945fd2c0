"""The columns with encrypted texts, and their re-encryption in batches of rows."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Column, Connection, Select, Update, bindparam, or_, select, update

from treaty.model.webhooks.webhooks import EncryptedText
from treaty.store.engine.database import execute, fetch_rows
from treaty.store.engine.vault import KeyStatus, Vault
from treaty.store.tables import access, second_factor, secret, webhook


@dataclass(frozen=True, slots=True)
class EncryptedColumn:
    """A column with encrypted texts, in a table whose primary key is one column."""

    column: Column[Any]
    is_json: bool = False
    """Whether the value is JSON with encrypted texts as `{"sealed": …}`; otherwise all of it is an encrypted text."""

    @property
    def id(self) -> Column[Any]:
        (id_column,) = self.column.table.primary_key
        return id_column


ENCRYPTED_COLUMNS: Final = (
    EncryptedColumn(webhook.c.headers, is_json=True),
    EncryptedColumn(webhook.c.password, is_json=True),
    EncryptedColumn(webhook.c.secret),
    EncryptedColumn(secret.c.value),
    EncryptedColumn(access.c.sealed_key),
    EncryptedColumn(second_factor.c.secret),
)
"""All columns with encrypted texts. A column missing here could not be decrypted once its key is removed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RotationBatch:
    """Result of re-encrypting a batch of rows of a column."""

    last_id: Any
    """Id of the last row of the batch; None if there are no more rows."""
    rotated_count: int
    """Number of re-encrypted texts."""


def rotate(db: Connection, column: EncryptedColumn, vault: Vault, *, after: Any, limit: int) -> RotationBatch:
    """Re-encrypt the texts of older keys in the next `limit` rows of a column: those after an id, or the first ones."""
    rows = fetch_rows(db, _select_batch(column), {"after": after, "row_limit": limit})
    rotated_count = sum(_rotate_row(db, column, row, vault) for row in rows)
    return RotationBatch(last_id=rows[-1].id if len(rows) == limit else None, rotated_count=rotated_count)


def _rotate_row(db: Connection, column: EncryptedColumn, row: Any, vault: Vault) -> int:
    # Texts of the newest key are left alone, so a repeated rotation has nothing to do. Texts of unknown keys are left,
    # too: they can be decrypted once their key is configured again.
    outdated = [text for text in find_encrypted(column, row.text) if vault.get_key_status(text) is KeyStatus.OLDER]
    if outdated:
        replacements = {text.text: vault.encrypt(vault.decrypt(text)).text for text in outdated}
        execute(db, _update_text(column), {"row_id": row.id, "text": _replace(column, row.text, replacements)})
    return len(outdated)


def count_by_key(db: Connection, vault: Vault) -> Counter[KeyStatus]:
    """Count the encrypted texts by the status of their key."""
    return Counter(
        vault.get_key_status(text)
        for column in ENCRYPTED_COLUMNS
        for row in fetch_rows(db, _select_all(column), {})
        for text in find_encrypted(column, row.text)
    )


def has_any(db: Connection) -> bool:
    """Whether the database contains any encrypted text."""
    return any(
        find_encrypted(column, row.text)
        for column in ENCRYPTED_COLUMNS
        for row in fetch_rows(db, _select_all(column), {})
    )


@lru_cache
def _select_all(column: EncryptedColumn) -> Select[Any, Any]:
    return (
        select(column.id.label("id"), column.column.label("text")).where(column.column.is_not(None)).order_by(column.id)
    )


@lru_cache
def _select_batch(column: EncryptedColumn) -> Select[Any, Any]:
    after = bindparam("after", type_=column.id.type)
    is_next = or_(after.is_(None), column.id > after)
    # Locked, so that a user's change of the same webhook is not overwritten with the former secret.
    return _select_all(column).where(is_next).limit(bindparam("row_limit")).with_for_update()


@lru_cache
def _update_text(column: EncryptedColumn) -> Update:
    table: Any = column.column.table
    return update(table).where(column.id == bindparam("row_id")).values({column.column.name: bindparam("text")})


def find_encrypted(column: EncryptedColumn, text: str) -> list[EncryptedText]:
    """List the encrypted texts in a value of a column."""
    texts = _find_in_json(json.loads(text)) if column.is_json else (text,)
    return [EncryptedText(encrypted) for encrypted in texts]


def _find_in_json(value: Any) -> Iterator[str]:
    match value:
        case {"sealed": str(text)}:
            yield text
        case dict():
            for item in value.values():
                yield from _find_in_json(item)
        case _:
            return


def _replace(column: EncryptedColumn, text: str, replacements: Mapping[str, str]) -> str:
    if not column.is_json:
        return replacements.get(text, text)
    value = _replace_in_json(json.loads(text), replacements)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _replace_in_json(value: Any, replacements: Mapping[str, str]) -> Any:
    match value:
        case {"sealed": str(text)}:
            return {"sealed": replacements.get(text, text)}
        case dict():
            return {name: _replace_in_json(item, replacements) for name, item in value.items()}
        case _:
            return value
