"""The age of the latest backup, and the data that losing the disk would cost."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from treaty.model.maintenance.backups import BackupStatus

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
EQUAL = dict.fromkeys("fedcba", 1)


def status(*, at: datetime | None = None, is_restored: bool = False, changes: Mapping[str, int] | None = None) -> str:
    return BackupStatus(backed_up_at=at, is_restored=is_restored, changes=changes or {}).describe(NOW)


@pytest.mark.parametrize(
    ("changes", "loss"),
    [
        ({}, "nothing has changed since"),
        ({"user_creation": 1}, "losing the disk now would cost 1 change since (user creation 1)"),
        ({"tag": 1, "pact": 1200}, "losing the disk now would cost 1,201 changes since (pact 1,200, tag 1)"),
        (dict.fromkeys("edcba", 1), "losing the disk now would cost 5 changes since (a 1, b 1, c 1, d 1, e 1)"),
        (EQUAL, "losing the disk now would cost 6 changes since (a 1, b 1, c 1, d 1, e 1, 1 other kinds)"),
    ],
)
def test_the_changes_since_the_backup_would_be_lost(changes: dict[str, int], loss: str) -> None:
    assert status(at=NOW, changes=changes).endswith(f"; {loss}")


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(days=1), "2026-01-01 12:00 UTC (1 day ago); "),
        # The clock of another machine may be ahead.
        (-timedelta(hours=1), "2026-01-02 13:00 UTC (less than a minute ago); "),
    ],
)
def test_the_status_has_the_time_and_age_of_the_backup(age: timedelta, text: str) -> None:
    assert status(at=NOW - age).startswith(f"the latest backup is from {text}")
    assert status(at=NOW - age, is_restored=True).startswith(f"this database was restored from a backup of {text}")


def test_without_a_backup_all_data_would_be_lost() -> None:
    assert "would cost all data" in status()
