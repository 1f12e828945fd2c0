"""The server and all commands that open a database print one line with the reason if the database cannot be used."""

from __future__ import annotations

import json
import os
import shutil
import socket
import socketserver
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx
import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql
from sqlalchemy import URL, make_url
from sqlalchemy.exc import OperationalError

from tests import postgres
from tests.databases import create_missing_file
from tests.waiting import PATIENCE
from tests.whole.database_commands import CALLS, PASSWORD
from tests.whole.servers import running
from treaty.cli import TREATY
from treaty.store.engine import startup
from treaty.store.engine.database_faults import explain_error, name_database
from treaty.store.engine.database_urls import parse_url

SERVE: Final = ["serve", "--port", "0"]
ADD_USER: Final = ["user", "add", "ada", "--role", "administrator", "--password-stdin"]
EVERY_CALL: Final = [SERVE, ADD_USER, *CALLS]
STOP: Final = {"OTEL_TRACES_EXPORTER": "unknown"}
"""A setting that ends the server after it has opened its database, so that a failing test does not wait for it."""
NOBODY: Final = 65_534
"""Id of a user without rights, since root, which may run the tests, can write to all files."""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(words: list[str], url: str, **variables: str) -> Result:
    environ = {"TREATY_DATABASE_STARTUP_TIMEOUT": "0", **STOP, **variables}
    return CliRunner().invoke(
        TREATY, [*words, "--database-url", url], prog_name="treaty", input=PASSWORD, env=environ, catch_exceptions=False
    )


def check_all(url: str, *texts: str, calls: list[list[str]] = EVERY_CALL, wait: str = "0") -> None:
    """Check that every call prints one line with the texts, and exits with 1."""
    for words in calls:
        result = call(words, url, TREATY_DATABASE_STARTUP_TIMEOUT=wait)
        assert (result.exit_code, result.stdout) == (1, ""), (words, result.output)
        assert result.stderr.count("\n") == 1, result.stderr
        assert result.stderr.startswith(f"treaty {words[0]}"), result.stderr
        for text in texts:
            assert text in result.stderr, (words, result.stderr)


# Files


