"""The tools of the tests: empty databases, imports of helpers, and the options `--slow` and `--long`."""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests import postgres
from tests.absence import unavailable
from tests.changed import ROOT, find_imports
from tests.databases import Lender, open_kept
from tests.scale import IS_LONG, IS_SLOW, VARIABLE
from tests.waiting import eventually
from tests.whole import forked
from treaty.store.engine.database import Database
from treaty.store.tables import metadata


def test_a_database_is_reachable_and_empty(empty_database_url: str) -> None:
    engine = sa.create_engine(empty_database_url)
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.literal(1))) == 1
        assert sa.inspect(db).get_table_names() == []
    engine.dispose()


def test_a_database_has_all_tables_and_nothing_in_them(database_url: str) -> None:
    engine = sa.create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as db:
        others = {"alembic_version"}
        if engine.dialect.name == "sqlite":  # which has the words of the usage index in a full-text table
            tables = {"usage_text", "usage_text_documents"}
            others |= {name + part for name in tables for part in ("", "_config", "_data", "_idx")}
        assert set(sa.inspect(db).get_table_names()) == {*metadata.tables, *others}
        assert [table.name for table in metadata.sorted_tables if db.execute(sa.select(table)).first()] == []
    engine.dispose()


@pytest.fixture
def lender(postgres_url: str) -> Iterator[Lender]:
    lender = Lender(postgres_url)
    yield lender
    lender.close()


ADD = "INSERT INTO pacticipant (name, display_name, created_at, updated_at) VALUES ('Till', 'T', now(), now())"


def test_rows_that_a_test_leaves_in_a_database_are_removed_before_the_next(lender: Lender) -> None:
    for _ in range(2):
        with lender.database() as url, psycopg.connect(url) as db:
            assert db.execute(f"{ADD} RETURNING id").fetchone() == (1,)
    with lender.database() as url, psycopg.connect(url) as db:
        db.execute(ADD)
        db.execute("DELETE FROM pacticipant")
    with lender.database() as url, psycopg.connect(url) as db:
        assert db.execute(f"{ADD} RETURNING id").fetchone() == (1,)


def test_connections_that_outlive_their_test_are_ended(lender: Lender) -> None:
    with lender.database() as url:
        left_open = psycopg.connect(url)
        left_open.execute(ADD)
    with pytest.raises(psycopg.OperationalError):
        left_open.commit()
    left_open.close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"), lender.database():
        psycopg.connect(url)


def add(database: Database) -> int:
    row: int = database.write(lambda db: db.execute(sa.text(f"{ADD} RETURNING id")).scalar_one())
    return row


def test_a_database_that_is_kept_open_is_empty_for_the_next_test(lender: Lender) -> None:
    used = set()
    for _ in range(60):
        with lender.database() as url:
            database = open_kept(url, connections=1)
            assert add(database) == 1
            used.add((url, database))
            database.close()
    assert len({url for url, _ in used}) == 1
    assert len({database for _, database in used}) == 3  # so that nothing grows with each test


def test_a_large_table_is_emptied_too(lender: Lender) -> None:
    many = "INSERT INTO guess (key, count, latest) SELECT i::text, 1, now() FROM generate_series(1, 50000) AS i"
    for _ in range(2):
        with lender.database() as url:
            database = open_kept(url, connections=1)
            with psycopg.connect(url) as db:
                assert db.execute("SELECT count(*) FROM guess").fetchone() == (0,)
                db.execute(many)
            assert add(database) == 1
            database.close()


@pytest.mark.parametrize("is_closed", [True, False])
def test_connections_beside_kept_ones_are_ended_after_their_test(lender: Lender, is_closed: bool) -> None:  # noqa: FBT001 - a parameter
    with lender.database() as url:
        database = open_kept(url, connections=1)
        add(database)
        left_open = psycopg.connect(url)
        if is_closed:
            database.close()
    with pytest.raises(psycopg.OperationalError):
        left_open.execute("SELECT 1")
    left_open.close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"), lender.database():
        psycopg.connect(url)


def test_a_database_whose_tables_were_changed_is_not_lent_again(lender: Lender) -> None:
    with lender.database() as url, psycopg.connect(url) as db:
        db.execute("DROP TABLE label")
    with lender.database() as another, psycopg.connect(another) as db:
        assert another != url
        assert db.execute("SELECT count(*) FROM label").fetchone() == (0,)


