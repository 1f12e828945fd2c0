"""Who asks, and the tokens that they have."""

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
    """Who asks: a caller, with the account that it has."""

    caller: Caller
    account: Account | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """An account's tokens."""

    items: Sequence[Token]


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
def get_user(call: Request) -> User:
    """Say who asks."""
    uuid = call.caller.account
    return User(call.caller, accounts.find(call.db, uuid) if uuid else None)


@router.get(urls.TOKENS, permission=Permission.USE_OWN_ACCOUNT, response=TokensDocument)
def list_tokens(call: Request) -> Tokens:
    """List one's own tokens, the two that everybody has first. Their values are masked."""
    return Tokens(tokens.list_of_account(call.db, call.caller.account) if call.caller.account else ())


@router.post(urls.REGENERATE_TOKEN, permission=Permission.USE_OWN_ACCOUNT, consumes=None, response=IssuedTokenDocument)
def regenerate_token(call: Request, uuid: str) -> Created:
    """Give one's own token another value, which is told this once; the former one is refused at once."""
    if call.caller.kind is CredentialType.TOKEN and call.caller.role is Role.READ_ONLY:
        raise Forbidden("A token that reads only cannot make others.", missing_permission="manage tokens of their own")
    if call.caller.account is None:
        raise NotFound("Who asks has no tokens: there is no account for it. `treaty user add NAME` makes one.")
    return Created(
        credentials.regenerate_token(call.db, uuid, account=call.caller.account, vault=get_vault(call.settings))
    )


@represent.register
def user(one: User) -> Hal:
    account, role = one.account, one.caller.role or Role.READ_ONLY
    is_system = account is not None and account.is_system
    state: UserState = {
        "uuid": account.uuid if account else None,
        "name": one.caller.user,
        "email": account.email if account else None,
        "active": True,
        "type": int(is_system),
        "typeDescription": "system" if is_system else "user",
        "role": role.value,
        "createdAt": account.created_at if account else None,
        "updatedAt": account.updated_at if account else None,
        "lastLogin": account.signed_in_at if account else None,
    }
    return Hal(state, links={"self": Link(urls.USER.fill(), "Current user")})


@represent.register
def token_list(listed: Tokens) -> Hal:
    return Hal(
        embedded={"items": [Hal(_token_state(one, one.masked)) for one in listed.items]},
        links={"self": Link(urls.TOKENS.fill(), "API tokens")},
    )


@represent.register
def issued(new: IssuedToken) -> Hal:
    return Hal(
        state=_token_state(new.token, new.text),
        links={"self": Link(urls.REGENERATE_TOKEN.fill(uuid=new.token.uuid), "Regenerate the token")},
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
