"""Verifies codes of second factors, throttled like passwords: each attempt is counted before the code is compared."""

from typing import Final

from treaty.actions.accounts.second_factors import accept_code
from treaty.actions.accounts.throttling import record_success, reserve_attempt
from treaty.errors import InvalidSetting, Unauthenticated
from treaty.model.accounts.throttling import compute_code_keys
from treaty.settings import Settings
from treaty.store import audit
from treaty.store.engine.database import Database
from treaty.store.engine.vault import WrongKey, get_vault
from treaty.web.http.request import Request

_WRONG_CODE: Final = (
    "This code is wrong, or it has been used. Enter the next code of your authenticator app, or a recovery code."
)


class SecondFactorVerifier:
    """Verifies the codes of one server's accounts."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    def verify(self, account: str, code: str, request: Request) -> None:
        """Verify a code of an account, by its UUID. A code is accepted once.

        Raises Unauthenticated for a wrong code, Throttled after too many, and InvalidSetting if the server does not
        have the key of the account's secret.
        """
        keys, now = compute_code_keys(account, request.address), request.now
        self._database.write(lambda db: reserve_attempt(db, keys, now=now))
        if not self._accept(account, code, request):
            raise Unauthenticated(_WRONG_CODE)
        self._database.write(lambda db: record_success(db, keys, now=now))

    def _accept(self, account: str, code: str, request: Request) -> bool:
        vault = get_vault(self._settings)
        try:
            with audit.acting_as(request.actor, at=request.now):
                return self._database.write(lambda db: accept_code(db, account, code, vault=vault, now=request.now))
        except WrongKey as error:
            raise InvalidSetting(
                "secret_key: the secrets of second factors were stored under another key. Name the former key in "
                "previous_secret_keys, enter a recovery code, or use `treaty user reset-second-factor NAME`."
            ) from error
