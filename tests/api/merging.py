"""Pacts whose interactions are merged into those of their version, and the two requests that do it."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import Answer, Api

PAIR = "/pacts/provider/Ledger/consumer/Till"


def http(description: str, path: str = "/", status: int = 200, **more: object) -> dict[str, Any]:
    request = {"method": "GET", "path": path}
    return {"description": description, "request": request, "response": {"status": status}, **more}


def pact(*interactions: object, version: str = "2.0.0", **more: object) -> dict[str, Any]:
    names = {"consumer": {"name": "Till"}, "provider": {"name": "Ledger"}}
    metadata = {"pactSpecification": {"version": version}}
    return {**names, "interactions": list(interactions), "metadata": metadata, **more}


def patch(api: Api, content: object, version: str = "1", **options: Any) -> Answer:
    return api.patch(f"{PAIR}/version/{version}", content, **{"type": "application/json", **options})


def publish(api: Api, content: object, version: str = "1", **more: object) -> Answer:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    contract = {
        "consumerName": "Till",
        "providerName": "Ledger",
        "specification": "pact",
        "contentType": "application/json",
        "content": base64.b64encode(raw).decode(),
        "onConflict": "merge",
        **more,
    }
    names = {"pacticipantName": "Till", "pacticipantVersionNumber": version}
    return api.post("/contracts/publish", {**names, "contracts": [contract]})


Merge = Callable[..., Answer]
WAYS = [pytest.param(patch, id="PATCH"), pytest.param(publish, id="onConflict")]


def stored(api: Api, version: str = "1") -> Any:
    document = api.get(f"{PAIR}/version/{version}").json()
    lists = {name: document[name] for name in ("interactions", "messages") if name in document}
    without_ids = {name: [{**item, "_id": None} for item in items] for name, items in lists.items()}
    return {**document, **without_ids}


def list_descriptions(api: Api) -> list[str]:
    return sorted(interaction["description"] for interaction in stored(api)["interactions"])


PARTS = [
    pact(http(name), http("shared"), metadata={"pactSpecification": {"version": "2.0.0"}, name: 1}) for name in "abc"
]
