"""Rows of all tables, with any values, are the same after a backup from either kind of database into either kind."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Integer, LargeBinary, SmallInteger, Table, Text, delete, func, insert, select

from tests.databases import create_missing_file, open_kept
from tests.scale import choose
from treaty import app
from treaty.cli.progress import Progress
from treaty.model.maintenance.backups import BackupError
from treaty.settings import Secret, Settings
from treaty.store.engine import passphrases
from treaty.store.engine.database import Database
from treaty.store.engine.vault import Vault, get_vault
from treaty.store.maintenance.backup_files import BackupFile
from treaty.store.maintenance.backup_rows import OMITTED_TABLES, DatabaseRows
from treaty.store.maintenance.encrypted_columns import ENCRYPTED_COLUMNS, find_encrypted
from treaty.store.migrations import HEAD
from treaty.store.tables import Time, audit, metadata, pacticipant, verification, version
from treaty.workers.backups import BackupOptions, RestoreOptions

PASSPHRASE = "a passphrase of the tests"  # noqa: S105 - it protects nothing
OLD_KEY, NEW_KEY = "the key of the original server", "the key of the new server"
TEXTS = ("", "plain", "ü€😀", "\t\n\r\\N \\. \\t", "'\";--", "%s {} ?", "null", "\\x00ff", "\u2028\x7f\x01", "a" * 2000)
ROWS = 4
"""Rows of each table."""


@pytest.fixture(autouse=True)
def _quick_passphrases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Derive keys with little effort, which files contain. tests/whole/test_backup_commands.py has the usual effort."""
    monkeypatch.setattr(passphrases, "_COST", 2**10)


def settings_of(url: str, key: str = OLD_KEY) -> Settings:
    return Settings(database_url=url, secret_key=Secret(key))


def back_up(url: str, path: Path, key: str = OLD_KEY) -> None:
    app.make_backup(settings_of(url, key), path, BackupOptions(passphrase=PASSPHRASE), progress=Progress(1))


def restore(url: str, path: Path, key: str = NEW_KEY, **options: bool) -> None:
    app.restore_backup(
        settings_of(url, key),
        path,
        RestoreOptions(**options),
        read_passphrase=lambda: PASSPHRASE,
        progress=Progress(1),
    )


# Random rows


class RandomRows:
    """Random rows of all tables, which refer to each other."""

    def __init__(self, random: Random, vault: Vault) -> None:
        self._random = random
        self._vault = vault
        self._number = 0
        self._keys: dict[str, list[Any]] = {}
        self._encrypted = {column.column: column.is_json for column in ENCRYPTED_COLUMNS}

    def rows(self) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
        for table in metadata.sorted_tables:
            ids = [100 + self._random.randrange(10) + 20 * number for number in range(ROWS)]
            self._keys[table.name] = ids
            yield table, [self._row(table, number) for number in range(ROWS)]

    def _row(self, table: Table, number: int) -> dict[str, Any]:
        return {column.name: self._value(column, number) for column in table.columns}

    def _value(self, column: Column[Any], number: int) -> Any:
        for key in column.foreign_keys:
            is_null = column.nullable and self._random.random() < 0.3
            return None if is_null else self._keys[key.column.table.name][number]
        if column.name == "id":
            return self._keys[column.table.name][number]
        if column.nullable and self._random.random() < 0.3:
            return None
        if column in self._encrypted:
            text = self._vault.encrypt(self._text()).text
            return json.dumps({"a": "plain", "b": {"sealed": text}}) if self._encrypted[column] else text
        return self._plain_value(column)

    def _plain_value(self, column: Column[Any]) -> Any:
        match column.type:
            case Time():
                return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=self._random.randrange(10**15))
            case Boolean():
                return self._random.random() < 0.5
            case LargeBinary():
                return self._random.randbytes(self._random.choice([0, 1, 5000]))
            case SmallInteger():
                return self._random.randrange(-(2**15), 2**15)
            case Integer():
                return self._random.choice([0, 1, -1, 2**31 - 1, self._random.randrange(2**31)])
            case Text():
                return self._text()
        raise AssertionError(column)

    def _text(self) -> str:
        """Return a text that no other row has."""
        self._number += 1
        return f"{self._random.choice(TEXTS)}{self._number}"


def fill(database: Database, random: Random) -> None:
    random_rows = RandomRows(random, get_vault(settings_of("sqlite:///any.sqlite")))

    def add(db: Any) -> None:
        for table, rows in random_rows.rows():
            db.execute(insert(table), rows).close()

    database.write(add)


def all_rows(database: Database, key: str) -> dict[str, list[list[Any]]]:
    """Return the rows of all tables in a backup, with decrypted secrets."""
    vault = get_vault(settings_of("sqlite:///any.sqlite", key))

    def read(db: Any) -> dict[str, list[list[Any]]]:
        rows = DatabaseRows(db)
        return {table.name: list(map(list, rows.read_rows(table))) for table in rows.list_tables()}

    rows_by_table = database.read(read)
    for encrypted in ENCRYPTED_COLUMNS:
        table = encrypted.column.table
        index = list(table.columns).index(encrypted.column)
        for row in rows_by_table[table.name]:
            if row[index] is not None:
                row[index] = [vault.decrypt(text) for text in find_encrypted(encrypted, row[index])]
    rows_by_table["audit"] = [row for row in rows_by_table["audit"] if row[1] not in {"backup", "restoration"}]
    return rows_by_table


