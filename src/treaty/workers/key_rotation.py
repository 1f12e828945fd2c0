"""Rotates the key that secrets are encrypted with, while servers work.

A rotation has three steps. It adds a new key, with which servers encrypt from then on: they notice that the key file
has changed. It re-encrypts all secrets that older keys have encrypted. On a second call it removes the older keys. Each
step can be interrupted and repeated; a new call continues where the last one stopped.
"""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from treaty.actions.maintenance.key_rotation import LEASE_DURATION, claim_rotation, reencrypt, release_rotation
from treaty.settings import Settings
from treaty.store.engine.database import Database
from treaty.store.engine.vault import KeyFile, KeyStatus, get_vault, locate_key_file
from treaty.store.maintenance import encrypted_columns
from treaty.store.maintenance.encrypted_columns import EncryptedColumn, RotationBatch

SETTLING_SECONDS: Final = 5.0
"""Minimum age of the newest key before older keys are removed.

Requests and servers that still use the older key have ended or have read the file again by then.
"""

Report = Callable[[str], None]


class RotationInProgress(Exception):
    """Another process is rotating the key."""


class UndecryptableSecrets(Exception):
    """Some secrets were encrypted with keys that are not configured."""


class KeyRotation:
    """Rotates the key of a database, and reports its progress."""

    def __init__(
        self, database: Database, settings: Settings, *, report: Report, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._database = database
        self._settings = settings
        self._report = report
        self._pause = pause
        self._owner = str(uuid.uuid4())
        self._vault = get_vault(settings)
        self._key_file = KeyFile(locate_key_file(settings))

    def rotate(self) -> None:
        """Add a new key, and re-encrypt all secrets with it.

        Raises RotationInProgress, UndecryptableSecrets, and InvalidSetting for an unusable key file.
        """
        with self._lease():
            if self._count_outdated():
                # An earlier rotation was interrupted. Another key would only make more work.
                self._report("Some secrets are not encrypted with the newest key yet; continuing with these.")
            elif self._settings.secret_key is None:
                self._key_file.add()
                self._report(f"Added a new key to {self._key_file.path}; the previous key is still in it.")
            self._reencrypt_all()
            self._check()

    def remove_old_keys(self) -> None:
        """Remove older keys from the file once no secret needs them. Raises as `rotate` does."""
        with self._lease():
            self._reencrypt_all()
            self._check()
            if self._settings.secret_key is None:
                self._remove_from_file()
            else:
                # With `secret_key` in the settings, only the user can remove the others.
                self._report(
                    f"No secret needs previous_secret_keys or {self._key_file.path} any more. Remove both, "
                    "but keep the keys as long as backups from before."
                )

    @contextmanager
    def _lease(self) -> Any:
        self._claim()
        try:
            yield
        finally:
            self._database.write(lambda db: release_rotation(db, owner=self._owner, now=_now()))

    def _claim(self) -> None:
        """Claim the lease. Waits until that of a killed process has expired; a running process renews its own."""
        deadline = time.monotonic() + LEASE_DURATION.total_seconds() + 1
        while not self._claim_once():
            if time.monotonic() > deadline:
                raise RotationInProgress
            self._pause(0.5)

    def _claim_once(self) -> bool:
        return self._database.write(lambda db: claim_rotation(db, owner=self._owner, now=_now()))

    def _count_outdated(self) -> int:
        return self._database.read(lambda db: encrypted_columns.count_by_key(db, self._vault))[KeyStatus.OLDER]

    def _reencrypt_all(self) -> None:
        total, done = self._count_outdated(), 0
        for column in encrypted_columns.ENCRYPTED_COLUMNS:
            for batch in self._reencrypt_column(column):
                if batch.rotated_count:
                    done += batch.rotated_count
                    self._report(f"Re-encrypted {done} of {total} secrets.")

    def _reencrypt_column(self, column: EncryptedColumn) -> Iterator[RotationBatch]:
        """Re-encrypt a column in batches, with pauses in which servers can write, and renew the lease after each."""
        last_id: Any = None
        while True:
            batch = self._database.write(partial(reencrypt, column=column, vault=self._vault, after=last_id))
            yield batch
            last_id = batch.last_id
            if last_id is None:
                return
            self._pause(0.01)
            if not self._claim_once():
                raise RotationInProgress

    def _check(self) -> None:
        counts = self._database.read(lambda db: encrypted_columns.count_by_key(db, self._vault))
        if counts[KeyStatus.UNKNOWN]:
            raise UndecryptableSecrets(
                f"{counts[KeyStatus.UNKNOWN]} secrets were encrypted with a key that is not configured, and are "
                "unchanged. Add the key to previous_secret_keys and run this command again, or save the webhooks that "
                "they belong to with new secrets."
            )
        self._report(f"All {counts[KeyStatus.NEWEST]} secrets are encrypted with the newest key.")

    def _remove_from_file(self) -> None:
        if len(self._key_file.keys()) == 1:
            self._report(f"{self._key_file.path} contains no older keys.")
            return
        age = time.time() - self._key_file.path.stat().st_mtime
        if age < SETTLING_SECONDS:
            # A server may have encrypted with the older key until now, so check again after the wait.
            self._pause(SETTLING_SECONDS - age)
            self._reencrypt_all()
            self._check()
        self._key_file.keep_newest()
        self._report(f"Removed the older keys from {self._key_file.path}; it contains only the newest key.")


def _now() -> datetime:
    return datetime.now(UTC)
