"""Stores named secrets. Their values are encrypted."""

import json
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from treaty.errors import NotFound
from treaty.model.webhooks.named_secrets import NamedSecret, encode_origins
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.store.engine.database import execute, fetch_first, fetch_rows
from treaty.store.tables import secret

_SECRETS: Final = select(secret).order_by(secret.c.name)
_BY_UUID: Final = select(secret).where(secret.c.uuid == bindparam("uuid"))
_BY_NAME: Final = select(secret).where(secret.c.name == bindparam("name"))
_LOCK: Final = _BY_UUID.with_for_update()
_CHANGEABLE: Final = ("name", "description", "value", "origins", "updated_at")
_VALUES: Final[dict[str, Any]] = {name: bindparam(name) for name in _CHANGEABLE}
_ADD: Final = insert(secret).values(uuid=bindparam("uuid"), created_at=bindparam("created_at"), **_VALUES)
_CHANGE: Final = update(secret).where(secret.c.uuid == bindparam("secret_uuid")).values(**_VALUES)
_REMOVE: Final = delete(secret).where(secret.c.uuid == bindparam("uuid"))


def list_all(db: Connection) -> list[NamedSecret]:
    return [_build_secret(row) for row in fetch_rows(db, _SECRETS, {})]


def load_by_name(db: Connection) -> dict[str, NamedSecret]:
    return {secret.name: secret for secret in list_all(db)}


def find_by_name(db: Connection, name: str) -> NamedSecret | None:
    row = fetch_first(db, _BY_NAME, {"name": name})
    return None if row is None else _build_secret(row)


def get(db: Connection, uuid: str) -> NamedSecret:
    """Load a secret. Raises NotFound."""
    return _get(db, _BY_UUID, uuid)


def lock(db: Connection, uuid: str) -> NamedSecret:
    """Load a secret and lock it against changes until the transaction ends. Raises NotFound."""
    return _get(db, _LOCK, uuid)


def _get(db: Connection, statement: Any, uuid: str) -> NamedSecret:
    row = fetch_first(db, statement, {"uuid": uuid})
    if row is None:
        raise NotFound
    return _build_secret(row)


def _build_secret(row: Any) -> NamedSecret:
    return NamedSecret(
        uuid=row.uuid,
        name=row.name,
        description=row.description,
        value=EncryptedText(row.value),
        origins=tuple(json.loads(row.origins)),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def add(db: Connection, new: NamedSecret) -> None:
    execute(db, _ADD, {**_columns(new), "uuid": new.uuid, "created_at": new.created_at})


def change(db: Connection, changed: NamedSecret) -> None:
    """Replace all properties of a secret but its creation time."""
    execute(db, _CHANGE, {**_columns(changed), "secret_uuid": changed.uuid})


def _columns(saved: NamedSecret) -> dict[str, Any]:
    return {
        "name": saved.name,
        "description": saved.description,
        "value": saved.value.text,
        "origins": encode_origins(saved.origins),
        "updated_at": saved.updated_at,
    }


def remove(db: Connection, uuid: str) -> None:
    execute(db, _REMOVE, {"uuid": uuid})
