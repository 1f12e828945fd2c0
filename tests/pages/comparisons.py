"""Contracts and pacts whose comparisons are shown on pages."""

from tests.api.contracts import PUBLISH, build, document

DOCUMENT = """\
openapi: 3.1.0
info: {title: Prices, version: 1.0.0}
paths:
  /prices/{id}:
    get:
      responses:
        200:
          description: A price
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Price'}
components:
  schemas:
    Price:
      type: object
      properties:
        amount: {type: number}
        currency: {type: string}
"""
OF_VERSIONS = (
    "/contracts/bi-directional/provider/Prices/version/1/consumer/Shop/version/1/cross-contract-verification-results"
)


def pact(*interactions):
    return {"consumer": {"name": "Shop"}, "provider": {"name": "Prices"}, "interactions": [*interactions]}


def interaction(body, description="a price", path="/prices/7", **more):
    return {
        "description": description,
        "request": {"method": "GET", "path": path},
        "response": {"status": 200, "headers": {"Content-Type": "application/json"}, "body": body},
        **more,
    }


def publish_pact(api, content, version="1"):
    assert api.put(f"/pacts/provider/Prices/consumer/Shop/version/{version}", content).status in {200, 201}


def publish_document(api, text=DOCUMENT, version="1", **more):
    answer = api.post(PUBLISH, build(version, contract=document(text, **more)))
    assert answer.status == 200, answer.text