def make_treaty(path: Path, *statements: str) -> None:
    """Create a database of Treaty, and change it."""
    create_missing_file(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def make_other(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def make_folder(path: Path) -> None:
    path.mkdir()


def make_text(path: Path) -> None:
    path.write_text("root:x:0:0\n" * 2000)


def make_truncated(path: Path) -> None:
    make_treaty(path)
    os.truncate(path, 20_000)


def make_damaged(path: Path) -> None:
    make_treaty(path)
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3000)


def make_empty_revision(path: Path) -> None:
    make_treaty(path, "DELETE FROM alembic_version")


def make_newer(path: Path) -> None:
    make_treaty(path, "UPDATE alembic_version SET version_num = '9999'")


def make_incomplete(path: Path) -> None:
    make_treaty(path, "DROP TABLE triggered_webhook")


def make_foreign(path: Path) -> None:
    make_other(path, "CREATE TABLE somebody_elses (a)")


def make_foreign_alembic(path: Path) -> None:
    make_other(
        path,
        "CREATE TABLE alembic_version (version_num varchar(32))",
        "INSERT INTO alembic_version VALUES ('1975ea83b712')",
        "CREATE TABLE orders (a)",
    )


FILES: Final[Mapping[Callable[[Path], None], list[str]]] = {
    make_folder: ["is a folder", "Give the path of a file"],
    make_text: ["is not a SQLite database", "Give the database of your server"],
    make_truncated: ["is damaged or truncated", "Restore it from a backup"],
    make_damaged: ["is damaged or truncated", "Restore it from a backup"],
    make_empty_revision: ["has an empty table alembic_version", "Restore it from a backup"],
    make_newer: ["was upgraded to revision 9999 by a newer Treaty", "Use that version or a later one"],
    make_incomplete: ["lacks tables of Treaty: triggered_webhook", "Restore it from a backup"],
    make_foreign: ["is not a database of Treaty", "Give the database of your server"],
    make_foreign_alembic: ["is not a database of Treaty", "Give the database of your server"],
}
"""Defects of a file: the function that creates it, and parts of the printed line."""


@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_a_file_that_cannot_be_used_is_named_with_the_reason_and_stays_as_it_is(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "some.sqlite"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    check_all(f"sqlite:///{path}", str(path), *FILES[make])
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data" / "treaty.sqlite"
    check_all(f"sqlite:///{path}", f"{path.parent} does not exist", "Create it", calls=[SERVE, ADD_USER])
    check_all(f"sqlite:///{path}", f"there is no database at {path}", calls=CALLS)


@contextmanager
def without_rights() -> Iterator[None]:
    """Change the user of this process to one that cannot write to files of others, until the block ends."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def public_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that all users can enter, unlike those of pytest, with a database."""
    folder = Path(tempfile.mkdtemp(prefix="treaty-"))
    folder.chmod(0o755)
    make_treaty(folder / "treaty.sqlite")
    monkeypatch.chdir(folder)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_to_is_named(public_folder: Path) -> None:
    (public_folder / "treaty.sqlite").chmod(0o666)
    public_folder.chmod(0o555)
    with without_rights():
        check_all(f"sqlite:///{public_folder / 'treaty.sqlite'}", f"this user cannot write to {public_folder}")
        new = f"sqlite:///{public_folder / 'new.sqlite'}"
        check_all(new, f"this user cannot write to {public_folder}", calls=[SERVE, ADD_USER])


@pytest.mark.parametrize(("mode", "text"), [(0o444, "it is read-only"), (0o000, "cannot be read by this user")])
def test_a_file_that_may_not_be_written_or_read_is_named(public_folder: Path, mode: int, text: str) -> None:
    path = public_folder / "treaty.sqlite"
    path.chmod(mode)
    public_folder.chmod(0o777)
    with without_rights():
        check_all(f"sqlite:///{path}", str(path), text, "Let the user that runs Treaty write")


# URLs

SECRET: Final = "hunter2"  # noqa: S105 - of no database
URLS: Final = {
    "treaty.sqlite": "this is not a valid URL",
    "sqlite://treaty.sqlite": "A relative path follows three slashes",
    "sqlite:////tmp/\0": "this is not a valid URL of a SQLite file",
    f"mysql://ada:{SECRET}@db/treaty": "'mysql' is not a database that Treaty supports",
    f"postgresql://ada:{SECRET}@db:port/treaty": "this is not a valid URL",
    f"postgresql://ada:{SECRET}@{'a' * 300}/treaty": "this URL has an invalid host",
    f"postgresql://ada:x@{SECRET}@db/treaty": "more than one @",
    f"postgresql://ada:x@{SECRET}/y@db/treaty": "more than one @",
    f"postgresql://ada:{SECRET}@127.0.0.1:1/treaty?colour=red": "colour",
    f"postgresql://ada:{SECRET}@127.0.0.1:1/treaty?sslmode=maybe": "sslmode",
    f"postgresql://ada@127.0.0.1:1/treaty?password={SECRET}&sslmode=maybe": "sslmode",
}


@pytest.mark.parametrize("url", URLS)
def test_an_unusable_url_is_refused_without_its_password(url: str) -> None:
    for words in EVERY_CALL:
        result = call(words, url)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1), (words, result.output)
        assert "database_url: " in result.stderr
        assert URLS[url] in result.stderr, result.stderr
        assert SECRET not in result.output


# PostgreSQL

LONG_WAIT: Final = "3600"
"""Timeout in seconds. A command must not wait for a problem that only an administrator can solve."""
PAIR: Final = [SERVE, ["doctor"]]


@pytest.fixture
def address(postgres_url: str) -> Iterator[str]:
    """URL of a new PostgreSQL database without tables."""
    with postgres.database(postgres_url) as url:
        yield url


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_a_missing_server_is_named() -> None:
    place = f"127.0.0.1:{free_port()}/treaty"
    check_all(
        f"postgresql://ada:{SECRET}@{place}",
        f"postgresql://ada:***@{place} cannot be reached: there is no PostgreSQL at this address",
        "Start PostgreSQL, or correct the address",
    )


def test_an_unknown_host_and_a_silent_one_are_named() -> None:
    check_all("postgresql://nowhere.invalid/treaty", "nowhere.invalid/treaty cannot be reached: the name", calls=PAIR)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/treaty?connect_timeout=2"
        check_all(url, "cannot be reached: connection timeout expired", "firewall", calls=[["doctor"]])


def without_password(url: URL) -> URL:
    return URL.create(url.drivername, url.username, None, url.host, url.port, url.database)


def test_errors_that_waiting_cannot_resolve_are_reported_at_once(address: str) -> None:
    url = make_url(address)
    spelled = url.render_as_string(hide_password=False)
    for changed, *texts in (
        (url.set(password=SECRET), "PostgreSQL rejects the password of the user 'treaty'", "Correct the user name"),
        (url.set(username="ada"), "PostgreSQL rejects the password of the user 'ada'", "Correct the user name"),
        (without_password(url), "PostgreSQL rejects the password of the user 'treaty'", "Correct the user name"),
        (url.set(database="nowhere"), "PostgreSQL has no database 'nowhere'", "CREATE DATABASE"),
        (url.update_query_dict({"sslmode": "require"}), "the server does not offer TLS", "change sslmode"),
    ):
        changed_url = changed.render_as_string(hide_password=False)
        check_all(changed_url, f"@{url.host}:{url.port}/", *texts, wait=LONG_WAIT, calls=EVERY_CALL)
    assert str(url.password) in spelled
    assert str(url.password) not in call(["doctor"], str(url.set(database="nowhere"))).output


def test_a_schema_that_is_not_treatys_is_named(address: str) -> None:
    place = f"@{make_url(address).host}:{make_url(address).port}/{make_url(address).database}"
    with psycopg.connect(address, autocommit=True) as database:
        database.execute("CREATE TABLE orders (a int)")
        check_all(address, place, "has the tables of another program (orders)", "of its own", wait=LONG_WAIT)
        database.execute("DROP TABLE orders; CREATE TABLE schema_info (version int)")
        check_all(address, place, "the original Pact Broker's", "`treaty import`", calls=PAIR)
        database.execute("DROP TABLE schema_info; CREATE TABLE alembic_version (version_num text)")
        check_all(address, place, "has an empty table alembic_version", "Restore it", calls=PAIR)
        database.execute("INSERT INTO alembic_version VALUES ('1975ea83b712')")
        check_all(address, place, "has the tables of another program (alembic_version)", calls=PAIR)
        database.execute("DROP TABLE alembic_version")
        assert call(ADD_USER, address).exit_code == 0
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        check_all(address, place, "was upgraded to revision 9999 by a newer Treaty", wait=LONG_WAIT)


def test_tables_of_an_extension_are_not_those_of_another_program(address: str) -> None:
    with psycopg.connect(address, autocommit=True) as database:
        # Most extensions are in packages of their own, and have no tables. This one is always there.
        database.execute("CREATE TABLE part_of_it (a int)")
        database.execute("ALTER EXTENSION plpgsql ADD TABLE part_of_it")
        assert call(ADD_USER, address).exit_code == 0


def test_a_missing_permission_is_named(address: str) -> None:
    url = make_url(address)
    name = f"ada_{url.database}"
    limited = url.set(username=name, password=SECRET).render_as_string(hide_password=False)
    texts = (f"the user '{name}' lacks a permission", "permission denied for schema public", "GRANT CREATE")
    with psycopg.connect(address, autocommit=True) as database:
        database.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(SECRET)))
        try:
            check_all(limited, *texts, calls=[SERVE, ADD_USER], wait=LONG_WAIT)
        finally:
            database.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


