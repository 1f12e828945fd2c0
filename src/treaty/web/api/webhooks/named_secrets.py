"""Named secrets of webhooks: handlers and representation. Their values are never returned."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import TypedDict

from treaty.actions.webhooks import named_secrets as secret_actions
from treaty.actions.webhooks.named_secrets import SecretDraft
from treaty.model.webhooks.named_secrets import NamedSecret
from treaty.store.engine.vault import get_vault
from treaty.store.webhooks import named_secrets
from treaty.web import urls
from treaty.web.api.timestamps import timestamps
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable, SelfLink, Times
from treaty.web.http.bodies import Body, RequiredLine, with_example
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import Permission

router = Router()

_EXAMPLE: Final = {
    "name": "CI_TOKEN",
    "value": "the token",
    "description": "Starts builds",
    "allowedOrigins": ["https://ci.example.org"],
}


class NewSecretBody(Body):
    """Request body of a new secret. The platform's clients do not know `allowedOrigins`."""

    model_config = with_example(_EXAMPLE)

    name: RequiredLine
    value: RequiredLine
    description: str | None = None
    allowed_origins: list[str] | None = None

    def draft(self) -> SecretDraft:
        return SecretDraft(name=self.name, value=self.value, description=self.description, origins=self.allowed_origins)


class SecretBody(Body):
    """Request body that changes a secret: members that are missing stay as they are."""

    model_config = with_example(_EXAMPLE)

    name: str | None = None
    value: str | None = None
    description: str | None = None
    allowed_origins: list[str] | None = None

    def draft(self) -> SecretDraft:
        return SecretDraft(
            name=self.name,
            value=self.value,
            description=self.description,
            keeps_description="description" not in self.model_fields_set,
            origins=self.allowed_origins,
        )


@dataclass(frozen=True, slots=True)
class NamedSecrets:
    """A list of secrets."""

    secrets: Sequence[NamedSecret]


class SecretDocument(Times):
    uuid: str
    name: str
    description: Omittable[str]
    allowedOrigins: list[str]
    _links: SelfLink


class ListedSecrets(TypedDict):
    secrets: list[SecretDocument]


class SecretsDocument(TypedDict):
    _embedded: ListedSecrets
    _links: SelfLink


@router.get(urls.SECRETS, permission=Permission.MANAGE_WEBHOOK, response=SecretsDocument)
def list_secrets(request: Request) -> NamedSecrets:
    """List the secrets that webhooks can use, without their values."""
    return NamedSecrets(named_secrets.list_all(request.db))


@router.post(
    urls.SECRETS,
    permission=Permission.MANAGE_SECRET,
    body=NewSecretBody,
    response=SecretDocument,
    links=link_to({"uuid": "$response.body#/uuid"}, "show_secret", "change_secret", "remove_secret"),
)
def add_secret(request: Request) -> Created:
    """Add a secret. Its value is never returned."""
    draft = request.body(NewSecretBody).draft()
    new = secret_actions.add_secret(request.db, draft, vault=get_vault(request.settings), now=request.now)
    return Created(new, urls.SECRET.fill(uuid=new.uuid))


@router.get(urls.SECRET, permission=Permission.MANAGE_WEBHOOK, response=SecretDocument)
def show_secret(request: Request, uuid: str) -> NamedSecret:
    """Show a secret, without its value."""
    return named_secrets.get(request.db, uuid)


@router.put(urls.SECRET, permission=Permission.MANAGE_SECRET, body=SecretBody, response=SecretDocument, errors=("409",))
def change_secret(request: Request, uuid: str) -> Updated:
    """Change a secret. Members that the body omits stay as they are."""
    draft = request.body(SecretBody).draft()
    vault = get_vault(request.settings)
    return Updated(secret_actions.change_secret(request.db, uuid, draft, vault=vault, now=request.now))


@router.delete(
    urls.SECRET,
    permission=Permission.MANAGE_SECRET,
    query=(QueryParameter("force", "`true` deletes the secret even if webhooks use it.", bool),),
    errors=("409",),
)
def remove_secret(request: Request, uuid: str) -> Deleted:
    """Delete a secret. It must not be in use by a webhook, unless the deletion is forced."""
    is_forced = request.option("force") == "true"
    secret_actions.remove_secret(request.db, uuid, vault=get_vault(request.settings), is_forced=is_forced)
    return Deleted()


# Representation


@represent.register
def single_secret(secret: NamedSecret) -> Hal:
    return Hal(
        state={
            "uuid": secret.uuid,
            "name": secret.name,
            "description": secret.description,
            "allowedOrigins": list(secret.origins),
            **timestamps(secret),
        },
        links={"self": Link(urls.SECRET.fill(uuid=secret.uuid), "Secret", name=secret.name)},
    )


@represent.register
def secret_list(page: NamedSecrets) -> Hal:
    return Hal(
        embedded={"secrets": [single_secret(secret) for secret in page.secrets]},
        links={"self": Link(urls.URL_PLACEHOLDER, "Secrets")},
    )
