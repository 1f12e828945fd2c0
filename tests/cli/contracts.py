"""A document of a provider, Stock, and pacts with it."""

from typing import Any

Json = Any

OPENAPI = """\
openapi: 3.1.0
info: {title: Stock, version: '1'}
paths:
  /items/{id}:
    get:
      parameters:
        - {name: id, in: path, required: true, schema: {type: string}}
      responses:
        200:
          description: An item
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Item'}
components:
  schemas:
    Item:
      type: object
      properties:
        name: {type: string}
        count:
          type: integer
"""


def interaction(body: Json, *, path: str = "/items/1", state: str | None = None) -> Json:
    response = {"status": 200, "headers": {"Content-Type": "application/json"}, "body": body}
    provider_state = {"providerState": state} if state else {}
    return {
        "description": "an item",
        **provider_state,
        "request": {"method": "GET", "path": path},
        "response": response,
    }


def pact(*interactions: Json, consumer: str = "Till", provider: str = "Stock") -> Json:
    metadata = {"pactSpecification": {"version": "3.0.0"}}
    names = {"consumer": {"name": consumer}, "provider": {"name": provider}}
    return {**names, "interactions": list(interactions), "metadata": metadata}


USES_COUNT = pact(interaction({"count": 1}))
