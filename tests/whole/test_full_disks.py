"""On a full or read-only disk, each command that writes prints one line, and leaves no partial data."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql

from tests import postgres, small_disks
from tests.absence import unavailable
from tests.databases import create_missing_file
from tests.small_disks import SmallDisk
from tests.whole.database_commands import CALLS, PASSWORD
from treaty import app, example_data
from treaty.cli import TREATY
from treaty.cli.cursor_files import CursorFile
from treaty.cli.reporting.facts import Annotation, Level
from treaty.cli.reporting.gitlab import write_code_quality
from treaty.settings import read_settings
from treaty.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from click.testing import Result

KEY: Final = "0123456789abcdef0123456789abcdef"
READ: Final = {"clean --dry-run", "doctor", "user list", "token list", "secret list"}
"""First arguments of the commands that only read."""
LARGE: Final = ("clean", "restore")
"""First arguments of the commands that need new pages of PostgreSQL. Others can use space in existing ones."""
POSTGRES: Final = {
    "fsync": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "autovacuum": "off",  # it would make space in existing pages
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallDisk]:
    with mounted(tmp_path_factory.mktemp("disk"), megabytes=8) as disk:
        yield disk


@contextmanager
def mounted(folder: Path, *, megabytes: int) -> Iterator[SmallDisk]:
    try:
        with small_disks.mounted(folder, megabytes=megabytes) as disk:
            yield disk
    except small_disks.Unavailable as absence:
        unavailable(str(absence))


def call(words: Sequence[str], url: str) -> Result:
    environ = {"TREATY_DATABASE_STARTUP_TIMEOUT": "0", "TREATY_SECRET_KEY": KEY}
    return CliRunner().invoke(
        TREATY, [*words, "--database-url", url], prog_name="treaty", input=PASSWORD, env=environ, catch_exceptions=False
    )


def list_calls(backup: Path) -> list[list[str]]:
    """List the commands of the table with existing names, and those that can create a database."""
    calls = [["CI_TOKEN_2" if "create" in words and word == "CI_TOKEN" else word for word in words] for words in CALLS]
    calls = [
        ["robot" if words[:2] == ["user", "limit"] and word == "ada" else word for word in words] for words in calls
    ]
    users = [["user", "add", "bob", "--role", "read-only", "--password-stdin"]]
    calls = [words for words in calls if "reset-second-factor" not in words]  # there is none to remove
    return [*calls, *users, ["restore", str(backup), "--replace"]]


def add_data(url: str, backup: Path) -> None:
    """Add data that a clean-up removes, a user, a secret, and a backup of all that."""
    settings = read_settings({"database_url": url, "secret_key": KEY})
    with closing(app.open_server_database(settings)) as database:
        long_ago = datetime.now(UTC) - timedelta(days=400)
        database.write(lambda db: example_data.add_example_data(db, now=long_ago, settings=settings))
    for words in (
        ["user", "add", "ada", "--role", "read-only", "--password-stdin"],
        ["user", "add", "robot", "--role", "read-write", "--system"],
        ["secret", "create", "CI_TOKEN", "--value-stdin"],
        ["backup", str(backup)],
    ):
        result = call(words, url)
        assert result.exit_code == 0, result.output


def check_refusal(result: Result, *texts: str) -> None:
    assert result.exit_code == 1, result.output
    (line,) = (line for line in result.stderr.splitlines() if not line.startswith("["))  # without progress
    for text in texts:
        assert text in line, line


def is_read(words: Sequence[str]) -> bool:
    return any(" ".join(words).startswith(beginning) for beginning in READ) and "--fix" not in words


# SQLite


@pytest.mark.parametrize("is_served", [False, True])
def test_a_full_disk_of_sqlite_is_named_and_nothing_is_written(
    disk: SmallDisk, tmp_path: Path, *, is_served: bool
) -> None:
    """A server has the files beside the database open already, so that commands can read on a full disk."""
    backup, file = tmp_path / "state.zip", disk.folder / "broker.sqlite"
    original = tmp_path / "broker.sqlite"
    create_missing_file(f"sqlite:///{original}")
    add_data(f"sqlite:///{original}", backup)
    with closing(sqlite3.connect(original)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = list(database.iterdump())
    # Without a server, opening the database fails already, in the same way for every command.
    calls = list_calls(backup) if is_served else [["clean"], ["user", "list"], ["restore", str(backup), "--replace"]]
    for words in calls:
        disk.free()
        for path in disk.folder.iterdir():
            path.unlink()
        shutil.copy2(original, file)
        with closing(sqlite3.connect(file)) as server:
            if is_served:
                server.execute("SELECT count(*) FROM pacticipant").fetchall()
            disk.fill()
            chosen = [str(disk.folder / word) if word == "backup.zip" else word for word in words]
            result = call(chosen, f"sqlite:///{file}")
        if is_served and (is_read(words) or words[0] in {"doctor", "rotate-key"}):
            continue  # reads succeed, and so do repairs of nothing; rotating a key is tested below
        text = "not enough space" if words[0] == "backup" and is_served else "full"
        check_refusal(result, text, "Free some space")
        disk.free()
        with closing(sqlite3.connect(file)) as database:
            assert list(database.iterdump()) == before, words
        assert {path.name for path in disk.folder.iterdir()} <= {"broker.sqlite"}, words


def test_a_key_that_cannot_be_stored_leaves_the_former_one(
    disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in disk.folder.iterdir():
        path.unlink()
    url = f"sqlite:///{disk.folder / 'broker.sqlite'}"
    create_missing_file(url)
    runner = CliRunner()
    words = ["secret", "create", "CI_TOKEN", "--value-stdin", "--database-url", url]
    assert runner.invoke(TREATY, words, input="hunter2\n").exit_code == 0
    key = (disk.folder / "treaty.key").read_bytes()
    with closing(sqlite3.connect(disk.folder / "broker.sqlite")) as server:
        server.execute("SELECT count(*) FROM pacticipant").fetchall()
        disk.fill()
        result = runner.invoke(
            TREATY, ["rotate-key", "--database-url", url], prog_name="treaty", catch_exceptions=False
        )
    assert result.exit_code == 1
    assert "treaty rotate-key: " in result.stderr
    assert "space" in result.stderr
    assert (disk.folder / "treaty.key").read_bytes() == key
    disk.free()
    again = runner.invoke(TREATY, ["rotate-key", "--database-url", url], catch_exceptions=False)
    assert (again.exit_code, "Re-encrypted 1 of 1 secrets" in again.output) == (0, True), again.output


def test_a_read_only_disk_is_named(disk: SmallDisk, tmp_path: Path) -> None:
    backup, file = tmp_path / "state.zip", disk.folder / "broker.sqlite"
    for path in disk.folder.iterdir():
        path.unlink()
    create_missing_file(f"sqlite:///{file}")
    add_data(f"sqlite:///{file}", backup)
    with disk.read_only():
        for words in list_calls(backup):
            check_refusal(call(words, f"sqlite:///{file}"), str(file), "read-only")
        target = ["backup", str(disk.folder / "backup.zip")]
        another = tmp_path / "another.sqlite"
        create_missing_file(f"sqlite:///{another}")
        check_refusal(call(target, f"sqlite:///{another}"), "Read-only file system", "No backup was written")


# PostgreSQL


def test_a_full_disk_of_postgresql_is_named_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with postgres_on_small_disk() as (url, disk):
        add_data(url, tmp_path / "state.zip")
        disk.fill()
        calls = list_calls(tmp_path / "state.zip")
        for words in (words for words in calls if words[0] not in {"user", "token", "secret"} or words[1] == "create"):
            before = count_rows(url)
            result = call(words, url)
            if is_read(words) or words[0] in {"backup", "doctor"}:
                assert result.exit_code == 0, result.output
            elif result.exit_code or " ".join(words).startswith(LARGE):
                check_refusal(result, "the disk of the server is full", "Free some space")
                assert count_rows(url) == before, words
        disk.free()
        assert call(["clean"], url).exit_code == 0
        assert call(["doctor"], url).exit_code == 0


@contextmanager
def postgres_on_small_disk() -> Iterator[tuple[str, SmallDisk]]:
    """Start PostgreSQL with its tables, but not its write-ahead log, on a small disk."""
    try:
        binaries, owner = postgres.find_binaries(), postgres.find_owner()
    except postgres.Unavailable as absence:
        unavailable(str(absence))
    with postgres.new_folder(owner) as folder:
        password = postgres.create_cluster(binaries, folder, owner)
        tables, copy = folder / "data" / "base", folder / "tables"
        tables.rename(copy)
        tables.mkdir()
        if owner:
            os.chown(tables, owner.pw_uid, owner.pw_gid)
        with mounted(tables, megabytes=64) as disk:
            subprocess.run(["cp", "-a", f"{copy}/.", str(tables)], check=True)
            process, port = postgres.start_cluster(binaries, folder, owner, POSTGRES)
            try:
                yield f"postgresql://treaty:{password}@127.0.0.1:{port}/postgres", disk
            finally:
                postgres.stop_cluster(process)


def count_rows(url: str) -> dict[str, int]:
    """Count the rows of all tables, without the lease of a clean-up, which expires."""
    with psycopg.connect(url) as database:
        names = [name for name in metadata.tables if name != "lease"]
        queries = [sql.SQL("SELECT {}, count(*) FROM {}").format(name, sql.Identifier(name)) for name in names]
        return dict(database.execute(sql.SQL(" UNION ALL ").join(queries)).fetchall())


# Files


def test_files_of_commands_are_named_and_removed_if_they_are_incomplete(disk: SmallDisk) -> None:
    for path in disk.folder.iterdir():
        path.unlink()
    disk.fill()
    result = CliRunner().invoke(TREATY, ["completions", "bash", "--directory", str(disk.folder)], prog_name="treaty")
    assert (result.exit_code, "treaty.bash: No space left on device" in result.output) == (1, True), result.output
    assert "Free some space" in result.output
    with pytest.raises(OSError, match=r"No space left on device: .*cursor"):
        CursorFile(str(disk.folder / "cursor")).store("abc")
    note = Annotation(path="pact.json", lines=(1, 2), level=Level.FAILURE, title="No", message="result", key="1")
    with pytest.raises(OSError, match=r"No space left on device: .*quality.json"):
        write_code_quality(str(disk.folder / "quality.json"), [note])
    assert {path.name for path in disk.folder.iterdir()} == {"filler"}
