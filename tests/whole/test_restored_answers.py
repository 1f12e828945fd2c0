"""A backup of SQLite or PostgreSQL is restored into SQLite or PostgreSQL, and all responses are the same."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from tests import postgres
from tests.older_databases import sample_data
from tests.older_databases.answers import ask, opened, recorded_answers
from tests.older_databases.fixture import FOLDERS, Fixture
from tests.older_databases.restored import HOLDING, send_all_webhooks
from tests.older_databases.sample_data import Broker
from tests.receiver import receiving
from tests.whole.servers import running
from treaty import app
from treaty.cli.progress import Progress
from treaty.settings import Settings
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate
from treaty.store.tables import session
from treaty.workers.backups import BackupOptions, RestoreOptions

PASSPHRASE = "a passphrase of the tests"  # noqa: S105 - it protects nothing
FIXTURE = FOLDERS[-1]
# Whether the original is upgraded before its backup, or the backup when it is restored.
CASES = [
    pytest.param("sqlite", "postgresql", True),
    pytest.param("postgresql", "sqlite", False),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [("sqlite", "sqlite", True), ("sqlite", "postgresql", False)]
    ),
    *(
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [("postgresql", "postgresql", True), ("postgresql", "sqlite", True)]
    ),
]
Create = Callable[[str, Path], str]


@pytest.fixture
def create(request: pytest.FixtureRequest) -> Iterator[Create]:
    """Create an empty database of a kind, whose file is in a folder."""
    with ExitStack() as stack:

        def create(kind: str, folder: Path) -> str:
            folder.mkdir(exist_ok=True)
            if kind == "sqlite":
                return f"sqlite:///{folder / 'treaty.sqlite'}"
            return stack.enter_context(postgres.database(request.getfixturevalue("postgres_url")))

        yield create


def back_up(url: str, path: Path, passphrase: str | None = PASSPHRASE) -> None:
    app.make_backup(Settings(database_url=url), path, BackupOptions(passphrase=passphrase), progress=Progress(1))


def restore(url: str, path: Path, **options: bool) -> None:
    app.restore_backup(
        Settings(database_url=url),
        path,
        RestoreOptions(**options),
        read_passphrase=lambda: PASSPHRASE,
        progress=Progress(1),
    )


def copy_sessions(source_url: str, target_url: str) -> None:
    """Add the sessions of the original, which a backup does not contain, so that all identities can be used."""
    with closing(open_database(source_url)) as source, closing(open_database(target_url)) as target:
        rows = [dict(row) for row in source.read(lambda db: db.execute(select(session)).mappings().all())]
        target.write(lambda db: db.execute(insert(session), rows).close())


@pytest.mark.parametrize(("source_kind", "target_kind", "is_upgraded"), CASES)
def test_every_answer_is_the_same(
    source_kind: str,
    target_kind: str,
    *,
    is_upgraded: bool,
    create: Create,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fixture = Fixture(FIXTURE, source_kind)
    old, new = tmp_path / "old", tmp_path / "new"
    source, target = create(source_kind, old), create(target_kind, new)
    fixture.restore(source, old)
    monkeypatch.chdir(old)
    if is_upgraded:
        with closing(open_database(source)) as database:
            migrate(database)
    back_up(source, tmp_path / "backup.zip")
    monkeypatch.chdir(new)
    restore(target, tmp_path / "backup.zip")
    with closing(open_database(source)) as database:
        migrate(database)
    copy_sessions(source, target)
    identities = fixture.facts["identities"]
    with opened(fixture, target, new) as api:
        answers = [(request, ask(api, request, identities), answer) for request, answer in recorded_answers(fixture)]
    different = [
        (request["path"], restored_answer, answer)
        for request, restored_answer, answer in answers
        if restored_answer != answer
    ]
    assert not different, (len(different), [path for path, *_ in different], different[0])
    assert len(answers) > 200


@pytest.mark.slow  # tests/store/test_restored_rows.py decrypts all secrets with the new key
@pytest.mark.parametrize(("source_kind", "target_kind"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_webhooks_send_their_secrets_and_credentials_are_accepted_under_a_new_key(
    source_kind: str, target_kind: str, create: Create, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixture = Fixture(FIXTURE, source_kind)
    old, new = tmp_path / "old", tmp_path / "new"
    source, target = create(source_kind, old), create(target_kind, new)
    fixture.restore(source, old)
    monkeypatch.chdir(old)
    back_up(source, tmp_path / "backup.zip")
    monkeypatch.chdir(new)
    restore(target, tmp_path / "backup.zip")
    assert (old / "treaty.key").read_text() != (new / "treaty.key").read_text()
    with running(target, cwd=new, environ=HOLDING) as server, receiving() as receiver:
        broker = Broker(server, new, target, fixture.facts["identities"]["administrator's token"])
        send_all_webhooks(broker, fixture, receiver)
        assert sample_data.sign_in(server.address, sample_data.READER)
        sample_data.publish(
            broker, sample_data.SHOP, "6", sample_data.PRICES, "another thing", branch="main", tags=["prod"]
        )
        assert broker.administer("doctor")
