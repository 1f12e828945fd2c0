"""How who asks looks, and their tokens: in the shapes that clients of the paid product read."""

from collections.abc import Sequence
from dataclasses import dataclass

from treaty.actions.accounts.credentials import Issued
from treaty.model.accounts.access import Account, Caller, Role, Token
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link


@dataclass(frozen=True, slots=True)
class User:
    """Who asks: a caller, with the account that it has."""

    caller: Caller
    account: Account | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """An account's tokens."""

    items: Sequence[Token]


@represent.register
def user(one: User) -> Hal:
    account, role = one.account, one.caller.role or Role.READ_ONLY
    is_system = account is not None and account.is_system
    return Hal(
        state={
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
        },
        links={"self": Link(urls.USER.fill(), "Current user")},
    )


@represent.register
def tokens(listed: Tokens) -> Hal:
    return Hal(
        embedded={"items": [_token(one, one.masked) for one in listed.items]},
        links={"self": Link(urls.TOKENS.fill(), "API tokens")},
    )


@represent.register
def issued(new: Issued) -> Hal:
    return Hal(
        state=_token(new.token, new.text),
        links={"self": Link(urls.REGENERATE_TOKEN.fill(uuid=new.token.uuid), "Regenerate the token")},
    )


def _token(one: Token, value: str) -> Hal:
    return Hal(
        {
            "uuid": one.uuid,
            "description": one.name,
            "value": value,
            "readOnly": one.role is Role.READ_ONLY,
            "expiresAt": one.expires_at,
            "lastUsedAt": one.used_at,
        }
    )
