"""Creating, replacing and removing webhooks."""

import base64
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from treaty.actions.webhooks.named_secrets import approve_use
from treaty.errors import Invalid, NotFound, Problem
from treaty.model.audit import Action, diff_webhooks
from treaty.model.pacticipants.pacticipants import describe_missing
from treaty.model.webhooks.events import CONTRACT_CONTENT_CHANGED
from treaty.model.webhooks.secrecy import is_full_mask, is_secret, is_secret_header, mask_url, read_origin
from treaty.model.webhooks.webhooks import (
    MASK,
    EncryptedText,
    PacticipantMatcher,
    Webhook,
    WebhookFilters,
    WebhookRequest,
    is_mask,
)
from treaty.store import audit
from treaty.store.engine.vault import Vault
from treaty.store.pacticipants import pacticipants
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
    consumers: tuple[PacticipantMatcher, ...] | None = None
    """Several consumers, instead of `consumer`."""
    providers: tuple[PacticipantMatcher, ...] | None = None
    digest_interval: timedelta | None = None


def create_webhook(
    db: Connection,
    draft: WebhookDraft,
    *,
    uuid: str | None = None,
    vault: Vault,
    now: datetime,
    can_manage_secrets: bool = False,
) -> Webhook:
    """Add a webhook; without `uuid`, under a new one. Raises Invalid, and Forbidden as `approve_use` does."""
    _lock_sides(db, draft)
    new = build_webhook(draft, None, uuid=uuid or new_uuid(), vault=vault, now=now)
    approve_use(db, new.request, vault=vault, now=now, can_manage_secrets=can_manage_secrets)
    webhooks.add(db, new)
    _record(db, Action.WEBHOOK_CREATION, None, new)
    return new


def put_webhook(
    db: Connection, uuid: str, draft: WebhookDraft, *, vault: Vault, now: datetime, can_manage_secrets: bool = False
) -> tuple[Webhook, bool]:
    """Replace a webhook, or add one with this UUID. Returns it and whether it is new.

    Secrets that the draft omits are kept, unless the URL leads to another server. Raises Invalid, and Forbidden as
    `approve_use` does.
    """
    _lock_sides(db, draft)
    # The lock keeps the stored secrets, which the new version may reuse, from changing in between.
    existing = webhooks.lock(db, uuid)
    if existing is None:
        created = create_webhook(db, draft, uuid=uuid, vault=vault, now=now, can_manage_secrets=can_manage_secrets)
        return created, True
    changed = build_webhook(draft, existing, uuid=uuid, vault=vault, now=now)
    approve_use(db, changed.request, vault=vault, now=now, can_manage_secrets=can_manage_secrets)
    webhooks.change(db, changed)
    # Its owner has presumably repaired the receiver, so saving a paused webhook resumes it.
    if existing.is_paused:
        webhooks.resume(db, uuid)
    _record(db, Action.WEBHOOK_CHANGE, existing, changed)
    return changed, False


def _lock_sides(db: Connection, draft: WebhookDraft) -> None:
    """Lock the pacticipants that a webhook names. Raises Invalid if one has been removed or renamed since it was found.

    The webhook would otherwise be stored without it, and be sent for all pacticipants.
    """
    names = dict(_list_named(draft))
    locked = {pacticipant.name for pacticipant in pacticipants.lock(db, set(names.values()))} if names else set()
    problems = [Problem((*path, "name"), describe_missing()) for path, name in names.items() if name not in locked]
    if problems:
        raise Invalid(*problems)


def _list_named(draft: WebhookDraft) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """List the path and the name of each pacticipant that a webhook names."""
    for role, side in (("consumer", draft.consumer), ("provider", draft.provider)):
        if side and side.name:
            yield (role,), side.name
    for role, members in (("consumers", draft.consumers), ("providers", draft.providers)):
        for index, member in enumerate(members or ()):
            if member.name:
                yield (role, index), member.name


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
    """Build a webhook from a draft, and encrypt its secrets. Raises Invalid for secrets that have to be entered."""
    old_request = existing.request if existing else None
    draft = _restore_hidden(draft, old_request)
    _check_masks(draft, existing)
    return Webhook(
        uuid=uuid,
        description=draft.description if draft.description is not None or existing is None else existing.description,
        consumer=draft.consumer,
        provider=draft.provider,
        is_enabled=draft.is_enabled,
        request=_build_request(draft, old_request, vault),
        # The default event is the original broker's.
        events=draft.events or (existing.events if existing else ()) or (CONTRACT_CONTENT_CHANGED,),
        secret=_encrypt_secret(draft.secret, existing.secret if existing else None, vault),
        filters=draft.filters,
        failing_since=existing.failing_since if existing and not existing.is_paused else None,
        pauses=draft.pauses,
        created_at=existing.created_at if existing else now,
        updated_at=now,
        consumers=draft.consumers,
        providers=draft.providers,
        digest_interval=draft.digest_interval,
    )


