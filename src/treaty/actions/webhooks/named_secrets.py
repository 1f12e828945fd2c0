"""Creating, changing and removing named secrets, and approving the servers that webhooks send them to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy import Connection

from treaty.actions.webhooks.encryption import decrypt_if_possible
from treaty.errors import Conflict, Forbidden, Invalid, Problem
from treaty.model.audit import REDACTED, REDACTED_CHANGE, Action, FieldValues, diff_fields
from treaty.model.webhooks.named_secrets import (
    NamedSecret,
    SecretUse,
    describe_forbidden,
    describe_missing,
    find_name_problem,
    find_value_problem,
    list_names,
    parse_origin,
)
from treaty.model.webhooks.secrecy import read_origin
from treaty.model.webhooks.webhooks import WebhookRequest
from treaty.store import audit
from treaty.store.engine.vault import Vault
from treaty.store.webhooks import named_secrets, webhooks

MISSING_PERMISSION: Final = "manage secrets"


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretDraft:
    """A named secret as a client describes it."""

    name: str | None = None
    """None keeps the stored name."""
    value: str | None = None
    """Plain text; None keeps the stored value."""
    description: str | None = None
    keeps_description: bool = False
    origins: Sequence[str] | None = None
    """Servers that it may be sent to; None keeps the stored ones, or means none for a new secret."""


def add_secret(db: Connection, draft: SecretDraft, *, vault: Vault, now: datetime) -> NamedSecret:
    """Add a secret. Raises Invalid, also if its name is taken."""
    _check(db, draft, None)
    new = NamedSecret(
        uuid=str(uuid4()),
        name=draft.name or "",
        description=draft.description,
        value=vault.encrypt(draft.value or ""),
        origins=_read_origins(draft.origins or ()),
        created_at=now,
        updated_at=now,
    )
    named_secrets.add(db, new)
    audit.record(db, Action.SECRET_CREATION, resource=new.name, after={**_audited_fields(new), "value": REDACTED})
    return new


def change_secret(db: Connection, uuid: str, draft: SecretDraft, *, vault: Vault, now: datetime) -> NamedSecret:
    """Change a secret. Raises NotFound, Invalid, and Conflict for a new name while webhooks use the former one."""
    existing = named_secrets.lock(db, uuid)
    _check(db, draft, existing)
    if draft.name not in {None, existing.name} and (uses := list_uses(db, vault).get(existing.name)):
        raise Conflict(f"The secret cannot be renamed, because webhooks use its name: {_list_titles(uses)}.")
    changed = replace(
        existing,
        name=draft.name or existing.name,
        description=existing.description if draft.keeps_description else draft.description,
        value=existing.value if draft.value is None else vault.encrypt(draft.value),
        origins=existing.origins if draft.origins is None else _read_origins(draft.origins),
        updated_at=now,
    )
    _store(db, existing, changed)
    return changed


def _store(db: Connection, existing: NamedSecret, changed: NamedSecret) -> None:
    named_secrets.change(db, changed)
    new_value = REDACTED if existing.value == changed.value else REDACTED_CHANGE
    before, after = diff_fields(
        {**_audited_fields(existing), "value": REDACTED}, {**_audited_fields(changed), "value": new_value}
    )
    audit.record(db, Action.SECRET_CHANGE, resource=existing.name, before=before, after=after)


def remove_secret(db: Connection, uuid: str, *, vault: Vault, is_forced: bool) -> None:
    """Remove a secret. Raises NotFound, and Conflict if webhooks use it, unless it is forced."""
    existing = named_secrets.lock(db, uuid)
    uses = list_uses(db, vault).get(existing.name)
    if uses and not is_forced:
        raise Conflict(
            f"The secret '{existing.name}' is used by webhooks, whose deliveries would fail: {_list_titles(uses)}. "
            "Change these first, or force the deletion (?force=true, or --force on the command line)."
        )
    named_secrets.remove(db, uuid)
    audit.record(db, Action.SECRET_REMOVAL, resource=existing.name, before=_audited_fields(existing))


def _audited_fields(secret: NamedSecret) -> FieldValues:
    return {"name": secret.name, "description": secret.description, "origins": list(secret.origins)}


def _list_titles(uses: Sequence[SecretUse]) -> str:
    return ", ".join(f"{use.title} ({use.webhook})" for use in uses)


def _check(db: Connection, draft: SecretDraft, existing: NamedSecret | None) -> None:
    problems = []
    if draft.name is not None or existing is None:
        problems += _find_name_problems(db, draft.name or "", existing)
    if (draft.value is not None or existing is None) and (text := find_value_problem(draft.value or "")):
        problems.append(Problem(("value",), text))
    problems += [
        Problem(("allowedOrigins", index), "must be an origin such as https://ci.example.org, without a path")
        for index, origin in enumerate(draft.origins or ())
        if parse_origin(origin) is None
    ]
    if problems:
        raise Invalid(*problems)


def _find_name_problems(db: Connection, name: str, existing: NamedSecret | None) -> list[Problem]:
    text = find_name_problem(name)
    namesake = None if text else named_secrets.find_by_name(db, name)
    if namesake and (existing is None or namesake.uuid != existing.uuid):
        text = f"'{name}' is already used by another secret"
    return [Problem(("name",), text)] if text else []


def _read_origins(origins: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(origin for origin in map(parse_origin, origins) if origin is not None))


# Use by webhooks


def list_uses(db: Connection, vault: Vault) -> dict[str, list[SecretUse]]:
    """List the webhooks that use each secret, by the name of the secret."""
    uses: dict[str, list[SecretUse]] = {}
    for webhook in webhooks.list_all(db):
        use = SecretUse(webhook.uuid, webhook.title, read_origin(webhook.request.url))
        for name in list_names(decrypt_if_possible(webhook.request, vault)):
            uses.setdefault(name, []).append(use)
    return uses


def approve_use(
    db: Connection, request: WebhookRequest, *, vault: Vault, now: datetime, can_manage_secrets: bool
) -> None:
    """Approve that a request of a webhook sends the secrets that it refers to.

    A caller who may manage secrets thereby approves the server for them; everyone else may use servers that are
    approved already. Otherwise a token of a build could send any secret to a server of its own. Raises Invalid for an
    unknown secret, and Forbidden.
    """
    origin = read_origin(request.url)
    for secret in find_used(db, request, vault):
        if origin in secret.origins:
            continue
        if not can_manage_secrets:
            raise Forbidden(describe_forbidden(secret, origin), missing_permission=MISSING_PERMISSION)
        locked = named_secrets.lock(db, secret.uuid)
        _store(db, locked, replace(locked, origins=(*locked.origins, origin), updated_at=now))


def find_used(db: Connection, request: WebhookRequest, vault: Vault) -> list[NamedSecret]:
    """Find the secrets that a request refers to. Raises Invalid if there is none of a name."""
    names = list_names(decrypt_if_possible(request, vault))
    secrets = named_secrets.load_by_name(db) if names else {}
    if missing := [name for name in names if name not in secrets]:
        raise Invalid(*(Problem(("request",), describe_missing(name)) for name in missing))
    return [secrets[name] for name in names]
