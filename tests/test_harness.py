"""The tests' own tools: fresh databases, and tests that wait for `--long`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests import postgres


def test_a_database_is_reachable_and_empty(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.literal(1))) == 1
        assert sa.inspect(db).get_table_names() == []
    engine.dispose()


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


def test_a_server_goes_when_the_process_that_asked_for_it_is_killed() -> None:
    try:
        postgres.find_binaries()
    except postgres.Unavailable as absence:
        pytest.skip(str(absence))
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
    assert _is_gone(url)


def _is_gone(url: str) -> bool:
    for _ in range(300):
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.long
def test_a_long_test_is_run_when_asked_for() -> None:
    assert os.environ["TREATY_TEST_LONG"] == "1"
