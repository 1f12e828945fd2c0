"""`treaty backup` and `treaty restore`: their files, messages and exit codes, and files that remain after failures."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import zipfile
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import insert, select, text

from tests.databases import create_missing_file, on_sqlite, open_kept
from tests.scale import choose
from tests.waiting import PATIENCE, eventually
from treaty.cli import TREATY
from treaty.model.maintenance.backups import BackupError
from treaty.settings import Settings
from treaty.store.engine.vault import get_vault
from treaty.store.maintenance.backup_files import BackupFile
from treaty.store.migrations import HEAD
from treaty.store.tables import content, label, pacticipant, secret
from treaty.workers import backups
from treaty.workers.backups import BackupOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from click.testing import Result

PASSPHRASE = "a passphrase of the tests"  # noqa: S105 - it protects nothing
NOW = datetime(2026, 1, 2, tzinfo=UTC)
WITH_PASSPHRASE = {"TREATY_BACKUP_PASSPHRASE": PASSPHRASE}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def call(*words: str, variables: Mapping[str, str] | None = None) -> Result:
    return CliRunner().invoke(TREATY, words, prog_name="treaty", env=variables or {})


def done(*words: str, variables: Mapping[str, str] | None = None) -> str:
    result = call(*words, variables=variables)
    assert result.exit_code == 0, result.output
    return result.stdout


def failed(*words: str, variables: Mapping[str, str] | None = None) -> str:
    result = call(*words, variables=variables)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    return result.stderr


def add_pacticipants(url: str, *names: str, size: int = 10) -> None:
    """Add pacticipants, the first with a content of random bytes, and each with a label in the same transaction."""
    times = {"created_at": NOW, "updated_at": NOW}
    body = Random(1).randbytes(size)  # noqa: S311 - not a secret

    def add(db: Any) -> None:
        new_id = 0
        for name in names:
            added = db.execute(insert(pacticipant).values(name=name, display_name=name, **times))
            (new_id,) = added.inserted_primary_key
            db.execute(insert(label).values(pacticipant_id=new_id, name=name, **times)).close()
        keys = dict.fromkeys(("consumer_id", "provider_id"), new_id)
        db.execute(insert(content).values(sha=names[0], created_at=NOW, body=body, **keys)).close()

    with closing(open_kept(url)) as database:
        database.write(add)


def add_secret(url: str) -> None:
    encrypted = get_vault(Settings(database_url=url)).encrypt("the value").text
    values = {"uuid": "u", "name": "TOKEN", "value": encrypted, "origins": "[]", "created_at": NOW, "updated_at": NOW}
    with closing(open_kept(url)) as database:
        database.write(lambda db: db.execute(insert(secret).values(values)).close())


def names_in(url: str) -> list[str]:
    with closing(open_kept(url)) as database:
        return list(database.read(lambda db: db.execute(select(pacticipant.c.name).order_by("id")).scalars()))


# Output for users


def test_a_backup_is_private_complete_and_recorded(database_url: str, folder: Path) -> None:
    add_pacticipants(database_url, "a", "b")
    result = call("backup", "b.zip", "--database-url", database_url, "--output", "json")
    document = json.loads(result.stdout)
    assert (folder / "b.zip").stat().st_mode & 0o777 == 0o600
    assert document["bytes"] == (folder / "b.zip").stat().st_size
    assert (document["rows"]["pacticipant"], document["revision"], document["hasKey"]) == (2, HEAD, False)
    assert "[1/1] Back up rows: 5 in " in result.stderr
    assert list(folder.iterdir()) == [folder / "b.zip"]
    assert "0 minutes" not in done("doctor", "--database-url", database_url)


def test_the_doctor_reports_the_data_that_losing_the_disk_would_cost(database_url: str, folder: Path) -> None:
    def report() -> str:
        return done("doctor", "--database-url", database_url).splitlines()[-1]

    assert report() == (
        "backup no backup is recorded: losing the disk now would cost all data; `treaty backup FILE` makes one"
    )
    done("backup", "b.zip", "--database-url", database_url)
    assert report().startswith("backup the latest backup is from 20")
    assert report().endswith("; nothing has changed since")
    for name in ("ada", "grace"):
        done("user", "add", name, "--system", "--database-url", database_url)
    assert report().endswith("losing the disk now would cost 2 changes since (user creation 2)")
    moved = f"sqlite:///{folder / 'moved.sqlite'}"
    done("restore", "b.zip", "--database-url", moved)
    last = done("doctor", "--database-url", moved).splitlines()[-1]
    assert last.startswith("backup this database was restored from a backup of 20")
    assert last.endswith("; nothing has changed since")


@on_sqlite
def test_an_existing_file_is_replaced_on_request_and_only_if_it_is_a_backup(database_url: str, folder: Path) -> None:
    done("backup", "b.zip", "--database-url", database_url)
    first = (folder / "b.zip").read_bytes()
    assert "b.zip exists already" in failed("backup", "b.zip", "--database-url", database_url)
    assert (folder / "b.zip").read_bytes() == first
    done("backup", "b.zip", "--overwrite", "--database-url", database_url)
    assert (folder / "b.zip").read_bytes() != first
    (folder / "notes.txt").write_text("important")
    assert "is not a backup of Treaty" in failed("backup", "notes.txt", "--overwrite", "--database-url", database_url)
    assert (folder / "notes.txt").read_text() == "important"


@on_sqlite
def test_a_path_that_cannot_be_written_is_refused_with_the_reason(database_url: str, folder: Path) -> None:
    url = ("--database-url", database_url)
    assert "there is no folder missing. Create it" in failed("backup", "missing/b.zip", *url)
    (folder / "there").mkdir()
    assert "there is a folder. Give the path of a file" in failed("backup", "there", *url)
    assert list((folder / "there").iterdir()) == []


# The key


@on_sqlite
def test_a_backup_without_the_key_is_restored_only_with_it(database_url: str, folder: Path, tmp_path: Path) -> None:
    add_secret(database_url)
    assert f"does not contain the encryption key ({tmp_path / 'treaty.key'})" in done(
        "backup", "b.zip", "--database-url", database_url
    )
    target = f"sqlite:///{folder / 'new.sqlite'}"
    refusal = failed("restore", "b.zip", "--database-url", target)
    assert "1 secret in the backup is encrypted with another key than this server's. Nothing was written." in refusal
    assert f"copy its treaty.key to {folder / 'treaty.key'}" in refusal
    assert list(folder.iterdir()) == [folder / "b.zip"]
    result = call("restore", "b.zip", "--without-key", "--database-url", target)
    assert result.exit_code == 0
    assert "1 secret cannot be decrypted. Enter the secrets of webhooks again." in result.stderr
    key = (tmp_path / "treaty.key").read_text().strip()
    done("restore", "b.zip", "--replace", "--database-url", target, variables={"TREATY_SECRET_KEY": key})
    # Without a key of its own, the server creates one.
    assert not (folder / "treaty.key").exists()


@on_sqlite
def test_a_backup_with_the_key_is_restored_with_its_passphrase(database_url: str, folder: Path) -> None:
    add_secret(database_url)
    (folder / "passphrase").write_text(f"{PASSPHRASE}\nanother line\n")
    backup = done("backup", "b.zip", "--passphrase-file", "passphrase", "--database-url", database_url)
    assert "It contains the encryption key, protected by the passphrase." in backup
    target = f"sqlite:///{folder / 'new.sqlite'}"
    assert "Give the passphrase of the backup" in failed("restore", "b.zip", "--database-url", target)
    wrong = {"TREATY_BACKUP_PASSPHRASE": "another passphrase"}
    assert "The passphrase is not the one" in failed("restore", "b.zip", "--database-url", target, variables=wrong)
    assert not (folder / "new.sqlite").exists()
    done("restore", "b.zip", "--database-url", target, variables=WITH_PASSPHRASE)
    with closing(open_kept(target)) as database:
        encrypted = database.read(lambda db: db.execute(select(secret.c.value)).scalar_one())
    key = (folder / "treaty.key").read_text()
    # With the new key of its own, no passphrase is needed any more.
    done("backup", "c.zip", "--database-url", target)
    done("restore", "c.zip", "--replace", "--database-url", target)
    assert (folder / "treaty.key").read_text() == key
    assert encrypted.startswith("v2:")


@on_sqlite
def test_a_passphrase_is_long_enough_and_there(database_url: str, folder: Path) -> None:
    url = ("--database-url", database_url)
    short = {"TREATY_BACKUP_PASSPHRASE": "short"}
    assert "too short: use at least 12 characters" in failed("backup", "b.zip", *url, variables=short)
    assert "There is no terminal to ask for a passphrase." in failed("backup", "b.zip", "--with-key", *url)
    assert "there is no key to add to the backup" in failed("backup", "b.zip", *url, variables=WITH_PASSPHRASE)
    (folder / "empty").touch()
    assert "empty is empty." in failed("backup", "b.zip", "--passphrase-file", "empty", *url)
    assert list(folder.iterdir()) == [folder / "empty"]


@on_sqlite
def test_a_passphrase_does_not_appear_in_the_file(database_url: str, folder: Path) -> None:
    add_secret(database_url)
    done("backup", "b.zip", "--database-url", database_url, variables=WITH_PASSPHRASE)
    with zipfile.ZipFile(folder / "b.zip") as archive:
        contents = b"".join(map(archive.read, archive.namelist()))
    key = (folder.parent / "treaty.key").read_bytes().strip()
    for hidden in (key, PASSPHRASE.encode(), b"the value"):
        assert hidden not in contents


# Missing, damaged and foreign files


def test_a_check_writes_nothing(empty_database_url: str, folder: Path, tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path / 'source.sqlite'}"
    create_missing_file(source)
    add_pacticipants(source, "a")
    done("backup", "b.zip", "--database-url", source)
    report = done("restore", "b.zip", "--dry-run", "--database-url", empty_database_url)
    assert report.startswith("The backup can be restored: 3 rows, the state of 20")
    assert list(folder.iterdir()) == [folder / "b.zip"]
    assert not (tmp_path / "treaty.sqlite").exists()
    assert "Restored 3 rows" in done("restore", "b.zip", "--database-url", empty_database_url)
    assert names_in(empty_database_url) == ["a"]


@on_sqlite
def test_other_files_are_refused(database_url: str, folder: Path) -> None:
    (folder / "empty.zip").touch()
    (folder / "text.zip").write_text("a text")
    with zipfile.ZipFile(folder / "other.zip", "w") as archive:
        archive.writestr("letter.txt", "a letter")
    for name in ("empty.zip", "text.zip", "other.zip"):
        assert f"{name} is not a backup of Treaty" in failed("restore", name, "--database-url", database_url)
    assert "missing.zip cannot be read: No such file" in failed("restore", "missing.zip")
    assert not (folder / "treaty.sqlite").exists()


@on_sqlite
def test_a_backup_of_a_newer_version_is_refused(database_url: str, folder: Path) -> None:
    done("backup", "b.zip", "--database-url", database_url)
    rewrite_manifest(folder / "b.zip", revision="9999", version="99.1")
    refusal = failed("restore", "b.zip", "--database-url", f"sqlite:///{folder}/new.sqlite")
    assert f"made by Treaty 99.1, whose schema (revision 9999) is newer than this version's ({HEAD})" in refusal
    rewrite_manifest(folder / "b.zip", format=2)
    assert "in a format that this version does not know" in failed("restore", "b.zip")
    assert list(folder.iterdir()) == [folder / "b.zip"]


def rewrite_manifest(path: Path, **changes: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | changes).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in members.items():
            archive.writestr(name, value)


@on_sqlite
def test_every_damage_to_a_file_is_detected(database_url: str, folder: Path) -> None:
    add_pacticipants(database_url, *"abc", size=300)
    done("backup", "b.zip", "--database-url", database_url)
    path, original = folder / "b.zip", (folder / "b.zip").read_bytes()
    expected = read_all(path)
    random = Random(7)  # noqa: S311 - not a secret
    for _ in range(choose(60, slow=1000, long=20_000)):
        damaged = bytearray(original)
        match random.randrange(3):
            case 0:
                del damaged[random.randrange(len(original)) :]
            case 1:
                damaged[random.randrange(len(original))] ^= 1 << random.randrange(8)
            case _:
                start = random.randrange(len(original))
                damaged[start : start + 50] = random.randbytes(50)
        path.write_bytes(damaged)
        try:
            content = read_all(path)
        except BackupError:
            continue
        assert content == expected


def read_all(path: Path) -> Any:
    with BackupFile(path) as backup:
        for table in backup.manifest.tables:
            assert len(list(backup.check(table))) == table.row_count
        rows = [(table.name, list(backup.read_rows(table))) for table in backup.list_tables()]
        return rows, backup.manifest.tables, backup.manifest.revision


@on_sqlite
def test_a_database_that_lacks_tables_or_is_newer_is_not_backed_up(database_url: str, folder: Path) -> None:
    with closing(open_kept(database_url)) as database:
        database.write(lambda db: db.execute(text("DROP TABLE label")).close())
        assert "lacks tables of Treaty: label" in failed("backup", "b.zip", "--database-url", database_url)
        database.write(lambda db: db.execute(text("UPDATE alembic_version SET version_num = '9999'")).close())
        assert "by a newer Treaty" in failed("backup", "b.zip", "--database-url", database_url)
    assert list(folder.iterdir()) == []


@on_sqlite
def test_a_database_in_memory_cannot_be_restored_into(database_url: str) -> None:
    done("backup", "b.zip", "--database-url", database_url)
    assert "a database in memory ends with this command" in failed("restore", "b.zip", "--database-url", "sqlite://")


# While others write


class WritingProgress:
    """Writes to the database while rows are read."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.count = 0

    def plan(self, steps: int) -> None: ...

    def begin(self, subject: str, total: int) -> None:  # noqa: ARG002 - Progress's own signature
        self.write()

    def advance(self, count: int = 1) -> None:  # noqa: ARG002 - likewise
        self.write()

    def end(self) -> None: ...

    def write(self) -> None:
        self.count += 1
        add_pacticipants(self.url, f"during {self.count}")


