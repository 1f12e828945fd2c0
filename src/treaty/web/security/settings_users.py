"""The two users of the settings (`basic_auth_*`): the only users that the original broker has."""

import hmac
from hashlib import sha256
from typing import Final, NamedTuple

from treaty.actions.accounts.credentials import PROOF_PURPOSE
from treaty.model.accounts.access import Caller, CredentialType, Role, normalize_name
from treaty.settings import Settings
from treaty.store.engine.keys import KeyedHasher
from treaty.web.security.request_credentials import BasicCredentials


class _SettingsUser(NamedTuple):
    caller: Caller
    proof: bytes


class SettingsUsers:
    """The users of one server's settings. Their passwords stay the same as long as the process runs."""

    def __init__(self, settings: Settings) -> None:
        self._users: Final = _read_users(settings)
        self._normalized_names: Final = {normalize_name(str(user.caller.user)) for user in self._users}

    @property
    def has_any(self) -> bool:
        return bool(self._users)

    def find(self, credentials: BasicCredentials) -> Caller | None:
        """Find the user with this name and password."""
        proof = compute_proof(credentials)
        # Every user is compared, in constant time, so that the duration reveals neither names nor passwords.
        matches = [user.caller for user in self._users if hmac.compare_digest(proof, user.proof)]
        return matches[0] if matches else None

    def find_by_stored_proof(self, stored_proof: str, hasher: KeyedHasher) -> Caller | None:
        """Find the user who opened a session. None once the name or the password in the settings has changed."""
        matches = (user.caller for user in self._users if hasher.hash(PROOF_PURPOSE, user.proof.hex()) == stored_proof)
        return next(matches, None)

    def find_name(self, name: str) -> str | None:
        """Return the name if a user has exactly this one."""
        return next((user.caller.user for user in self._users if user.caller.user == name), None)

    def has_similar_name(self, name: str) -> bool:
        """Whether a user has this name, apart from case and surrounding spaces."""
        return normalize_name(name) in self._normalized_names


def _read_users(settings: Settings) -> list[_SettingsUser]:
    configured = (
        (settings.basic_auth_username, settings.basic_auth_password, Role.READ_WRITE),
        (settings.basic_auth_read_only_username, settings.basic_auth_read_only_password, Role.READ_ONLY),
    )
    return [
        _SettingsUser(
            Caller(kind=CredentialType.BASIC, role=role, user=name),
            compute_proof(BasicCredentials(name, password.get_secret_value())),
        )
        for name, password, role in configured
        if name and password and name.strip() and password.get_secret_value().strip()
    ]


def compute_proof(credentials: BasicCredentials) -> bytes:
    """Hash a name and a password to 32 bytes.

    Hashes have the same length, so comparing them in constant time reveals nothing about the password's length. A
    session of such a user stores a keyed hash of the proof: changing the settings ends the session.
    """
    return sha256(f"{credentials.name}\0{credentials.password}".encode()).digest()
