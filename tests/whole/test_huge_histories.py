"""Histories that the benchmarks insert have the same rows as histories that the application writes."""

import asyncio
import re
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Column, Connection, func, select, text

from bench import builds, departments, histories, huge
from bench.builds import Team
from bench.histories import History
from bench.operations import OPERATIONS, RequestTemplate
from bench.recording import send_request
from bench.stores import SqliteStore
from bench.wire import build_json_body, encode_request
from tests import databases
from treaty.actions.maintenance.integrity import check_integrity
from treaty.settings import Settings
from treaty.store.decisions import badges
from treaty.store.engine.database import Database, open_database
from treaty.store.tables import metadata
from treaty.store.usage import contents
from treaty.web.application import Server, build_application

TINY: Final = History(name="tiny", pairs=1, versions=60, bystanders=0)
PAIR: Final = Team(
    applications=[histories.consumer(0), histories.provider(0)],
    edges=[(0, 1)],
    pact=lambda _edge, content: histories.build_published_pact(0, content),
)
OF_THE_PAIR: Final = [
    operation for operation in OPERATIONS if not re.search(r"-\d+$|^decision-set$|^publish-", operation.name)
]
"""Reads about one consumer and one provider."""
DEPARTMENT: Final = departments.team(applications=3, consumed=1)
COPIES: Final = 3
SUCCESSFUL: Final = {HTTPStatus.OK, HTTPStatus.TEMPORARY_REDIRECT}
"""Badges are redirects."""
_RANDOM: Final = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|metadata/[\w-]+|results/\d+")
"""UUIDs, and values that contain ids: the metadata of pacts, and the URLs of results."""


@contextmanager
def _serving(url: str) -> Iterator[tuple[Database, Server]]:
    database = databases.open_kept(url)
    app = build_application(Settings(database_url=url, open_access=True), database)
    yield database, app
    app.close()


def _send_all(app: Server, templates: Mapping[str, RequestTemplate]) -> dict[str, tuple[int, bytes]]:
    """Return the status and the body of each response."""
    responses = {}
    for name, template in templates.items():
        raw = encode_request(template.method, template.path, name, "localhost", template.body).render(b"")
        status, _, body = asyncio.run(send_request(app, raw))
        responses[name] = (status, _RANDOM.sub(b"random", body))
    return responses


def _add_environments(database: Database) -> None:
    database.write(lambda db: histories.fill(db, History(name="none", pairs=0, versions=60, bystanders=0)))


def test_a_history_has_the_answers_of_its_builds(tmp_path: Path):
    templates = {operation.name: operation.build_request(TINY, 0) for operation in OF_THE_PAIR}
    filled, built = (f"sqlite:///{tmp_path / name}.sqlite" for name in ("filled", "built"))
    for url in (filled, built):
        databases.create_missing_file(url)
    with _serving(filled) as (database, app):
        database.write(lambda db: histories.fill(db, TINY))
        responses, rows = _send_all(app, templates), _load_values(database)
        assert {finding.broken for finding in database.read(check_integrity)} == {0}
    builds_database = databases.open_kept(built)
    _add_environments(builds_database)
    builds.run(builds_database, TINY, PAIR, lambda _version: None)
    with _serving(built) as (database, app):
        assert _send_all(app, templates) == responses
        assert _load_values(database) == rows
    assert {status for status, _ in responses.values()} == SUCCESSFUL


def _load_values(database: Database) -> dict[str, list[str]]:
    """Load the rows without ids and UUIDs, and without the usage index, which a worker of the server writes."""
    values = {}
    for table in departments.COPIED:
        columns = [column for column in table.columns if not column.foreign_keys and column.name not in {"id", "uuid"}]
        if not table.name.startswith("usage_"):
            rows = database.read(partial(_fetch_all, columns=columns))
            values[table.name] = sorted(map(repr, rows))
    return values


def _fetch_all(db: Connection, *, columns: Sequence[Column[Any]]) -> Sequence[Any]:
    return db.execute(select(*columns)).all()


def _build_department_requests(number: int) -> dict[str, RequestTemplate]:
    """Build the requests about an application of a department and the one that it consumes."""
    consumer, provider = (departments.application(number, at) for at in (0, 1))
    names = {histories.consumer(0): consumer, histories.provider(0): provider}
    templates = {
        operation.name: operation.build_request(TINY, 0)
        for operation in OF_THE_PAIR
        if "pact-version" not in operation.name
    }
    return {
        name: _replace_names(template, names)
        for name, template in templates.items()
        if histories.consumer(0) in template.path
    }


