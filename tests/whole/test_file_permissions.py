"""Other users of the machine cannot read the files of a server."""

import os
import stat

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from tests.whole import servers
from treaty.cli import TREATY
from treaty.store.engine.database import open_database


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def _umask(request):
    previous = os.umask(request.param)
    yield
    os.umask(previous)


def modes(folder):
    return {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir() if path.is_file()}


@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize("form", ["sqlite:///{}", "sqlite:///file:{}?uri=true", "sqlite:///file:{}?mode=rwc&uri=true"])
def test_a_new_database_is_private_whatever_the_umask(tmp_path, form):
    tmp_path.chmod(0o755)
    database = open_database(form.format(tmp_path / "treaty.sqlite"))
    database.write(lambda db: db.execute(text("CREATE TABLE example (id)")))
    assert modes(tmp_path) == dict.fromkeys(("treaty.sqlite", "treaty.sqlite-wal", "treaty.sqlite-shm"), "0o600")
    database.close()


def test_a_database_and_a_key_that_a_command_creates_are_private(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["user", "add", "ada", "--role", "administrator", "--password-stdin"]
    result = CliRunner().invoke(TREATY, command, input="a stapled horse, correctly\n")
    assert result.exit_code == 0, result.output
    assert set(modes(tmp_path).values()) == {"0o600"}


def test_an_existing_database_keeps_its_mode_and_the_server_warns_if_everyone_can_read_it(tmp_path):
    (tmp_path / "my treaty.sqlite").touch()
    (tmp_path / "my treaty.sqlite").chmod(0o644)
    (tmp_path / "treaty.key").write_text("a key that is long enough\n")
    (tmp_path / "treaty.key").chmod(0o640)
    with servers.running(f"sqlite:///{tmp_path / 'my treaty.sqlite'}", cwd=tmp_path) as server:
        log = server.log
        assert modes(tmp_path)["my treaty.sqlite"] == "0o644"
    assert log.count("All users of this machine can read these files. To change that, run: chmod o= ") == 1
    assert f"chmod o= '{tmp_path}/my treaty.sqlite'" in log
    assert "treaty.key" not in log


def test_a_server_with_private_files_does_not_warn(tmp_path):
    # It does warn of contacts that have expired, in the same start.
    environ = {"TREATY_SECURITY_CONTACTS": "tel:1", "TREATY_SECURITY_TXT_EXPIRES": "2020-12-31"}
    with servers.running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", cwd=tmp_path, environ=environ) as server:
        assert "can read these files" not in server.log
        assert "The contacts in /.well-known/security.txt expired. Check them, and set a later date." in server.log
