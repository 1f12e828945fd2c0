"""The limits of tokens and system accounts, stored as JSON beside them."""

import json
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, Update, bindparam, select, update

from treaty.model.accounts.scopes import Limits, Scope
from treaty.store.engine.database import execute, fetch_rows
from treaty.store.tables import account, token

_SCOPES: Final = {scope.value: scope for scope in Scope}


def dump_limits(limits: Limits | None) -> str | None:
    if limits is None:
        return None
    applications = None if limits.applications is None else sorted(limits.applications)
    return json.dumps({"scopes": sorted(limits.scopes), "applications": applications})


@lru_cache(maxsize=1024)
def load_limits(text: str | None) -> Limits | None:
    """Read stored limits. Scopes that a newer Treaty has added grant nothing here."""
    if text is None:
        return None
    stored = json.loads(text)
    applications = stored["applications"]
    return Limits(
        frozenset(_SCOPES[name] for name in stored["scopes"] if name in _SCOPES),
        None if applications is None else frozenset(applications),
    )


def _select_limited(table: Table) -> Select[*tuple[Any, ...]]:
    # Locked, so that a change of the limits meanwhile is not overwritten.
    return (
        select(table.c.uuid, table.c.limits).where(table.c.limits.is_not(None)).order_by(table.c.id).with_for_update()
    )


def _set_limits(table: Table) -> Update:
    return update(table).where(table.c.uuid == bindparam("row_uuid")).values(limits=bindparam("new_limits"))


_STATEMENTS: Final = tuple((_select_limited(table), _set_limits(table)) for table in (account, token))


def count_limited_to(db: Connection, application: str) -> int:
    """Count the accounts and tokens that are limited to an application, or to several with this one."""
    texts = [text for select_limited, _ in _STATEMENTS for _, text in fetch_rows(db, select_limited, {})]
    return sum(application in (json.loads(text)["applications"] or ()) for text in texts)


def rename_application(db: Connection, old: str, new: str) -> list[str]:
    """Rename an application in the limits of all accounts and tokens. Returns the UUIDs of those that named it."""
    renamed = []
    for select_limited, set_limits in _STATEMENTS:
        for uuid, text in fetch_rows(db, select_limited, {}):
            limits = json.loads(text)  # as stored, with the scopes that a newer Treaty has added
            names = set(limits["applications"] or ())
            if old in names:
                changed = {**limits, "applications": sorted(names - {old} | {new})}
                execute(db, set_limits, {"row_uuid": uuid, "new_limits": json.dumps(changed)})
                renamed.append(uuid)
    return renamed
