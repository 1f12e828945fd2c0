"""Who asks, and the tokens that they have."""

from treaty.actions.accounts import credentials
from treaty.errors import Forbidden, NotFound
from treaty.model.accounts.access import Credential, Role
from treaty.store.accounts import accounts, tokens
from treaty.store.engine.vault import vault_of
from treaty.web import urls
from treaty.web.api.accounts_representation import Tokens, User
from treaty.web.routing import Call, Created, Permission, Router

router = Router()


@router.get(urls.USER, permission=Permission.USE_OWN_ACCOUNT)
def get_user(call: Call) -> User:
    """Say who asks."""
    uuid = call.caller.account
    return User(call.caller, accounts.find(call.db, uuid) if uuid else None)


@router.get(urls.TOKENS, permission=Permission.USE_OWN_ACCOUNT)
def list_tokens(call: Call) -> Tokens:
    """List one's own tokens, the two that everybody has first. Their values are masked."""
    return Tokens(tokens.of_account(call.db, call.caller.account) if call.caller.account else ())


@router.post(urls.REGENERATE_TOKEN, permission=Permission.USE_OWN_ACCOUNT, consumes=None)
def regenerate_token(call: Call, uuid: str) -> Created:
    """Give one's own token another value, which is told this once; the former one is refused at once."""
    if call.caller.kind is Credential.TOKEN and call.caller.role is Role.READ_ONLY:
        raise Forbidden("A token that reads only cannot make others.", missing="manage tokens of their own")
    if call.caller.account is None:
        raise NotFound("Who asks has no tokens: there is no account for it. `treaty user add NAME` makes one.")
    return Created(credentials.regenerate(call.db, uuid, account=call.caller.account, vault=vault_of(call.settings)))
