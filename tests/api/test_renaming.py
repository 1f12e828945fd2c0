"""Renaming an application: its history follows, its former name leads to it, and nothing is written under it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.api import examples, golden
from tests.api.examples import CONSUMER, EXTENDED, PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Answer, Api
    from treaty.web.http.router import Route

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NEW = {CONSUMER: "New/App", PROVIDER: "Neue API"}


def q(name: str) -> str:
    return quote(name, safe="")


def rename(api: Api, old: str, new: str, query: str = "") -> Answer:
    return api.post(f"/pacticipants/{q(old)}/rename{query}", {"name": new})


def renamed(path: str) -> str:
    for old, new in NEW.items():
        path = path.replace(q(old), q(new))
    return path


def read(api: Api, kind: str, route: Route, path: str) -> Answer:
    accept = "text/html" if kind == "page" else EXTENDED if EXTENDED in route.produces else "*/*"
    return api.request(route.method, path, {} if route.method == "POST" else None, accept=accept)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, dict[str, str]]]:
    """A broker with something at each path, whose applications have been renamed."""
    url = f"sqlite:///{tmp_path_factory.mktemp('renamed') / 'treaty.sqlite'}"
    with examples.broker(url) as api:
        given = examples.enrich(lambda method, path, body: api.request(method, path, body).json())
        for old, new in NEW.items():
            assert rename(api, old, new).status == 200
        yield api, given


READS = [(kind, route) for kind, route in golden.routes() if route.is_read_only and route.url.has_pacticipant]


@pytest.mark.parametrize(
    ("kind", "route"), READS, ids=[f"{kind} {route.method} {route.url.template}" for kind, route in READS]
)
def test_every_read_of_a_former_name_leads_to_the_new_one(filled, kind, route):
    api, given = filled
    path = examples.filled(route.url.template, given) + "?page=1"
    answer = read(api, kind, route, path)
    assert (answer.status, answer.headers.get("location", "").removeprefix("http://localhost")) == (308, renamed(path))
    assert answer.headers["cache-control"] == "no-store"
    assert "has been renamed" in answer.text
    assert read(api, kind, route, renamed(path)).status < 400
