"""Every resource and page that links lead to is the same in a broker of the other kind after a restoration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.client import HAL, SECRET_KEY, Api, Clock, build_settings
from tests.api.walks import PAGE, fill, walk
from tests.databases import create_missing_file, open_kept
from tests.scale import choose
from treaty import app
from treaty.cli.progress import Progress
from treaty.settings import Secret, Settings
from treaty.web.application import build_application
from treaty.workers.backups import BackupOptions, RestoreOptions

LIMIT = choose(60, slow=120, long=5000)
"""Resources, and pages."""


@pytest.fixture
def other_url(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database of the other kind."""
    if database_url.startswith("postgresql"):
        url = f"sqlite:///{tmp_path / 'other.sqlite'}"
        create_missing_file(url)
        yield url
        return
    with request.getfixturevalue("postgres_lender").database() as url:
        yield url


@pytest.mark.slow_on_postgresql
def test_everything_is_the_same_in_a_database_of_the_other_kind(
    api: Api, clock: Clock, database_url: str, other_url: str, tmp_path: Path
) -> None:
    fill(api)
    for accept in (HAL, PAGE):  # reading decisions compares pacts with contracts, and stores the results
        walk(api, accept, LIMIT)
    before = {accept: walk(api, accept, LIMIT) for accept in (HAL, PAGE)}
    path = tmp_path / "backup.zip"

    def settings(url: str) -> Settings:
        return build_settings(database_url=url, log_level="error", secret_key=Secret(SECRET_KEY))

    app.make_backup(settings(database_url), path, BackupOptions(), progress=Progress(1))
    app.restore_backup(settings(other_url), path, RestoreOptions(), read_passphrase=lambda: None, progress=Progress(2))
    database = open_kept(other_url, connections=2)
    restored = Api(build_application(settings(other_url), database, clock=clock))
    try:
        after = {accept: walk(restored, accept, LIMIT) for accept in (HAL, PAGE)}
    finally:
        restored.close()
        database.close()
    for accept, bodies in before.items():
        assert len(bodies) > 40
        assert_same(bodies, after[accept])


def assert_same(before: dict[str, str], after: dict[str, str]) -> None:
    assert list(after) == list(before)
    different = [path for path, body in before.items() if after[path] != body]
    assert not different, (different, before[different[0]], after[different[0]])
