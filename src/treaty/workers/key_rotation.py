"""Changing the key that secrets are sealed with, while servers work.

First comes a new key, which seals from then on; servers see that the file has changed. Then all that was sealed with
older keys is sealed anew. At last the older keys may go. After a kill it is begun again, and goes on where it was.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from treaty.actions.maintenance import key_rotation
from treaty.settings import Settings
from treaty.store.engine.database import Database
from treaty.store.engine.vault import KeyFile, KeyStatus, get_vault, locate_key_file
from treaty.store.maintenance import encrypted_columns
from treaty.store.maintenance.encrypted_columns import EncryptedColumn

SETTLING_SECONDS: Final = 5.0
"""How old the newest key must be before the others go: a request that began before it came has long ended then."""

Report = Callable[[str], None]


class RotationInProgress(Exception):
    """Somebody else changes the key."""


class UndecryptableSecrets(Exception):
    """Some secrets were sealed with keys that nobody has given."""


class KeyRotation:
    """Changes the key of a database."""

    def __init__(
        self, database: Database, settings: Settings, *, report: Report, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._database = database
        self._settings = settings
        self._tell = report
        self._pause = pause
        self._owner = str(uuid.uuid4())
        self._vault = get_vault(settings)
        self._file = KeyFile(locate_key_file(settings))

    def rotate(self) -> None:
        """Have a new key, and seal all with it. Raises AlreadyRotating, Unreadable and WrongSetting."""
        with self._alone():
            if self._count(KeyStatus.OLDER):
                self._tell("Not all is sealed with the newest key yet; this goes on with it.")
            elif self._settings.secret_key is None:
                self._file.add()
                self._tell(f"{self._file.path} has a new key before the former one.")
            self._renew()
            self._check()

    def remove_old_keys(self) -> None:
        """Take older keys out of the file, once nothing needs them. Raises as `rotate` does."""
        with self._alone():
            self._renew()
            self._check()
            if self._settings.secret_key is None:
                self._forget()
            else:
                self._tell(f"Nothing needs previous_secret_keys or {self._file.path} any more: take them away.")

    @contextmanager
    def _alone(self) -> Any:
        self._begin()
        try:
            yield
        finally:
            self._database.write(lambda db: key_rotation.release_rotation(db, owner=self._owner, now=_now()))

    def _begin(self) -> None:
        """Wait for one that was killed; whoever lives says again and again that it does."""
        until = time.monotonic() + key_rotation.LEASE_DURATION.total_seconds() + 1
        while not self._keep():
            if time.monotonic() > until:
                raise RotationInProgress
            self._pause(0.5)

    def _keep(self) -> bool:
        return self._database.write(lambda db: key_rotation.claim_rotation(db, owner=self._owner, now=_now()))

    def _count(self, which: KeyStatus) -> int:
        return self._database.read(lambda db: encrypted_columns.count_by_key(db, self._vault))[which]

    def _renew(self) -> None:
        total, done = self._count(KeyStatus.OLDER), 0
        for one in encrypted_columns.ENCRYPTED_COLUMNS:
            after: Any = None
            while True:
                passed = self._database.write(self._some(one, after))
                if passed.rotated_count:
                    done += passed.rotated_count
                    self._tell(f"{done} of {total} secrets are sealed anew.")
                if passed.last_id is None:
                    break
                after = passed.last_id
                self._pause(0.01)
                if not self._keep():
                    raise RotationInProgress

    def _some(self, one: EncryptedColumn, after: Any) -> Callable[[Connection], encrypted_columns.RotationBatch]:
        return lambda db: key_rotation.reencrypt(db, one, self._vault, after=after)

    def _check(self) -> None:
        found = self._database.read(lambda db: encrypted_columns.count_by_key(db, self._vault))
        if found[KeyStatus.UNKNOWN]:
            raise UndecryptableSecrets(
                f"{found[KeyStatus.UNKNOWN]} secrets were sealed with a key that is not given, and stay as they are. "
                "Give it in previous_secret_keys, and call this again; or save what they belong to with new secrets."
            )
        self._tell(f"All {found[KeyStatus.NEWEST]} secrets are sealed with the newest key.")

    def _forget(self) -> None:
        if len(self._file.keys()) == 1:
            self._tell(f"{self._file.path} holds no older key.")
            return
        age = time.time() - self._file.path.stat().st_mtime
        if age < SETTLING_SECONDS:
            self._pause(SETTLING_SECONDS - age)
            self._renew()
            self._check()
        self._file.keep_newest()
        self._tell(f"{self._file.path} holds the newest key alone.")


def _now() -> datetime:
    return datetime.now(UTC)
