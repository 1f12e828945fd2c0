"""The benchmark of the usage index measures rows that publications would have written."""

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, text

from bench import usage
from tests import databases
from tests.api.client import Api, publication
from tests.api.history import History
from treaty.store.engine.database import Database, open_database

SIZE = usage.Size(interactions=200, largest=1, others=1, contents=4)
ROWS = {
    "interactions": """
        SELECT consumer.name, provider.name, version.number, i.kind, i.digest, description.name, operation.name
        FROM publication
        JOIN version ON version.id = publication.consumer_version_id
        JOIN pacticipant consumer ON consumer.id = publication.consumer_id
        JOIN pacticipant provider ON provider.id = publication.provider_id
        JOIN usage_occurrence o ON o.content_id = publication.content_id
        JOIN usage_interaction i ON i.id = o.interaction_id
            AND i.consumer_id = consumer.id AND i.provider_id = provider.id
        JOIN usage_term description ON description.id = i.description_id
        JOIN usage_term operation ON operation.id = i.operation_id
        """,
    "expectations": """
        SELECT i.digest, provider.name, term.place, term.name, term.field, expectation.strictness,
            replace(term.words, '\u00a7' || provider.id, '')
        FROM usage_expectation expectation
        JOIN usage_interaction i ON i.id = expectation.interaction_id
        JOIN usage_term term ON term.id = expectation.term_id
        JOIN pacticipant provider ON provider.id = term.provider_id
        """,
    "contents": """
        SELECT consumer.name, usage_content.format, usage_content.interactions, usage_content.is_truncated
        FROM usage_content JOIN content ON content.id = usage_content.content_id
        JOIN pacticipant consumer ON consumer.id = content.consumer_id
        """,
}
QUERIES = ({"field": "id"}, {"operation": "GET /{x}/{y}/{z}"}, {"text": "exists"}, {"text": "customer price"})


def test_the_benchmark_has_the_rows_that_publications_write(
    make_api: Callable[..., Api], database: Database, sqlite_original: Path, tmp_path: Path
) -> None:
    usage.build(database, SIZE)
    url = databases.copy(sqlite_original, tmp_path / "published.sqlite")
    _publish(published := make_api(database_url=url))
    other = open_database(url)
    for name, query in ROWS.items():
        assert (rows := database.read(partial(_rows, query=query))), name
        assert rows == other.read(partial(_rows, query=query)), name
    other.close()
    built = make_api()
    for criteria in QUERIES:
        path = f"/usage?{urlencode({'provider': 'provider-0', **criteria})}"
        assert built.get(path).json() == published.get(path).json()


def _rows(db: Connection, query: str) -> list[tuple[object, ...]]:
    return sorted(map(tuple, db.execute(text(query))), key=repr)


def _publish(api: Api) -> None:
    history = History(api)
    for provider, consumers in usage.plan(SIZE):
        for consumer in consumers:
            for number, drawn in enumerate(consumer.contents):
                pact = usage.build_pact(provider, consumer.name, drawn)
                body: dict[str, Any] = publication(consumer.name, str(number), provider, branch="main")
                body["contracts"][0]["content"] = base64.b64encode(json.dumps(pact).encode()).decode()
                assert api.post("/contracts/publish", body).status == 200
            for place, name in enumerate(("staging", "production"), start=2):
                history.deploy(consumer.name, str(len(consumer.contents) - 1 - place), name)
            history.deploy(consumer.name, str(len(consumer.contents) - 2), "test")
