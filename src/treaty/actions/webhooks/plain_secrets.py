"""Encrypts secrets that earlier versions of Treaty stored in plain text, and masks them in the logs of deliveries."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.model.webhooks.deliveries import mask_log
from treaty.model.webhooks.secrecy import is_secret, is_secret_header, remove_user
from treaty.model.webhooks.webhooks import EncryptedText, Webhook, WebhookRequest
from treaty.store import audit
from treaty.store.engine.vault import Vault
from treaty.store.webhooks import plain_secrets, webhooks

BATCH_SIZE: Final = 200
"""Logs in one transaction."""
_MIN_ECHO_LENGTH: Final = 8
"""Shorter values are masked only in the headers of old logs: elsewhere, they may occur by chance."""


def list_plain_values(db: Connection) -> list[str]:
    """List the secrets in plain text of all webhooks."""
    return [value for webhook in webhooks.list_all(db) for value in _list_plain_values(webhook.request)]


def _list_plain_values(request: WebhookRequest) -> list[str]:
    _, user, password = remove_user(request.url)
    values = [
        value for name, value in request.headers.items() if isinstance(value, str) and is_secret_header(name, value)
    ]
    if isinstance(request.password, str) and is_secret(request.password):
        values.append(request.password)
    return [*values, *(text for text in (user, password) if text)]


def encrypt_webhooks(db: Connection, vault: Vault) -> int:
    """Encrypt the plain secrets of all webhooks, and return their number. May be repeated at any time."""
    count = 0
    for listed in webhooks.list_all(db):
        if _list_plain_values(listed.request) and (locked := webhooks.lock(db, listed.uuid)):
            count += len(_list_plain_values(locked.request))
            webhooks.change(db, _encrypt(locked, vault))
    if count:
        # The former values remain in the file until they are erased, after this transaction.
        plain_secrets.add_mark(db)
        audit.record(db, Action.KEY_CHANGE, params={"newly_encrypted": count})
    return count


def _encrypt(webhook: Webhook, vault: Vault) -> Webhook:
    request = _move_user(webhook.request)
    headers: dict[str, str | EncryptedText] = {
        name: vault.encrypt(value) if isinstance(value, str) and is_secret_header(name, value) else value
        for name, value in request.headers.items()
    }
    password = request.password
    if isinstance(password, str) and is_secret(password):
        password = vault.encrypt(password)
    return replace(webhook, request=replace(request, headers=headers, password=password))


def _move_user(request: WebhookRequest) -> WebhookRequest:
    """Move a user and password from the URL, where they were shown and never sent, to their own properties."""
    url, user, password = remove_user(request.url)
    if user is None or request.username or "authorization" in request.headers:
        return replace(request, url=url)
    return replace(request, url=url, username=user, password=password)


def build_log_mask(values: list[str]) -> Callable[[str], str]:
    """Return a function that masks credentials in the log of an attempt, and these values wherever they are."""
    secrets = frozenset(value for value in values if len(value) >= _MIN_ECHO_LENGTH)
    return lambda text: mask_log(text, secrets)


def mask_logs(db: Connection, mask: Callable[[str], str], *, after: int) -> int | None:
    """Mask a batch of logs, those after an id. Returns the last id, or None if there are no more."""
    return plain_secrets.change_logs(db, mask, after=after, limit=BATCH_SIZE)
