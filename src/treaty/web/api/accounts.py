"""The current user, and the user's tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from typing_extensions import TypedDict

from treaty.actions.accounts import credentials
from treaty.actions.accounts.credentials import IssuedToken
from treaty.errors import Forbidden, NotFound
from treaty.model.accounts.access import Account, Caller, CredentialType, Role, Token
from treaty.store.accounts import accounts, tokens
from treaty.store.engine.vault import get_vault
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable, SelfLinked
from treaty.web.http.request import Request
from treaty.web.http.results import Created
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


@dataclass(frozen=True, slots=True)
class User:
    """A caller with its account; users of the settings have none."""

    caller: Caller
    account: Account | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """An account's tokens."""

    items: Sequence[Token]


# Names and types of properties are those of PactFlow's API, so that its clients understand the documents.
class UserState(TypedDict):
    uuid: Omittable[str]
    name: Omittable[str]
    email: Omittable[str]
    active: bool
    type: int
    typeDescription: str
    role: str
    createdAt: Omittable[datetime]
    updatedAt: Omittable[datetime]
    lastLogin: Omittable[datetime]
    secondFactor: Omittable[bool]


class UserDocument(UserState, SelfLinked):
    """The authenticated user."""


class TokenDocument(TypedDict):
    uuid: str
    description: str
    value: str
    readOnly: bool
    expiresAt: Omittable[datetime]
    lastUsedAt: Omittable[datetime]


class TokenItems(TypedDict):
    items: list[TokenDocument]


class TokensDocument(SelfLinked):
    _embedded: TokenItems


class IssuedTokenDocument(TokenDocument, SelfLinked):
    """A token with its value, which is shown once."""


@router.get(urls.USER, permission=Permission.USE_OWN_ACCOUNT, response=UserDocument)
def get_user(request: Request) -> User:
    """Get the current user."""
    uuid = request.caller.account
    return User(request.caller, accounts.find(request.db, uuid) if uuid else None)


@router.get(urls.TOKENS, permission=Permission.USE_OWN_ACCOUNT, response=TokensDocument)
def list_tokens(request: Request) -> Tokens:
    """List the current user's tokens, the two default ones first. Their values are masked."""
    uuid = request.caller.account
    return Tokens(tokens.list_of_account(request.db, uuid) if uuid else ())


@router.post(
    urls.REGENERATE_TOKEN,
    permission=Permission.USE_OWN_ACCOUNT,
    consumes=None,
    is_sensitive=True,
    response=IssuedTokenDocument,
)
def regenerate_token(request: Request, uuid: str) -> Created:
    """Replace the value of one of the current user's tokens. The response has the new value, which is shown only once.

    The former value is rejected at once.
    """
    caller = request.caller
    # Otherwise a read-only token could obtain the value of the user's token that writes.
    if caller.kind is CredentialType.TOKEN and caller.role is Role.READ_ONLY:
        raise Forbidden(
            "A read-only token cannot regenerate tokens. Use credentials that may write.",
            missing_permission="manage tokens of their own",
        )
    if caller.account is None:
        raise NotFound("You have no tokens, because you have no account. Add one with `treaty user add NAME`.")
    vault = get_vault(request.settings)
    return Created(credentials.regenerate_token(request.db, uuid, account=caller.account, vault=vault))


@represent.register
def current_user(user: User) -> Hal:
    account, role = user.account, user.caller.role or Role.READ_ONLY
    is_system = account is not None and account.is_system
    state: UserState = {
        "uuid": account.uuid if account else None,
        "name": user.caller.user,
        "email": account.email if account else None,
        "active": True,
        "type": int(is_system),
        "typeDescription": "system" if is_system else "user",
        "role": role.value,
        "createdAt": account.created_at if account else None,
        "updatedAt": account.updated_at if account else None,
        "lastLogin": account.signed_in_at if account else None,
        "secondFactor": account.has_second_factor if account else None,
    }
    return Hal(state, links={"self": Link(urls.USER.fill(), "Current user")})


@represent.register
def token_list(page: Tokens) -> Hal:
    return Hal(
        embedded={"items": [Hal(_token_state(token, token.masked)) for token in page.items]},
        links={"self": Link(urls.TOKENS.fill(), "API tokens")},
    )


@represent.register
def issued_token(issued: IssuedToken) -> Hal:
    return Hal(
        state=_token_state(issued.token, issued.text),
        links={"self": Link(urls.REGENERATE_TOKEN.fill(uuid=issued.token.uuid), "Regenerate the token")},
    )


def _token_state(token: Token, value: str) -> TokenDocument:
    return {
        "uuid": token.uuid,
        "description": token.name,
        "value": value,
        "readOnly": token.role is Role.READ_ONLY,
        "expiresAt": token.expires_at,
        "lastUsedAt": token.used_at,
    }
