"""Recomputing denormalized columns finds inconsistencies and repairs them."""

import pytest
from sqlalchemy import text

from treaty.actions.maintenance import integrity
from treaty.store.engine.database import open_database


@pytest.fixture
def database(api, database_url):
    """A database with a history of each kind: two versions, branch, tag, revision, results."""
    for number in ("1", "2"):
        api.publish("Shop", number, "Prices", number, branch="main", tags=["prod"])
        link = api.get(f"/pacts/provider/Prices/consumer/Shop/version/{number}").link("pb:publish-verification-results")
        for success in (False, True):
            api.post(link, {"success": success, "providerApplicationVersion": "9"})
    database = open_database(database_url)
    yield database
    database.close()


def broken(database):
    return {check.rule: check.broken for check in database.read(integrity.check_integrity) if check.broken}


def test_data_written_by_requests_passes_all_checks(database):
    assert broken(database) == {}


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        ("UPDATE branch SET head_version_id = NULL", "the head of each branch is one of its versions"),
        ("DELETE FROM branch_version", "the head of each branch is one of its versions"),
        (
            "UPDATE tag_head SET version_id = (SELECT min(id) FROM version)",
            "the head of each tag is the highest version with it",
        ),
        ("DELETE FROM tag", "the head of each tag is the highest version with it"),
        ("DELETE FROM tag_head", "each tag has a head"),
        (
            "UPDATE publication SET is_current = false",
            "the newest revision of each pact, and no other, is its current one",
        ),
        (
            "UPDATE verification SET is_latest = true",
            "the newest result for each content and provider version, and no other, is the latest one",
        ),
        ("DELETE FROM integration", "each pair with pacts is an integration"),
        (
            "UPDATE integration SET latest_publication_id = (SELECT min(id) FROM publication)",
            "the latest pact of each integration is that of the highest version",
        ),
        ("UPDATE tag SET position = position + 7", "the position of each tag is its version's"),
        ("UPDATE branch_version SET position = 9", "the position of each branch version is its version's"),
        ("UPDATE publication SET position = position + 7", "the position of each publication is its version's"),
    ],
)
def test_each_kind_of_damage_is_found_and_repaired(database, damage, rule):
    database.write(lambda db: db.execute(text(damage)))
    assert rule in broken(database)
    assert rule in {check.rule for check in database.write(integrity.repair_integrity) if check.broken}
    assert broken(database) == {}