def _restore_hidden(draft: WebhookDraft, old_request: WebhookRequest | None) -> WebhookDraft:
    """Restore the values that are hidden from readers, where a client sends back what it read with a reader's token."""
    if old_request is None:
        return draft
    has_same_url = draft.url == mask_url(old_request.url)
    return replace(
        draft,
        url=old_request.url if has_same_url else draft.url,
        body=old_request.body if draft.body == MASK else draft.body,
        username=old_request.username if draft.username == MASK else draft.username,
    )


# Secrets that a draft refers to by their mask, or by leaving them out


def _check_masks(draft: WebhookDraft, existing: Webhook | None) -> None:
    """Check that the secrets that a draft keeps exist, and were entered for the same server. Raises Invalid."""
    problems = [*_find_masks_of_nothing(draft, existing)]
    if existing and (moved := _describe_move(draft, existing.request)):
        problems += [
            Problem(path, f"enter the secrets again: {title} {moved}") for path, title in _list_kept(draft, existing)
        ]
    if problems:
        raise Invalid(*problems)


def _describe_move(draft: WebhookDraft, old_request: WebhookRequest) -> str | None:
    """Describe that the URL leads to another server, which must not get the secrets of the former one."""
    old_origin, new_origin = read_origin(old_request.url), read_origin(draft.url)
    if old_origin == new_origin:
        return None
    return f"was entered for {old_origin}, and the URL leads to {new_origin} now"


def _list_kept(draft: WebhookDraft, existing: Webhook) -> Iterator[tuple[tuple[str, ...], str]]:
    """List the path and the title of each secret that a draft keeps."""
    for name, value in draft.headers.items():
        if is_mask(value) and _is_secret_in(existing.request, name):
            yield ("request", "headers", name), f"the header '{name}'"
    # Without a user, the password is not sent, and is dropped.
    if _keeps(draft.password, existing.request.password) and draft.username:
        yield ("request", "password"), "the password"
    if existing.secret and _keeps_signing_key(draft.secret):
        yield ("secret",), "the signing secret"


def _is_secret_in(request: WebhookRequest, name: str) -> bool:
    value = request.headers.get(name)
    return isinstance(value, EncryptedText) or (value is not None and is_secret_header(name, value))


def _keeps(value: str | None, old_value: str | EncryptedText | None) -> bool:
    is_old_secret = isinstance(old_value, EncryptedText) or (old_value is not None and is_secret(old_value))
    return is_old_secret and (value is None or is_mask(value))


def _keeps_signing_key(value: str | None) -> bool:
    return value is None or bool(value and is_mask(value))


def _find_masks_of_nothing(draft: WebhookDraft, existing: Webhook | None) -> Iterator[Problem]:
    """Find masks that stand for no stored secret, as in a copy of another webhook: they would be sent as they are."""
    text = "enter the secrets again: {} is masked, and there is no stored value"
    old_request = existing.request if existing else None
    for name, value in draft.headers.items():
        is_known = old_request is not None and name in old_request.headers
        if is_full_mask(value) and is_secret_header(name, value) and not is_known:
            yield Problem(("request", "headers", name), text.format(f"the header '{name}'"))
    if draft.password and is_full_mask(draft.password) and (old_request is None or old_request.password is None):
        yield Problem(("request", "password"), text.format("the password"))
    if draft.secret and is_full_mask(draft.secret) and (existing is None or existing.secret is None):
        yield Problem(("secret",), text.format("the signing secret"))
    if draft.url.endswith(f"/{MASK}") or draft.body == MASK:
        yield Problem(("request",), text.format("the path of the URL, or the body,"))


def _build_request(draft: WebhookDraft, old_request: WebhookRequest | None, vault: Vault) -> WebhookRequest:
    headers = {name: _encrypt_header(name, value, old_request, vault) for name, value in draft.headers.items()}
    return WebhookRequest(
        method=draft.method,
        url=draft.url,
        headers=headers,
        body=draft.body,
        username=draft.username,
        password=_encrypt_password(draft, old_request, vault),
    )


def _encrypt_header(name: str, value: str, old_request: WebhookRequest | None, vault: Vault) -> str | EncryptedText:
    if old_request and is_mask(value) and name in old_request.headers:
        old_value = old_request.headers[name]
        if isinstance(old_value, EncryptedText):
            return old_value
        value = old_value
    return vault.encrypt(value) if is_secret_header(name, value) else value


def _encrypt_password(
    draft: WebhookDraft, old_request: WebhookRequest | None, vault: Vault
) -> str | EncryptedText | None:
    value: str | EncryptedText | None = draft.password
    if old_request and (draft.password is None or is_mask(draft.password)):
        is_moved = read_origin(old_request.url) != read_origin(draft.url)
        value = None if is_moved and not draft.username else old_request.password
    return vault.encrypt(value) if isinstance(value, str) and is_secret(value) else value


def _encrypt_secret(value: str | None, old_secret: EncryptedText | None, vault: Vault) -> EncryptedText | None:
    if value is None or (old_secret and value and is_mask(value)):
        return old_secret
    # An empty text removes the secret.
    return vault.encrypt(value) if value else None


def new_uuid() -> str:
    """Generate a UUID as the original broker does: 22 characters of URL-safe Base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()
