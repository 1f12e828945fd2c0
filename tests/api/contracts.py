"""Contracts of a provider, Prices: a document, its self-verification, and the bodies that publish them."""

import base64
from typing import Any

from tests.api.client import Answer, Api

OPENAPI = """\
openapi: 3.1.0
info: {title: Prices, version: 1.0.0}
paths:
  /prices:
    get:
      operationId: listPrices
      responses:
        200: {description: All prices}
"""
PUBLISH = "/provider-contracts/provider/Prices/publish"
PUBLISH_SEVERAL = f"{PUBLISH}-contracts"
PUT = "/contracts/provider/Prices/version/1"
RESULT = {
    "success": True,
    "content": "ZmluZQ==",
    "contentType": "text/plain",
    "format": "text",
    "verifier": "my tool",
    "verifierVersion": "1.0",
}


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def document(text: str = OPENAPI, **more: object) -> dict[str, Any]:
    contract = {"content": encode(text), "contentType": "application/yaml", "specification": "oas"}
    return {**contract, "selfVerificationResults": RESULT, **more}


def build(version: str = "1", **more: object) -> dict[str, Any]:
    return {"pacticipantVersionNumber": version, "branch": "main", "tags": ["dev"], "buildUrl": "https://ci/1", **more}


def publish(api: Api, text: str = OPENAPI, version: str = "1", **more: object) -> Answer:
    return api.post(PUBLISH, build(version, contract=document(text, **more)))


def notices(answer: Answer) -> str:
    return "\n".join(notice["text"] for notice in answer.json()["notices"])