def test_a_backup_has_all_writes_from_before_and_none_from_after_its_beginning(database_url: str, folder: Path) -> None:
    names = [f"before {number}" for number in range(5)]
    add_pacticipants(database_url, *names)
    progress = WritingProgress(database_url)
    with closing(open_kept(database_url)) as database:
        vault = get_vault(Settings(database_url=database_url))
        backups.make_backup(database, folder / "b.zip", BackupOptions(), vault=vault, progress=progress)
    assert progress.count > 10
    target = f"sqlite:///{folder / 'new.sqlite'}"
    done("restore", "b.zip", "--database-url", target)
    assert names_in(target) == names
    with closing(open_kept(target)) as restored:
        assert restored.read(lambda db: db.execute(select(label.c.name)).scalars().all()) == names


# Failures in the middle


@contextmanager
def limited_files(size: int) -> Iterator[None]:
    """Limit the size of files of this process, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_no_file_and_the_former_backup(database_url: str, folder: Path) -> None:
    add_pacticipants(database_url, "a", size=3_000_000)
    done("backup", "former.zip", "--database-url", database_url)
    former = (folder / "former.zip").read_bytes()
    for words in (["new.zip"], ["former.zip", "--overwrite"]):
        with limited_files(2_000_000):
            text = failed("backup", *words, "--database-url", database_url)
        assert f"There is not enough space for {words[0]}" in text
        assert "No backup was written. Free some space" in text
    assert list(folder.iterdir()) == [folder / "former.zip"]
    assert (folder / "former.zip").read_bytes() == former


@on_sqlite
def test_a_full_disk_leaves_the_database_as_it_was(database_url: str, folder: Path) -> None:
    add_pacticipants(database_url, "a", size=5_000_000)
    done("backup", "b.zip", "--database-url", database_url)
    target = f"sqlite:///{folder / 'new.sqlite'}"
    with limited_files(2_000_000):
        assert "new.sqlite" in failed("restore", "b.zip", "--database-url", target)
    assert list(folder.iterdir()) == [folder / "b.zip"]
    create_missing_file(target)
    add_pacticipants(target, "former")
    with limited_files(2_000_000):
        failed("restore", "b.zip", "--replace", "--database-url", target)
    assert names_in(target) == ["former"]
    done("restore", "b.zip", "--replace", "--database-url", target)
    assert names_in(target) == ["a"]


def started(*words: str, cwd: Path) -> subprocess.Popen[str]:
    program = [sys.executable, "-c", "from treaty.cli import treaty; treaty()", *words]
    return subprocess.Popen(program, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def locked_table(url: str) -> Iterator[None]:
    with psycopg.connect(url) as db:
        db.execute("LOCK TABLE webhook IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.slow  # full disks end a backup in the middle, too
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("number", "leaves"), [(signal.SIGTERM, 0), (signal.SIGKILL, 1)])
def test_a_backup_that_is_killed_leaves_nothing_that_passes_for_one(
    database_url: str, folder: Path, number: int, leaves: int
) -> None:
    add_pacticipants(database_url, "a")
    with locked_table(database_url):
        process = started("backup", "b.zip", "--database-url", database_url, cwd=folder)
        eventually(lambda: list(folder.glob(".b.zip.*")))
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait(PATIENCE)
    assert process.wait(PATIENCE) != 0
    process.communicate()
    assert len(list(folder.iterdir())) == leaves
    done("backup", "b.zip", "--database-url", database_url)
    assert list(folder.iterdir()) == [folder / "b.zip"]


@pytest.mark.slow  # a transaction that fails in the middle is tested above
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_restoration_that_is_killed_writes_all_or_nothing(
    kind: str, folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    source = f"sqlite:///{tmp_path / 'source.sqlite'}"
    create_missing_file(source)
    for number in range(10):
        add_pacticipants(source, *(f"{number} {name}" for name in range(300)), size=1_000_000)
    done("backup", "b.zip", "--database-url", source)
    expected = names_in(source)
    lender = request.getfixturevalue("postgres_lender")
    with lender.database() as url:
        target = url if kind == "postgresql" else f"sqlite:///{folder / 'new.sqlite'}"
        create_missing_file(target)
        for delay in choose((0.0, 0.2), slow=(0.0, 0.1, 0.3), long=(0.0, 0.05, 0.1, 0.2, 0.3, 0.5)):
            process = started("restore", "b.zip", "--replace", "--database-url", target, cwd=folder)
            assert process.stderr is not None
            assert "Check the backup" in process.stderr.readline()
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait(PATIENCE)
            process.communicate()
            assert names_in(target) in ([], expected)
        done("restore", "b.zip", "--replace", "--database-url", target)
        assert names_in(target) == expected
