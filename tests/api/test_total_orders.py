"""Lists have the same order each time, even where rows have the same time or the same name."""

import pytest

from tests.api.client import HAL, Api
from tests.api.shuffled_ties import shuffle, shuffled_ties
from tests.api.walks import PAGE, fill, walk
from tests.scale import choose

LIMIT = choose(100, slow=400, long=5000)
"""Resources, or pages."""
ROUNDS = 3


@pytest.mark.parametrize("accept", [HAL, PAGE])
def test_every_list_has_one_order(api: Api, accept: str) -> None:
    fill(api)
    walk(api, accept, LIMIT)  # compares pacts with contracts, and stores the results
    with shuffled_ties():
        bodies = walk(api, accept, LIMIT)
        for _ in range(ROUNDS):
            again = walk(api, accept, LIMIT)
            assert [path for path, body in bodies.items() if again.get(path) != body] == []


@pytest.mark.parametrize(
    ("sql", "shuffled"),
    [
        ("SELECT a FROM b", "SELECT a FROM b ORDER BY random()"),
        ("SELECT a FROM b ORDER BY (c + d), e LIMIT ?", "SELECT a FROM b ORDER BY (c + d), e, random() LIMIT ?"),
        (
            "SELECT (SELECT a FROM b ORDER BY c LIMIT 1), 'ORDER BY' FROM d ORDER BY e FOR UPDATE",
            "SELECT (SELECT a FROM b ORDER BY c, random() LIMIT 1), 'ORDER BY' FROM d ORDER BY e, random() FOR UPDATE",
        ),
        ("SELECT count(*) FROM a", "SELECT count(*) FROM a"),
        (
            "SELECT a FROM b UNION ALL SELECT a FROM c ORDER BY a",
            "SELECT a FROM b UNION ALL SELECT a FROM c ORDER BY a",
        ),
        ("UPDATE a SET b = (SELECT c FROM d)", "UPDATE a SET b = (SELECT c FROM d)"),
    ],
)
def test_ties_are_shuffled(sql: str, shuffled: str) -> None:
    assert shuffle(sql) == shuffled