def _replace_names(template: RequestTemplate, names: Mapping[str, str]) -> RequestTemplate:
    path = template.path
    for old, new in names.items():
        path = path.replace(old, new)
    return RequestTemplate(template.method, path, template.body)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> str:
    """URL of a database with a department that the application has written."""
    url = f"sqlite:///{tmp_path_factory.mktemp('template') / 'department.sqlite'}"
    databases.create_missing_file(url)
    database = databases.open_kept(url)
    _add_environments(database)
    builds.run(database, TINY, DEPARTMENT, lambda _version: None)
    return url


def test_copies_of_a_department_have_its_answers_and_its_rows(database_url: str, template: str):
    with _serving(template) as (database, app):
        original, counts = _send_all(app, _build_department_requests(0)), _count_rows(database)
    assert {status for status, _ in original.values()} == SUCCESSFUL
    with _serving(database_url) as (database, app):
        database.write(lambda db: histories.fill(db, TINY))
        before = _count_rows(database)
        blocks = database.write(lambda db: departments.add_first(db, template))
        for number in range(1, COPIES):
            database.write(partial(departments.copy, blocks=blocks, department=number))
        database.write(histories.continue_all_ids)
        assert database.read(lambda db: departments.count(db, blocks)) == COPIES
        assert {finding.broken for finding in database.read(check_integrity)} == {0}
        assert _count_rows(database) == {name: before[name] + COPIES * counts[name] for name in counts}
        for number in range(COPIES):
            responses = _send_all(app, _build_department_requests(number))
            assert responses == {name: (status, _rename(body, number)) for name, (status, body) in original.items()}
        _assert_new_rows_get_new_ids(app)


def test_departments_are_built_beside_a_history_with_an_index(template: str, tmp_path: Path):
    store = SqliteStore(tmp_path)
    database = open_database(template)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("VACUUM INTO ?", (str(store.path(huge.DEPARTMENT.name)),))
    database.close()
    (tmp_path / "sqlite-department.json").write_text('{"blocks": {}, "has_history": false, "is_complete": true}')
    scale = huge.Scale(name="tiny", history=TINY, departments=COPIES)
    huge.build(store, scale)
    with _serving(store.url(scale.name)) as (database, app):
        assert {finding.broken for finding in database.read(check_integrity)} == {0}
        responses = [_send_all(app, _build_department_requests(number)) for number in range(COPIES)]
        assert {status for response in responses for status, _ in response.values()} == SUCCESSFUL
        progress = database.read(contents.count_contents)
        assert progress.indexed == progress.contents
        _assert_new_rows_get_new_ids(app)
    # SQLite chooses between indexes by their order, so that another one would have other plans than a real broker.
    assert _list_indexes(store.path(scale.name)) == _list_indexes(store.path(huge.DEPARTMENT.name))


def _list_indexes(path: Path) -> dict[str, list[str]]:
    """List the indexes of each table in the order of their creation."""
    statement = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' ORDER BY rowid"
    indexes = defaultdict(list)
    with closing(sqlite3.connect(path)) as connection:
        for table, name in connection.execute(statement):
            indexes[table].append(name)
    return indexes


def _rename(body: bytes, department: int) -> bytes:
    return re.sub(rb"([Dd])epartment-000", rb"\1epartment-%03d" % department, body)


def _count_rows(database: Database) -> dict[str, int]:
    def count(name: str) -> int:
        statement = select(func.count()).select_from(metadata.tables[name])
        return int(database.read(lambda db: db.execute(statement).scalar_one()))

    return {table.name: count(table.name) for table in departments.COPIED}


def _assert_new_rows_get_new_ids(app: Server) -> None:
    path = f"/pacticipants/{departments.application(1, 0)}/branches/new/versions/new"
    ((status, _),) = _send_all(app, {"version": RequestTemplate("PUT", path, build_json_body({}))}).values()
    assert status == HTTPStatus.CREATED


def test_a_badge_reads_few_of_the_results_of_a_pair(postgres_lender: databases.Lender):
    # PostgreSQL expects few pacts of a pair, because it multiplies the shares of its consumer and its provider.
    with postgres_lender.database() as url:
        database = databases.open_kept(url)
        database.write(lambda db: histories.fill(db, History(name="pairs", pairs=30, versions=100, bystanders=0)))
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
        assert database.read(_count_versions_read_for_badge) < 10
        database.close()


def _count_versions_read_for_badge(db: Connection) -> int:
    scope = badges.BadgeScope(consumer=histories.consumer(0), provider=histories.provider(0))
    assert badges.find_result(db, scope)
    fetched = "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'version'"
    return int(db.execute(text(fetched)).scalar_one())


@pytest.mark.parametrize("name", huge.SCALES)
def test_scales_have_the_number_of_results_in_their_names(name: str):
    divisor = int(name.partition("/")[2] or 1)
    assert huge.SCALES[name].departments * huge.RESULTS == 10_000_000 // divisor