AT: Final = 'connection failed: connection to server at "192.0.2.7", port 5432 failed: '


@pytest.mark.parametrize(
    ("error", "text", "is_temporary"),
    [
        (psycopg.OperationalError(f"{AT}FATAL:  the database system is starting up"), "is starting up", True),
        (psycopg.OperationalError(f"{AT}FATAL:  sorry, too many clients already"), "too many clients", True),
        (psycopg.OperationalError(f"{AT}FATAL:  el sistema está iniciando"), "el sistema está iniciando", True),
        (psycopg.OperationalError(f'{AT}FATAL:  role "ada" does not exist'), "has no user 'ada'", False),
        (psycopg.OperationalError(f'{AT}FATAL:  role "ada" is not permitted to log in'), "has no user 'ada'", False),
        (
            psycopg.OperationalError(f'{AT}FATAL:  no pg_hba.conf entry for host "192.0.2.9", no encryption'),
            "Permit the connection in pg_hba.conf",
            False,
        ),
        (
            psycopg.OperationalError(f"{AT}SSL error: certificate verify failed"),
            "the TLS connection failed (SSL error: certificate verify failed)",
            False,
        ),
        (
            psycopg.OperationalError(f'{AT}root certificate file "root.crt" does not exist\nEither'),
            'the TLS connection failed (root certificate file "root.crt" does not exist)',
            False,
        ),
        (
            psycopg.OperationalError(f'{AT}could not open certificate file "a.crt": No such file or directory'),
            'the TLS connection failed (could not open certificate file "a.crt": No such file or directory)',
            False,
        ),
        (
            psycopg.OperationalError(
                'connection failed: connection to server on socket "/run/a" failed: No such file or directory'
            ),
            "there is no PostgreSQL at this address",
            True,
        ),
        (psycopg.errors.ReadOnlySqlTransaction("cannot execute CREATE TABLE"), "is read-only, as a standby is", False),
        (psycopg.errors.InvalidSchemaName("no schema has been selected"), "search_path", False),
        (psycopg.errors.DiskFull("no space left on device"), "the disk of the server is full", False),
        (psycopg.errors.UndefinedFile(f"with {SECRET}"), "with ***", False),
    ],
)
def test_other_faults_of_postgresql_are_explained(error: psycopg.Error, text: str, *, is_temporary: bool) -> None:
    url = make_url(f"postgresql+psycopg://ada:{SECRET}@192.0.2.7:5432/treaty?sslpassword={SECRET}")
    explained = explain_error(OperationalError("", {}, error), url)
    assert text in str(explained)
    assert (explained.is_temporary, SECRET in str(explained)) == (is_temporary, False)
    assert "postgresql://ada:***@192.0.2.7:5432/treaty " in explained.reason


