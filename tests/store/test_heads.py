"""Denormalized columns equal the values computed from the whole history, for any order of writes."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import Connection, text

from treaty.actions.versions import removal, versions
from treaty.settings import Settings
from treaty.store.engine.database import Database, open_database

pytestmark = pytest.mark.each_on_postgresql  # the cases differ in their statements

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)

WRONG_TAG_HEADS = text("""
    SELECT DISTINCT tag.pacticipant_id, tag.name FROM tag
    WHERE NOT EXISTS (
        SELECT 1 FROM tag_head
        WHERE tag_head.pacticipant_id = tag.pacticipant_id AND tag_head.name = tag.name AND tag_head.version_id = (
            SELECT other.version_id FROM tag AS other
            WHERE other.pacticipant_id = tag.pacticipant_id AND other.name = tag.name
            ORDER BY other.position DESC LIMIT 1
        )
    )
    UNION ALL
    SELECT tag_head.pacticipant_id, tag_head.name FROM tag_head
    WHERE NOT EXISTS (SELECT 1 FROM tag WHERE tag.version_id = tag_head.version_id AND tag.name = tag_head.name)
""")
WRONG_BRANCH_HEADS = text("""
    SELECT branch.name FROM branch
    WHERE coalesce(head_version_id, 0) NOT IN (
        SELECT version_id FROM branch_version WHERE branch_id = branch.id
        UNION ALL
        SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM branch_version WHERE branch_id = branch.id)
    )
""")
WRONG_POSITIONS = text("""
    SELECT version.number FROM version
    LEFT JOIN tag ON tag.version_id = version.id
    LEFT JOIN branch_version ON branch_version.version_id = version.id
    WHERE tag.position <> version.position OR branch_version.position <> version.position
    UNION ALL
    SELECT max(number) FROM version GROUP BY pacticipant_id, position HAVING count(*) > 1
""")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


def add(db: Connection, number: str, branch: str, tag: str, settings: Settings) -> None:
    owner = versions.ensure_pacticipants(db, ["Till"], now=NOW)["Till"]
    version, _ = versions.ensure_version(db, owner, number, now=NOW, settings=settings)
    versions.put_on_branch(db, owner, branch, number, now=NOW + timedelta(minutes=2), settings=settings)
    versions.put_tag(db, owner, version, tag, now=NOW, settings=settings)


def wrong(database: Database) -> list[object]:
    def look(db: Connection) -> list[object]:
        return [row for query in (WRONG_TAG_HEADS, WRONG_BRANCH_HEADS, WRONG_POSITIONS) for row in db.execute(query)]

    return database.read(look)


def steps(seed: int, settings: Settings) -> Iterator[Callable[[Connection], None]]:
    chance = random.Random(seed)  # noqa: S311 - makes cases
    present: dict[str, tuple[str, str]] = {}
    for _ in range(60):
        number = f"{chance.randrange(4)}.{chance.randrange(4)}"
        branch, tag = chance.choice(["main", "feat"]), chance.choice(["dev", "prod"])
        if number not in present:
            present[number] = (branch, tag)
            yield partial(add, number=number, branch=branch, tag=tag, settings=settings)
            continue
        was_on, was_tagged = present.pop(number)
        match chance.randrange(3):
            case 0:
                yield partial(removal.remove_version, pacticipant="Till", number=number)
            case 1:
                yield partial(removal.remove_from_branch, pacticipant="Till", branch=was_on, version=number)
            case _:
                yield partial(removal.remove_tag, pacticipant="Till", version=number, tag=was_tagged)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("order_versions_by_date", [True, False])
def test_heads_agree_with_history(database: Database, seed: int, *, order_versions_by_date: bool) -> None:
    for step in steps(seed, Settings(order_versions_by_date=order_versions_by_date)):
        database.write(step)
        assert wrong(database) == []


def test_writes_at_the_same_time_do_not_lose_each_other(database: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: database.write(lambda db: add(db, str(n), "main", "dev", Settings())), range(40)))
    assert wrong(database) == []
    positions = database.read(lambda db: db.execute(text("SELECT position FROM version ORDER BY 1")).scalars().all())
    assert positions == list(range(1, 41))