def test_a_database_is_dropped_even_while_it_is_used(postgres_url: str) -> None:
    with postgres.database(postgres_url) as url:
        left_open = psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
    left_open.close()


def test_a_database_can_be_copied_from_another(postgres_url: str) -> None:
    with postgres.database(postgres_url) as original:
        with psycopg.connect(original) as db:
            db.execute("CREATE TABLE pact (content text)")
        template = original.rpartition("/")[2]
        with postgres.database(postgres_url, template=template) as copy, psycopg.connect(copy) as db:
            assert db.execute("SELECT count(*) FROM pact").fetchone() == (0,)


def test_a_server_ends_when_the_process_that_started_it_is_killed() -> None:
    try:
        postgres.find_binaries()
    except postgres.Unavailable as absence:
        unavailable(str(absence))
    asking = "from tests import postgres\nwith postgres.server() as url:\n    print(url, flush=True)\n    input()"
    with subprocess.Popen(
        [sys.executable, "-c", asking],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as asker:
        assert asker.stdout
        url = asker.stdout.readline().strip()
        psycopg.connect(url).close()
        asker.send_signal(signal.SIGKILL)
    eventually(lambda: _is_gone(url))


def _is_gone(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return True
    return False


def test_a_forked_process_has_imported_treaty_and_answered_requests_whichever_test_is_first(tmp_path: Path) -> None:
    """Otherwise each process that tests start would import Treaty, which would take most of the tests' time."""
    importlib.import_module("tests.mutants")  # whose own processes are forked from one without Treaty
    words = ["pytest", "-p", "no:cacheprovider", str(tmp_path)]
    if not forked.can_fork(words):
        pytest.skip("nothing is forked here")
    (tmp_path / "test_it.py").write_text(
        "import sys\n\n\ndef test_it():\n    assert {'treaty.app', 'tests.whole.frozen'} <= sys.modules.keys()\n"
    )
    done = forked.run([*words, "-Wignore::pytest.PytestAssertRewriteWarning"], cwd=tmp_path, environ=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_slow_test_runs_only_with_its_option() -> None:
    assert IS_SLOW


@pytest.mark.long
def test_a_long_test_runs_only_with_its_option() -> None:
    assert IS_LONG


@pytest.mark.slow_on_postgresql
def test_a_slow_test_on_postgresql_runs_only_with_its_option(database_url: str) -> None:
    assert IS_SLOW or database_url.startswith("sqlite")


@pytest.mark.parametrize("case", [1, 2, 3, 4])
def test_a_further_case_on_postgresql_runs_only_with_its_option(database_url: str, case: int) -> None:
    assert IS_LONG or database_url.startswith("sqlite") or case == 1


@pytest.mark.parametrize(
    ("option", "variables", "passed"),
    [
        ("--slow", {}, 8),
        pytest.param("--long", {}, 12, marks=pytest.mark.slow),
        pytest.param("-q", {"TREATY_TEST_SLOW": "1"}, 8, marks=pytest.mark.slow),
        pytest.param("-q", {"TREATY_TEST_LONG": "1"}, 12, marks=pytest.mark.slow),
        pytest.param("-q", {}, 6, marks=pytest.mark.slow),
        pytest.param("--first-cases", {}, 2, marks=pytest.mark.slow),
    ],
)
def test_slow_and_long_tests_are_selected_by_options_or_variables(
    option: str, variables: dict[str, str], passed: int
) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in {"TREATY_TEST_SLOW", VARIABLE}}
    command = [sys.executable, "-m", "pytest", "-n", "1", option, "-k", "runs_only_with_its_option", __file__]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[1],
        env={**environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{passed} passed" in done.stdout, done.stdout + done.stderr


def test_no_module_imports_from_a_test_module() -> None:
    """Editing a test must not break others, and pytest finds the fixtures of a conftest without imports."""
    paths = [path for folder in ("tests", "bench") for path in (ROOT / folder).rglob("*.py")]
    imports = {path.relative_to(ROOT).as_posix(): find_imports(path) for path in paths}
    wrong = [
        f"{name} imports from {file}"
        for name, files in sorted(imports.items())
        for file in sorted(files)
        if file.rpartition("/")[2].startswith("test_")
    ]
    assert len(imports) > 400
    assert wrong == [], (
        "move what test modules share into a module without `test_` in its name, such as tests/api/history.py,"
        " and fixtures into the conftest.py of their folder"
    )
