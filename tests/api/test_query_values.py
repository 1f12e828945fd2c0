"""Resources for programs refuse values of query parameters that they do not know, and name those that they do."""

import pytest

from tests.api.client import Api


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/pending?stale=abc", 'stale":["must be a whole number from 1 to'),
        ("/pending?stale=0", 'stale":["must be a whole number from 1 to'),
        ("/pending?wip=abc", 'wip":["must be a whole number from 1 to'),
        ("/pending?wip=-1", 'wip":["must be a whole number from 1 to'),
        ("/network/svg?depth=4", 'depth":["must be one of: 1, 2, 3, all'),
        ("/network/dot?state=broken", 'state":["must be one of: '),
        ("/network/mermaid?depth=x", 'depth":["must be one of: '),
        ("/decisions?deployable=maybe", "deployable"),
        ("/decisions?since=yesterday", "since"),
        ("/audit?sort=name", "sort"),
        ("/audit?since=yesterday", "since"),
        ("/audit?pageNumber=x", "pageNumber"),
        ("/events?limit=x", 'limit":["must be a whole number from 1 to'),
        ("/events?wait=x", 'wait":["must be a whole number from 0 to'),
        ("/pending?page=x", "page"),
        ("/decisions?page=x", "page"),
    ],
)
def test_an_unknown_value_is_refused_with_the_allowed_ones(api: Api, path: str, reason: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.text) == (400, answer.text)
    assert reason in answer.text
