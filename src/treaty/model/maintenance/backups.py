"""Backups: what their manifest describes, and what losing the database would cost since the latest one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from treaty.errors import TreatyError
from treaty.model.wording import choose_form, format_duration

FORMAT: Final = 1
"""Version of the format of backups. A program refuses files of a newer format."""

Row = Sequence[Any]
"""Values of a row in the order of its table's columns: None, bool, int, str, or bytes. Times are ISO 8601 texts."""


class BackupError(TreatyError):
    """A backup that could not be made or restored. The text has the reason and the next step."""


class ColumnKind(StrEnum):
    """How the values of a column are written in a backup, whatever the kind of database."""

    BINARY = "binary"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    TEXT = "text"
    TIME = "time"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableLayout:
    """The columns of a table, with the kinds of their values."""

    name: str
    columns: Mapping[str, ColumnKind]
    last_id: int | None = None
    """The highest id that was ever assigned; None if ids are not assigned by the database, or none was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSummary:
    """A table in a backup: its layout, and what its rows are checked with."""

    layout: TableLayout
    row_count: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The description of a backup."""

    treaty_version: str
    revision: str
    """Revision of the schema."""
    database_kind: str
    created_at: datetime
    """A time at which the backup's snapshot had not been taken yet: the backup contains all earlier writes."""
    tables: Sequence[TableSummary]
    """In an order in which no row refers to a later table."""
    encrypted_keys: Mapping[str, Any] | None = None
    """The keys of the server, encrypted with a passphrase; None if the backup does not contain them."""

    @property
    def row_count(self) -> int:
        return sum(table.row_count for table in self.tables)


UNCOUNTED_ACTIONS: Final = frozenset(
    {"backup", "restoration", "sign_in", "sign_in_failure", "sign_out", "reauthentication", "access_refusal"}
)
"""Types of audit events that are no loss: they change nothing that a backup contains."""
SETUP_ACTIONS: Final = frozenset({"setup_link_creation", "key_change"})
"""Types of audit events that occur before a database is used for anything."""
_MAX_TYPES: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupStatus:
    """The latest backup of a database, and the changes since."""

    backed_up_at: datetime | None
    """Time of the state that the latest backup contains; None if the audit trail has no backup."""
    is_restored: bool
    """Whether the database was restored from this backup, and has not been backed up since."""
    changes: Mapping[str, int]
    """Numbers of events of the audit trail since, by type; empty without a backup."""

    def describe(self, now: datetime) -> str:
        """Say how old the latest backup is, and what losing the disk now would cost."""
        if self.backed_up_at is None:
            return "no backup is recorded: losing the disk now would cost all data; `treaty backup FILE` makes one"
        age = format_duration(max((now - self.backed_up_at).total_seconds(), 0))
        subject = "this database was restored from a backup of" if self.is_restored else "the latest backup is from"
        return f"{subject} {self.backed_up_at:%Y-%m-%d %H:%M} UTC ({age} ago); {self._describe_loss()}"

    def _describe_loss(self) -> str:
        total = sum(self.changes.values())
        if not total:
            return "nothing has changed since"
        ordered = sorted(self.changes.items(), key=lambda item: (-item[1], item[0]))
        shown = [f"{name.replace('_', ' ')} {count:,}" for name, count in ordered[:_MAX_TYPES]]
        more = [f"{len(ordered) - _MAX_TYPES} other kinds"] if len(ordered) > _MAX_TYPES else []
        subject = f"{total:,} {choose_form(total, 'change', 'changes')}"
        return f"losing the disk now would cost {subject} since ({', '.join(shown + more)})"
