"""Creating, replacing and removing webhooks."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from treaty.errors import NotFound
from treaty.model.audit import Action, webhook_changes
from treaty.model.webhooks.events import CONTRACT_CONTENT_CHANGED
from treaty.model.webhooks.webhooks import (
    Filters,
    Request,
    Sealed,
    Side,
    Webhook,
    is_hidden,
    is_hidden_header,
    is_stars,
)
from treaty.store import audit
from treaty.store.engine.vault import Vault
from treaty.store.webhooks import webhooks


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What a client says about a webhook. Secrets stand in it as they were given: as they are, or as stars."""

    description: str | None = None
    consumer: Side | None = None
    provider: Side | None = None
    is_enabled: bool = True
    pauses: bool = False
    method: str
    url: str
    headers: Mapping[str, str]
    body: Any = None
    username: str | None = None
    password: str | None = None
    secret: str | None = None
    events: tuple[str, ...] | None = None
    filters: Filters


def create(db: Connection, draft: Draft, *, uuid: str | None = None, vault: Vault, now: datetime) -> Webhook:
    """Add a webhook, with an uuid of its own if it is not given one."""
    new = made(draft, None, uuid=uuid or new_uuid(), vault=vault, now=now)
    webhooks.add(db, new)
    _note(db, Action.WEBHOOK_CREATION, None, new)
    return new


def put(db: Connection, uuid: str, draft: Draft, *, vault: Vault, now: datetime) -> tuple[Webhook, bool]:
    """Replace a webhook, or add one with this uuid; say whether it is new.

    Secrets that are not given are kept. One that had paused goes on: its owner has seen to it.
    """
    existing = webhooks.lock(db, uuid)
    if existing is None:
        return create(db, draft, uuid=uuid, vault=vault, now=now), True
    changed = made(draft, existing, uuid=uuid, vault=vault, now=now)
    webhooks.change(db, changed)
    if existing.is_paused:
        webhooks.resume(db, uuid)
    _note(db, Action.WEBHOOK_CHANGE, existing, changed)
    return changed, False


def remove(db: Connection, uuid: str) -> None:
    """Remove a webhook. Raises NotFound."""
    existing = webhooks.lock(db, uuid)
    if existing is None:
        raise NotFound
    webhooks.remove(db, uuid)
    _note(db, Action.WEBHOOK_REMOVAL, existing, None)


def _note(db: Connection, action: Action, old: Webhook | None, new: Webhook | None) -> None:
    before, after = webhook_changes(old, new)
    one = new or old
    audit.note(db, action, resource=one.uuid if one else None, before=before, after=after)


def made(draft: Draft, existing: Webhook | None, *, uuid: str, vault: Vault, now: datetime) -> Webhook:
    """Make a webhook of a draft, its secrets sealed."""
    return Webhook(
        uuid=uuid,
        description=draft.description if draft.description is not None or existing is None else existing.description,
        consumer=draft.consumer,
        provider=draft.provider,
        is_enabled=draft.is_enabled,
        request=_request(draft, existing.request if existing else None, vault),
        events=draft.events or (existing.events if existing else ()) or (CONTRACT_CONTENT_CHANGED,),
        secret=_secret(draft.secret, existing.secret if existing else None, vault),
        filters=draft.filters,
        failing_since=existing.failing_since if existing and not existing.is_paused else None,
        pauses=draft.pauses,
        created_at=existing.created_at if existing else now,
        updated_at=now,
    )


def _request(draft: Draft, old: Request | None, vault: Vault) -> Request:
    headers = {name: _header(name, value, old, vault) for name, value in draft.headers.items()}
    return Request(
        method=draft.method,
        url=draft.url,
        headers=headers,
        body=draft.body,
        username=draft.username,
        password=_password(draft.password, old, vault),
    )


def _header(name: str, value: str, old: Request | None, vault: Vault) -> str | Sealed:
    if old and is_stars(value) and name in old.headers:
        return old.headers[name]
    return vault.seal(value) if is_hidden_header(name, value) else value


def _password(value: str | None, old: Request | None, vault: Vault) -> str | Sealed | None:
    if old and (value is None or is_stars(value)):
        return old.password
    return vault.seal(value) if value is not None and is_hidden(value) else value


def _secret(value: str | None, old: Sealed | None, vault: Vault) -> Sealed | None:
    if value is None or (old and value and is_stars(value)):
        return old
    return vault.seal(value) if value else None


def new_uuid() -> str:
    """Make up an uuid of 22 characters."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
