"""Encryption and decryption of a webhook's request."""

from dataclasses import replace

from treaty.model.webhooks.webhooks import EncryptedText, WebhookRequest
from treaty.store.engine.vault import Vault, WrongKey


def decrypt_request(request: WebhookRequest, vault: Vault) -> WebhookRequest:
    """Decrypt the headers and the password of a request. Raises WrongKey.

    A request without encrypted values needs no key, and can be sent even if the key is missing.
    """
    headers = {name: _decrypt(vault, value) for name, value in request.headers.items()}
    password = None if request.password is None else _decrypt(vault, request.password)
    return replace(request, headers=headers, password=password)


def _decrypt(vault: Vault, value: str | EncryptedText) -> str:
    return vault.decrypt(value) if isinstance(value, EncryptedText) else value


def decrypt_if_possible(request: WebhookRequest, vault: Vault) -> WebhookRequest:
    """Decrypt the values whose key the server has. Without the others, the request cannot be sent anyway."""
    headers = {name: _decrypt_or_keep(vault, value) for name, value in request.headers.items()}
    password = None if request.password is None else _decrypt_or_keep(vault, request.password)
    return replace(request, headers=headers, password=password)


def _decrypt_or_keep(vault: Vault, value: str | EncryptedText) -> str | EncryptedText:
    try:
        return _decrypt(vault, value)
    except WrongKey:
        return value
