"""Second factors of accounts: setting up, accepting codes, and removing."""

from datetime import datetime

from sqlalchemy import Connection

from treaty.errors import Conflict, NotFound, Unauthenticated
from treaty.model.accounts.access import Account
from treaty.model.accounts.second_factors import (
    find_step,
    generate_recovery_codes,
    generate_secret,
    hash_recovery_code,
    is_one_time_password,
    normalize_code,
)
from treaty.model.audit import Action
from treaty.model.webhooks.webhooks import EncryptedText
from treaty.store import audit
from treaty.store.accounts import accounts, second_factors, sessions
from treaty.store.engine.vault import Vault


def start_set_up(db: Connection, account: Account, *, vault: Vault, now: datetime) -> str:
    """Store a new secret for an account, and return it. It counts only once it has been confirmed with a code.

    Raises NotFound, and Conflict if the account has no password, is disabled, or has a second factor.
    """
    current = _lock(db, account)
    if current.password is None or not current.is_active:
        raise Conflict(f"'{current.name}' does not sign in with a password.")
    if current.has_second_factor:
        raise Conflict("You have a second factor already. Remove it first, to set up another device.")
    secret = generate_secret()
    second_factors.replace_secret(db, current.uuid, vault.encrypt(secret).text, at=now)
    return secret


def find_pending_secret(db: Connection, account: Account, *, vault: Vault) -> str | None:
    """Return the secret that an account is setting up; None if it is not, or has a second factor already."""
    current = accounts.find(db, account.uuid)
    if current is None or current.has_second_factor:
        return None
    secret = second_factors.find_secret(db, account.uuid)
    return None if secret is None else vault.decrypt(EncryptedText(secret))


def confirm_set_up(
    db: Connection, account: Account, code: str, *, kept_session: str | None, vault: Vault, now: datetime
) -> tuple[str, ...]:
    """Require codes from now on, and return the recovery codes. Ends the account's sessions except `kept_session`.

    Raises NotFound, Unauthenticated for a wrong code, and Conflict if no secret is waiting for confirmation.
    """
    current = _lock(db, account)
    if current.has_second_factor or second_factors.find_secret(db, current.uuid) is None:
        raise Conflict("There is nothing to confirm: start the set-up again.")
    if not _accept_one_time_password(db, current.uuid, normalize_code(code), vault=vault, now=now):
        raise Unauthenticated("This code is wrong. Check that the clock of your device is right, and enter a new code.")
    accounts.set_second_factor(db, current.uuid, since=now, at=now)
    # Someone who knows only the password may have opened them.
    sessions.end_of_account(db, current.uuid, kept_session=kept_session)
    audit.record(db, Action.SECOND_FACTOR_SETUP, resource=current.name)
    return _replace_recovery_codes(db, current)


def accept_code(db: Connection, account: str, code: str, *, vault: Vault, now: datetime) -> bool:
    """Accept a one-time password or a recovery code of an account (by its UUID), each once; return whether it is right.

    Raises WrongKey if the secret was encrypted with a key that the server does not have; recovery codes still work.
    """
    current = accounts.find(db, account)
    if current is None or not current.is_active or not current.has_second_factor:
        return False
    normalized = normalize_code(code)
    if is_one_time_password(normalized):
        return _accept_one_time_password(db, account, normalized, vault=vault, now=now)
    if not second_factors.consume_recovery_code(db, account, hash_recovery_code(normalized, account=account)):
        return False
    left = second_factors.count_recovery_codes(db, account)
    audit.record(db, Action.RECOVERY_CODE_USE, resource=current.name, params={"left": left})
    return True


def _accept_one_time_password(db: Connection, account: str, code: str, *, vault: Vault, now: datetime) -> bool:
    secret = second_factors.find_secret(db, account)
    if secret is None:
        return False
    step = find_step(vault.decrypt(EncryptedText(secret)), code, now)
    return step is not None and second_factors.accept_step(db, account, step)


def replace_recovery_codes(db: Connection, account: Account) -> tuple[str, ...]:
    """Replace the recovery codes of an account, and return the new ones. Raises NotFound, and Conflict without any."""
    current = _lock(db, account)
    _check_has_second_factor(current)
    return _replace_recovery_codes(db, current)


def _replace_recovery_codes(db: Connection, account: Account) -> tuple[str, ...]:
    codes = generate_recovery_codes()
    hashes = [hash_recovery_code(code, account=account.uuid) for code in codes]
    second_factors.replace_recovery_codes(db, account.uuid, hashes)
    audit.record(db, Action.RECOVERY_CODES_CREATION, resource=account.name)
    return codes


def remove_second_factor(db: Connection, account: Account, *, kept_session: str | None = None, now: datetime) -> None:
    """Let an account sign in with its password alone, and end its sessions except `kept_session`.

    Raises NotFound, and Conflict if the account has no second factor.
    """
    current = _lock(db, account)
    _check_has_second_factor(current)
    accounts.set_second_factor(db, current.uuid, since=None, at=now)
    second_factors.remove(db, current.uuid)
    sessions.end_of_account(db, current.uuid, kept_session=kept_session)
    audit.record(db, Action.SECOND_FACTOR_REMOVAL, resource=current.name)


def _check_has_second_factor(account: Account) -> None:
    if not account.has_second_factor:
        raise Conflict(f"'{account.name}' has no second factor.")


def _lock(db: Connection, account: Account) -> Account:
    current = accounts.lock(db, account.uuid)
    if current is None:
        raise NotFound(f"There is no user called '{account.name}'.")
    return current
