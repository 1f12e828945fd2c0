"""Commands that need an existing database fail if there is none."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tests.whole.database_commands import CALLS, COMMANDS, NEEDED, PASSWORD, VARIANTS
from treaty.cli import TREATY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from click.testing import Result


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(words: Sequence[str], **variables: str) -> Result:
    return CliRunner().invoke(TREATY, words, prog_name="treaty", input=PASSWORD, env=variables)


def test_the_table_has_every_command_that_opens_a_database() -> None:
    names = {" ".join(words) for words in COMMANDS}
    assert {"doctor", "clean", "rotate-key", "user list", "token create"} <= names
    assert set(NEEDED) | set(VARIANTS) <= names


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_a_missing_file_is_named_and_not_created(words: list[str], folder: Path) -> None:
    missing = folder / "missing.sqlite"
    in_option = call([*words, "--database-url", f"sqlite:///{missing}"])
    default = call(words)
    in_environment = call(words, TREATY_DATABASE_URL=f"sqlite:///{missing}")
    for result, path in ((in_option, missing), (default, folder / "treaty.sqlite"), (in_environment, missing)):
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"there is no database at {path}" in result.stderr
        assert "`treaty serve` creates" in result.stderr
    assert list(folder.iterdir()) == []


def write_nothing(path: Path) -> None:
    path.touch()


def write_text(path: Path) -> None:
    path.write_text("root:x:0:0\n" * 20)


def write_other_tables(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE somebody_elses (a)")
    database.commit()
    database.close()


def write_other_tables_with_a_log(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE somebody_elses (a)")
    database.commit()
    database.close()


@pytest.mark.parametrize("write", [write_nothing, write_text, write_other_tables, write_other_tables_with_a_log])
@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_a_file_that_is_not_a_database_of_treaty_stays_unchanged(words: list[str], folder: Path, write: object) -> None:
    path = folder / "some.sqlite"
    assert callable(write)
    write(path)
    before = path.read_bytes()
    result = call([*words, "--database-url", f"sqlite:///{path}"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(path) in result.stderr
    assert (path.read_bytes(), list(folder.iterdir())) == (before, [path])


@pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
def test_a_postgresql_database_without_tables_is_left_without_them(empty_database_url: str) -> None:
    for words in CALLS:
        result = call([*words, "--database-url", empty_database_url])
        assert (result.exit_code, result.stdout) == (1, ""), words
        assert "has no tables of Treaty" in result.stderr


def test_an_unreachable_server_is_reported_without_its_password() -> None:
    url = "postgresql://ada:secret@127.0.0.1:1/treaty"
    result = call(["doctor", "--database-url", url], TREATY_DATABASE_STARTUP_TIMEOUT="0")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "postgresql://ada:***@127.0.0.1:1/treaty cannot be reached" in result.stderr
    assert "secret" not in result.stderr


def test_the_first_user_may_be_added_before_the_server_starts(folder: Path) -> None:
    added = call(["user", "add", "ada", "--role", "administrator", "--password-stdin"])
    assert (added.exit_code, added.stdout) == (0, "Added ada, administrator.\n"), added.output
    assert "ada" in call(["user", "list"]).stdout
    assert (folder / "treaty.sqlite").exists()
