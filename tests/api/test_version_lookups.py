"""A text identifies a version by its number, an alias, or a unique beginning of its number."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import text

from tests.databases import open_kept
from tests.scale import choose
from treaty.model.pacticipants.pacticipants import Pacticipant
from treaty.model.versions import Version, is_abbreviated_commit
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import prefixes, versions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from tests.api.client import Api
    from treaty.store.engine.database import Database

NOW = datetime(2024, 5, 6, tzinfo=UTC)
COMMIT = "fad5fb01d2f3a4b5c6d7e8f90a1b2c3d4e5f6071"
OTHER = "fad5fb77d2f3a4b5c6d7e8f90a1b2c3d4e5f6071"
NUMBERS = [
    COMMIT,
    OTHER,
    "1.2.3-rc.10",
    "100%done",
    "100_done",
    "fadedfadedfaded",
    *[f"2024.11.{day}" for day in range(10, 17)],
]


@pytest.fixture
def shop(api: Api) -> Api:
    for number in NUMBERS:
        assert api.put(f"/pacticipants/web-shop/versions/{number.replace('%', '%25')}", {}).status == 201
    assert api.put(f"/pacticipants/web-shop/versions/{COMMIT}/aliases/fadedfa", {}).status == 201
    assert api.put(f"/pacticipants/other/versions/{'0' * 40}", {}).status == 201
    return api


def look_up(api: Api, number: str, name: str = "web-shop") -> Any:
    answer = api.get(f"/pacticipants/{name}/version-lookup?{urlencode({'version': number})}")
    assert answer.status == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("number", "version", "kind"),
    [
        pytest.param(COMMIT, COMMIT, "", id="the number"),
        pytest.param("fadedfa", COMMIT, "", id="an alias wins over a prefix"),
        pytest.param("fad5fb0", COMMIT, "commit", id="seven characters of a commit"),
        pytest.param(COMMIT[:-1], COMMIT, "commit", id="all but one character"),
        pytest.param("1.2.3-rc.1", "1.2.3-rc.10", "prefix", id="a version that may be missing"),
        pytest.param("100%don", "100%done", "prefix", id="no wildcard"),
        pytest.param("100_don", "100_done", "prefix", id="no wildcard either"),
    ],
)
def test_a_text_identifies_a_version(shop: Api, number: str, version: str, kind: str) -> None:
    body = look_up(shop, number)
    assert body["version"] == version
    assert (body["prefix"], body["abbreviatedCommit"]) == (bool(kind), kind == "commit")
    assert "problem" not in body


@pytest.mark.parametrize(
    ("number", "problem", "candidates"),
    [
        pytest.param("fad5fb", f"Did you mean {OTHER} or {COMMIT}?", {COMMIT, OTHER}, id="six characters are too few"),
        pytest.param(
            "2024.11", "Several versions of web-shop begin with 2024.11.", set(NUMBERS[-7:-2]), id="at most five"
        ),
        pytest.param("fad5fb02", f"No version fad5fb02 of web-shop. Did you mean {COMMIT}", {COMMIT}, id="a typo"),
        pytest.param("FAD5FB01", "No version FAD5FB01 of web-shop.", {COMMIT}, id="upper case"),
        pytest.param("unlike-anything", "Its newest version is 2024.11.16.", set(), id="nothing similar"),
        pytest.param("00000000", "No version 00000000 of web-shop.", set(), id="of another application"),
    ],
)
def test_other_texts_lead_to_the_versions_that_may_be_meant(
    shop: Api, number: str, problem: str, candidates: set[str]
) -> None:
    body = look_up(shop, number)
    assert "version" not in body
    assert problem.split("Did you mean", maxsplit=1)[0] in body["problem"]
    listed = [each["number"] for each in body["_embedded"]["versions"]]
    assert candidates <= set(listed)
    assert len(listed) <= 5
    assert all(each in body["problem"] for each in listed)


def test_requests_without_a_version_or_an_application_are_refused(shop: Api) -> None:
    assert shop.get("/pacticipants/web-shop/version-lookup").status == 400
    assert shop.get("/pacticipants/nobody/version-lookup?version=fad5fb01").status == 404
    assert shop.get("/pacticipants/web-shop/versions/fad5fb0").status == 404, "clients of the API rely on exact numbers"


def test_writes_never_take_a_beginning_for_a_version(shop: Api) -> None:
    assert shop.put("/pacticipants/web-shop/versions/fad5fb01", {}).status == 201
    assert shop.delete("/pacticipants/web-shop/versions/fad5fb7").status == 404
    assert look_up(shop, "fad5fb01")["version"] == "fad5fb01", "a version of exactly this number wins"
    assert shop.get(f"/pacticipants/web-shop/versions/{OTHER}").status == 200


def test_only_a_part_of_a_commit_is_certainly_an_abbreviation() -> None:
    yes = [("fad5fb0", COMMIT), ("1.0.0+fad5fb0", f"1.0.0+{COMMIT}"), ("fad5fb0", COMMIT + "24" * 12)]
    no = [
        ("fad5fb", COMMIT),
        (COMMIT, COMMIT),
        ("1.0.0+fad5", f"1.0.0+{COMMIT}"),
        ("0123456", "0123456789"),
        ("1.10.100", "1.10.1001"),
        ("fad5fb1", COMMIT),
    ]
    assert [is_abbreviated_commit(*each) for each in (*yes, *no)] == [True] * len(yes) + [False] * len(no)


# All beginnings, against Python's


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_kept(database_url)
    yield opened
    opened.close()


ALPHABET = ["a", "A", "b", "-", ".", "_", " ", "0", "9", "ä", "ß", "ж", "😀", "\U0010fffd", "%"]


def test_every_beginning_finds_the_numbers_that_begin_with_it(database: Database) -> None:
    """PostgreSQL's collation may ignore punctuation and case, so ranges have to compare characters."""
    chance = random.Random(20)  # noqa: S311 - test data
    numbers = {
        "".join(chance.choices(ALPHABET, k=chance.randint(7, 10))) for _ in range(choose(60, slow=100, long=1000))
    }
    numbers |= {number[:7] + chance.choice(ALPHABET) for number in list(numbers)}
    numbers |= {number.swapcase() + "0" for number in list(numbers)}

    def add(db: Connection) -> None:
        if database.engine.dialect.name == "postgresql":
            # The databases of tests compare bytes; those of users often have the order of a language.
            db.execute(text('ALTER TABLE version ALTER COLUMN number TYPE text COLLATE "und-x-icu"'))
        for name in ("shop", "twin"):
            pacticipants.add(db, _pacticipant(name))
            for number in sorted(numbers):
                versions.add(db, _version(name, number))

    database.write(add)

    def check(db: Connection) -> None:
        for number in sorted(numbers):
            prefix = number[:7]
            expected = sorted(other for other in numbers if other.startswith(prefix))
            lookup = prefixes.look_up(db, "shop", prefix)
            if prefix in numbers:
                assert lookup.number == prefix
            elif len(expected) == 1:
                assert (lookup.number, lookup.is_prefix) == (expected[0], True), prefix
            else:
                assert (lookup.is_ambiguous, set(lookup.candidates) <= set(expected)) == (True, True), prefix
            matches = prefixes.search(db, prefix, 100)
            assert sorted(matches) == sorted((name, other) for name in ("shop", "twin") for other in expected), prefix

    database.read(check)


def _pacticipant(name: str) -> Pacticipant:
    return Pacticipant(
        name=name,
        display_name=name,
        repository_url=None,
        repository_name=None,
        repository_namespace=None,
        main_branch=None,
        created_at=NOW,
        updated_at=NOW,
    )


def _version(name: str, number: str) -> Version:
    return Version(pacticipant=name, number=number, build_url=None, created_at=NOW, updated_at=NOW)


def test_the_search_uses_an_index(database: Database) -> None:
    is_sqlite = database.engine.dialect.name == "sqlite"
    condition = "number >= 'fad5' AND number < 'fad6'" if is_sqlite else "number ~>=~ 'fad5' AND number ~<~ 'fad6'"

    def explain(db: Connection) -> str:
        if not is_sqlite:
            db.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        statement = text(f"{plan} SELECT id FROM version WHERE {condition}")  # noqa: S608 - constants
        return str(db.execute(statement).fetchall())

    assert "ix_version_number" in database.write(explain)