# Waiting


@contextmanager
def late_server(url: str, *, refusals: int) -> Iterator[str]:
    """Yield the URL of a server that closes the first connections, and forwards the others to the real server."""
    real = make_url(url)
    remaining = iter(range(refusals))

    def relay(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if next(remaining, None) is not None:
                return
            with socket.create_connection((str(real.host), int(real.port or 0)), timeout=PATIENCE) as server:
                back = threading.Thread(target=relay, args=(server, self.request))
                back.start()
                relay(self.request, server)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as front:
        front.daemon_threads = True
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        query = {"sslmode": "disable", "gssencmode": "disable"}  # otherwise there are several connections per attempt
        try:
            late = real.set(host="127.0.0.1", port=front.server_address[1]).update_query_dict(query)
            yield late.render_as_string(hide_password=False)
        finally:
            front.shutdown()
            thread.join()


def test_a_command_waits_for_a_server_that_is_not_up_yet_with_a_line_for_each_attempt(address: str) -> None:
    with late_server(address, refusals=2) as url:
        result = call(ADD_USER, url, TREATY_DATABASE_STARTUP_TIMEOUT=str(PATIENCE))
    assert (result.exit_code, result.stdout) == (0, "Added ada, administrator.\n"), result.output
    lines = result.stderr.splitlines()
    assert [line.rpartition(". ")[2] for line in lines] == [
        "Trying again in 0.5 seconds.",
        "Trying again in 1.0 seconds.",
    ]
    assert all("postgresql://treaty:***@127.0.0.1:" in line for line in lines)


def test_the_server_logs_each_attempt_and_starts_once_the_database_is_up(address: str, tmp_path: Path) -> None:
    with late_server(address, refusals=1) as url, running(url, "--log-format", "json", cwd=tmp_path) as server:
        assert httpx.get(f"{server.address}/diagnostic/status/dependencies").status_code == 200
        (event,) = [json.loads(line) for line in server.log.splitlines() if '"database"' in line]
    assert event["level"] == "warning"
    assert event["reason"].endswith("Trying again in 0.5 seconds.")


def test_waiting_ends_after_the_time_of_the_setting_and_the_last_line_has_the_next_step() -> None:
    url = f"postgresql://ada:{SECRET}@127.0.0.1:{free_port()}/treaty"
    for words in PAIR:
        result = call(words, url, TREATY_DATABASE_STARTUP_TIMEOUT="0.2")
        *waits, last = result.stderr.splitlines()
        assert (result.exit_code, result.stdout, len(waits)) == (1, "", 1), result.stderr
        assert "Trying again in 0.2 seconds." in waits[0]
        assert last.startswith(f"treaty {words[0]}: database_url: ")
        assert "Start PostgreSQL" in last
        assert SECRET not in result.stderr


def test_the_retries_of_the_original_replace_the_time() -> None:
    assert list(startup.plan_pauses(30, 0)) == []
    assert list(startup.plan_pauses(0, 2)) == [3, 3]
    url = f"postgresql://127.0.0.1:{free_port()}/treaty"
    once = call(
        ["doctor"], url, TREATY_DATABASE_STARTUP_TIMEOUT=LONG_WAIT, PACT_BROKER_DATABASE_CONNECT_MAX_RETRIES="0"
    )
    assert (once.exit_code, once.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "postgres://ann:p%40ss@a.example:5433,b.example/treaty?target_session_attrs=read-write",
            "postgresql://ann:***@a.example:5433,b.example/treaty",
        ),
        ("postgresql://a:1,b:2", "postgresql://a:1,b:2/"),
        ("postgresql://ann:s@a/treaty?host=b:1&host=c:2", "postgresql://ann:***@b:1,c:2/treaty"),
    ],
)
def test_several_hosts_of_postgresql_are_understood_and_named_without_the_password(text, named):
    url = parse_url(text)
    hosts = named.partition("://")[2].rpartition("@")[2].partition("/")[0].split(",")
    assert list(url.query["host"]) == hosts
    assert name_database(url) == named
