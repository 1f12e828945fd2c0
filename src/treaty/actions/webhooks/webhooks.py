"""Creating, replacing and removing webhooks."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from treaty.errors import NotFound
from treaty.model.audit import Action, diff_webhooks
from treaty.model.webhooks.events import CONTRACT_CONTENT_CHANGED
from treaty.model.webhooks.webhooks import (
    EncryptedText,
    PacticipantMatcher,
    Webhook,
    WebhookFilters,
    WebhookRequest,
    is_mask,
    is_secret,
    is_secret_header,
)
from treaty.store import audit
from treaty.store.engine.vault import Vault
from treaty.store.webhooks import webhooks


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookDraft:
    """A webhook as a client describes it. Secrets are plain text, or the mask that the client was shown."""

    description: str | None = None
    consumer: PacticipantMatcher | None = None
    provider: PacticipantMatcher | None = None
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
    """None keeps the stored events, or means the default for a new webhook."""
    filters: WebhookFilters


def create_webhook(
    db: Connection, draft: WebhookDraft, *, uuid: str | None = None, vault: Vault, now: datetime
) -> Webhook:
    """Add a webhook; without `uuid`, under a new one."""
    new = build_webhook(draft, None, uuid=uuid or new_uuid(), vault=vault, now=now)
    webhooks.add(db, new)
    _record(db, Action.WEBHOOK_CREATION, None, new)
    return new


def put_webhook(db: Connection, uuid: str, draft: WebhookDraft, *, vault: Vault, now: datetime) -> tuple[Webhook, bool]:
    """Replace a webhook, or add one with this UUID. Returns it and whether it is new.

    Secrets that the draft omits are kept.
    """
    # The lock keeps the stored secrets, which the new version may reuse, from changing in between.
    existing = webhooks.lock(db, uuid)
    if existing is None:
        return create_webhook(db, draft, uuid=uuid, vault=vault, now=now), True
    changed = build_webhook(draft, existing, uuid=uuid, vault=vault, now=now)
    webhooks.change(db, changed)
    # Its owner has presumably repaired the receiver, so saving a paused webhook resumes it.
    if existing.is_paused:
        webhooks.resume(db, uuid)
    _record(db, Action.WEBHOOK_CHANGE, existing, changed)
    return changed, False


def remove_webhook(db: Connection, uuid: str) -> None:
    """Remove a webhook. Raises NotFound."""
    existing = webhooks.lock(db, uuid)
    if existing is None:
        raise NotFound
    webhooks.remove(db, uuid)
    _record(db, Action.WEBHOOK_REMOVAL, existing, None)


def _record(db: Connection, action: Action, old: Webhook | None, new: Webhook | None) -> None:
    before, after = diff_webhooks(old, new)
    webhook = new or old
    audit.record(db, action, resource=webhook.uuid if webhook else None, before=before, after=after)


def build_webhook(draft: WebhookDraft, existing: Webhook | None, *, uuid: str, vault: Vault, now: datetime) -> Webhook:
    """Build a webhook from a draft, and encrypt its secrets."""
    return Webhook(
        uuid=uuid,
        description=draft.description if draft.description is not None or existing is None else existing.description,
        consumer=draft.consumer,
        provider=draft.provider,
        is_enabled=draft.is_enabled,
        request=_build_request(draft, existing.request if existing else None, vault),
        # The default event is the original broker's.
        events=draft.events or (existing.events if existing else ()) or (CONTRACT_CONTENT_CHANGED,),
        secret=_encrypt_secret(draft.secret, existing.secret if existing else None, vault),
        filters=draft.filters,
        failing_since=existing.failing_since if existing and not existing.is_paused else None,
        pauses=draft.pauses,
        created_at=existing.created_at if existing else now,
        updated_at=now,
    )


def _build_request(draft: WebhookDraft, old_request: WebhookRequest | None, vault: Vault) -> WebhookRequest:
    headers = {name: _encrypt_header(name, value, old_request, vault) for name, value in draft.headers.items()}
    return WebhookRequest(
        method=draft.method,
        url=draft.url,
        headers=headers,
        body=draft.body,
        username=draft.username,
        password=_encrypt_password(draft.password, old_request, vault),
    )


def _encrypt_header(name: str, value: str, old_request: WebhookRequest | None, vault: Vault) -> str | EncryptedText:
    if old_request and is_mask(value) and name in old_request.headers:
        return old_request.headers[name]
    return vault.encrypt(value) if is_secret_header(name, value) else value


def _encrypt_password(
    value: str | None, old_request: WebhookRequest | None, vault: Vault
) -> str | EncryptedText | None:
    if old_request and (value is None or is_mask(value)):
        return old_request.password
    return vault.encrypt(value) if value is not None and is_secret(value) else value


def _encrypt_secret(value: str | None, old_secret: EncryptedText | None, vault: Vault) -> EncryptedText | None:
    if value is None or (old_secret and value and is_mask(value)):
        return old_secret
    # An empty text removes the secret.
    return vault.encrypt(value) if value else None


def new_uuid() -> str:
    """Generate a UUID as the original broker does: 22 characters of URL-safe Base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
