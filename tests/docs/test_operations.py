"""docs/operations.md names existing settings and URLs, and its backup command works."""

import re
import sqlite3
import subprocess
from pathlib import Path

from tests.absence import require
from tests.docs.generated import ROOT
from treaty.settings import SETTINGS
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate
from treaty.web import urls

TEXT = (ROOT / "docs" / "operations.md").read_text("utf-8")


def test_every_setting_that_is_named_exists() -> None:
    variables = {name.lower() for name in re.findall(r"PACT_BROKER_([A-Z_]+)", TEXT)}
    named = set(re.findall(r"`((?:database|public|secret|trusted)_\w+)`", TEXT))
    assert len(variables) >= 5
    assert len(named) > 3
    assert variables | named <= SETTINGS.keys()


def test_every_address_that_is_named_is_one() -> None:
    named = set(re.findall(r"`(/(?:diagnostic|metrics)[^`]*)`", TEXT))
    assert len(named) == 4
    assert named <= {
        urls.HEARTBEAT.template,
        urls.DEPENDENCIES.template,
        urls.READINESS.template,
        urls.PROMETHEUS.template,
    }


def test_the_backup_that_is_shown_is_whole_while_the_database_is_in_use(tmp_path: Path) -> None:
    require("sqlite3")
    (command,) = re.findall(r"^sqlite3 .*$", TEXT, re.MULTILINE)
    database = open_database(f"sqlite:///{tmp_path / 'treaty.sqlite'}")
    migrate(database)

    def copy_while_writing(_db: object) -> None:
        subprocess.run(command, shell=True, cwd=tmp_path, check=True)  # noqa: S602 - the documented command

    database.write(copy_while_writing)
    database.close()
    with sqlite3.connect(tmp_path / "backup.sqlite") as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"pacticipant", "publication", "verification"} <= tables
