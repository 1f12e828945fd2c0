"""Pacts with a provider, Orders API, and the questions about their uses."""

from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, text

from tests.api.client import Api
from tests.api.history import q
from treaty.store.engine.database import Database

PROVIDER = "Orders API"


def interaction(path: str = "/orders/12", body: Any = None, **parts: Any) -> dict[str, Any]:
    return {
        "description": "a request for an order",
        "request": {"method": "get", "path": path, "query": {"page": ["1"]}, "headers": {"Accept": "text/json"}},
        "response": {"status": 200, "body": {"id": 1} if body is None else body},
        **parts,
    }


def publish(api: Api, consumer: str, version: str, *interactions: dict[str, Any], **metadata: Any) -> None:
    content = {
        "consumer": {"name": consumer},
        "provider": {"name": PROVIDER},
        "interactions": list(interactions),
        "metadata": {"pactSpecification": {"version": "3.0.0"}, **metadata},
    }
    answer = api.put(f"/pacts/provider/{q(PROVIDER)}/consumer/{q(consumer)}/version/{q(version)}", content)
    assert answer.status in {200, 201}, answer.text


def usage(api: Api, **criteria: object) -> Any:
    answer = api.get(f"/usage?{urlencode({'provider': PROVIDER, **criteria})}")
    assert answer.status == 200, answer.text
    return answer.json()


def consumers(api: Api, **criteria: object) -> list[str]:
    return [consumer["name"] for consumer in usage(api, **criteria)["_embedded"]["consumers"]]


def count_rows(database: Database) -> dict[str, int]:
    tables = ("usage_term", "usage_interaction", "usage_expectation", "usage_occurrence", "usage_content")

    def count(db: Connection) -> dict[str, int]:
        return {name: db.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}  # noqa: S608

    return database.read(count)


def remove_consumer(api: Api) -> None:
    assert api.delete("/pacticipants/Web%20Shop").status == 204