def random_of(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - not a secret


@pytest.fixture
def local_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'other.sqlite'}"
    create_missing_file(url)
    return url


Move = Callable[[str, str, int], None]


@pytest.mark.parametrize("seed", range(choose(1, slow=2, long=50)))
def test_all_rows_of_a_database_are_restored_into_a_file(
    database_url: str, local_url: str, tmp_path: Path, seed: int
) -> None:
    check_move(database_url, local_url, tmp_path / "backup.zip", seed)


@pytest.mark.parametrize("seed", range(choose(1, slow=2, long=50)))
def test_all_rows_of_a_file_are_restored_into_a_database(
    database_url: str, local_url: str, tmp_path: Path, seed: int
) -> None:
    check_move(local_url, database_url, tmp_path / "backup.zip", seed)


def check_move(source_url: str, target_url: str, path: Path, seed: int) -> None:
    with closing(open_kept(source_url)) as source, closing(open_kept(target_url)) as target:
        fill(source, random_of(seed))
        before = all_rows(source, OLD_KEY)
        back_up(source_url, path)
        restore(target_url, path)
        after = all_rows(target, NEW_KEY)
        for name, rows in before.items():
            assert after[name] == rows, name
        check_new_ids(source, target)
        # Once more, over existing rows, and with the schema's own rows of a server that has run.
        restore(target_url, path, replaces=True)
        assert all_rows(target, NEW_KEY) == after


def check_new_ids(source: Database, target: Database) -> None:
    """Check that new rows get ids that no row of the original has ever had."""
    now = datetime(2026, 1, 2, tzinfo=UTC)
    values = {"name": "new", "display_name": "new", "created_at": now, "updated_at": now}
    highest = source.read(lambda db: db.execute(select(func.max(pacticipant.c.id))).scalar_one())
    (new_id,) = target.write(
        lambda db: db.execute(insert(pacticipant).values(values).returning(pacticipant.c.id)).one()
    )
    assert new_id == highest + 1
    target.write(lambda db: db.execute(delete(pacticipant).where(pacticipant.c.id == new_id)).close())


def test_ids_of_removed_rows_are_not_assigned_again(database_url: str, local_url: str, tmp_path: Path) -> None:
    path = tmp_path / "backup.zip"
    now = datetime(2026, 1, 2, tzinfo=UTC)
    owner = {"id": 1, "name": "a", "display_name": "a", "created_at": now, "updated_at": now}
    values = {"pacticipant_id": 1, "position": 1, "created_at": now, "updated_at": now}

    def add_version(number: str) -> Callable[[Any], int]:
        return lambda db: int(db.execute(insert(version).values(number=number, **values)).inserted_primary_key[0])

    with closing(open_kept(database_url)) as source, closing(open_kept(local_url)) as target:
        source.write(lambda db: db.execute(insert(pacticipant).values(owner)).close())
        removed = [source.write(add_version(number)) for number in "123"]
        source.write(lambda db: db.execute(delete(version)).close())
        back_up(database_url, path)
        restore(local_url, path)
        assert target.write(add_version("4")) > max(removed)


def test_every_table_is_in_a_backup_or_omitted_for_a_reason(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "backup.zip"
    back_up(database_url, path)
    with BackupFile(path) as backup:
        assert backup.manifest.revision == HEAD
        names = {table.name for table in backup.list_tables()}
        for table in backup.list_tables():
            assert set(table.columns) == set(metadata.tables[table.name].columns.keys())
    assert names.isdisjoint(OMITTED_TABLES)
    assert names | OMITTED_TABLES.keys() == metadata.tables.keys()
    assert all(OMITTED_TABLES.values())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", ["with a \0 in it", "".join(map(chr, range(0x100, 0x2000)))], ids=["NUL", "long"])
def test_a_value_that_the_other_kind_cannot_store_is_named_and_nothing_is_written(
    database_url: str, local_url: str, tmp_path: Path, name: str
) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    values = {"name": name, "display_name": "a", "created_at": now, "updated_at": now}
    with closing(open_kept(local_url)) as source, closing(open_kept(database_url)) as target:
        source.write(lambda db: db.execute(insert(pacticipant).values(values)).close())
        back_up(local_url, tmp_path / "backup.zip")
        with pytest.raises(BackupError, match=r"PostgreSQL cannot store a row of the table pacticipant: .*Nothing was"):
            restore(database_url, tmp_path / "backup.zip")
        assert not target.read(lambda db: db.execute(select(func.count()).select_from(pacticipant)).scalar_one())


def test_a_database_with_data_is_replaced_only_on_request(database_url: str, local_url: str, tmp_path: Path) -> None:
    path = tmp_path / "backup.zip"
    with closing(open_kept(database_url)) as source, closing(open_kept(local_url)) as target:
        fill(source, random_of(1))
        fill(target, random_of(2))
        back_up(database_url, path)
        before = all_rows(target, OLD_KEY)
        with pytest.raises(BackupError, match=r"not empty: it has rows .*--replace"):
            restore(local_url, path, OLD_KEY)
        assert all_rows(target, OLD_KEY) == before
        restore(local_url, path, OLD_KEY, replaces=True)
        assert all_rows(target, OLD_KEY) == all_rows(source, OLD_KEY)
        events = target.read(lambda db: db.execute(select(audit.c.type).where(audit.c.type == "restoration")).all())
        assert len(events) == 1
        assert verification.name in before
