"""Whatever is published, deployed and deleted, answers are those of reading all pacts again.

The oracle is plain: it walks through the pacts in use, and searches them for the terms of the query.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.api.client import Api
from tests.api.history import History
from tests.api.usage import PROVIDER, publish
from tests.scale import IS_LONG
from treaty.model.usage.words import list_query_words, list_words

CONSUMERS = ("Web Shop", "till-2", "Ünit")
FIELDS = ("id", "orderId", "order-id", "price", "items", "注文")
STATES = ("an order exists", "no orders", 'it\'s /odd/ "quoted" 注文済み')
PATHS = ("/orders", "/orders/{}", "/orders/{}/items", "/customers/{}", "/")
TEXTS = ("order", "ord", "orderId", "an order", "it's", "/orders/", "odd quoted", "注文", "済み", "文", "price x", "no")
POINTERS = ("/id", "/items/*/price", "/items/0", "/orderId/price", "/注文", "/items/*/items/*")


@dataclass
class Oracle:
    """Pacts by consumer and version, and the facts about the versions."""

    pacts: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=dict)
    deployed: dict[str, int] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)

    def in_use(self, consumer: str) -> set[int]:
        versions = [version for name, version in self.pacts if name == consumer]
        chosen = {max(versions)} if versions else set()
        on_main = [version for version in versions if version % 2 == 0]
        chosen |= {max(on_main)} if on_main else set()
        return chosen | ({self.deployed[consumer]} & set(versions) if consumer in self.deployed else set())

    def users(self, kind: str, value: str) -> list[tuple[str, list[str]]]:
        users = []
        for consumer in sorted(CONSUMERS, key=str.lower):
            versions = [
                str(version)
                for version in sorted(self.in_use(consumer))
                if any(uses(interaction, kind, value) for interaction in self.pacts[consumer, version])
            ]
            if versions:
                users.append((consumer, versions))
        return users


def uses(interaction: dict[str, Any], kind: str, value: str) -> bool:
    """Whether an interaction meets a criterion, by reading it."""
    request, body = interaction["request"], interaction["response"]["body"]
    pointers = set(walk(body, ""))
    fields = {step for pointer in pointers for step in pointer.split("/")[1:] if step != "*"}
    path = "/".join("{id}" if segment.isdigit() else segment for segment in request["path"].split("/"))
    match kind:
        case "operation":
            template_segments, segments = value.split("/")[1:], request["path"].split("/")[1:]
            return len(template_segments) == len(segments) and all(
                template_segment in {segment, "{x}"}
                for template_segment, segment in zip(template_segments, segments, strict=True)
            )
        case "pointer":
            return value.replace("/0", "/*") in pointers
        case "field":
            return value in {*fields, *request["query"], *(name.lower() for name in request["headers"])}
        case "state":
            return bool(interaction["providerState"] == value)
        case _:
            names = [interaction["description"], interaction["providerState"], f"{request['method']} {path}"]
            names += [*pointers, *request["query"], *request["headers"]]
            return any(has_words(name, value) for name in names)


def has_words(name: str, value: str) -> bool:
    return all(any(word.startswith(part) for word in list_words(name)) for part in list_query_words(value))


def walk(value: Any, pointer: str) -> list[str]:
    if not isinstance(value, dict | list):
        return [pointer]
    children = value.items() if isinstance(value, dict) else [("*", item) for item in value]
    return [pointer, *(inner for name, child in children for inner in walk(child, f"{pointer}/{name}"))]


def make_interaction(random: Random) -> dict[str, Any]:
    path = random.choice(PATHS).replace("{}", str(random.randint(1, 99)))
    return {
        "description": random.choice(("a request", "an order is placed", "priceList x")),
        "providerState": random.choice(STATES),
        "request": {
            "method": "GET",
            "path": path,
            "query": {name: ["1"] for name in random.sample(("page", "priceMax"), random.randint(0, 2))},
            "headers": random.choice(({}, {"X-Order": "1"})),
        },
        "response": {"status": 200, "body": make_body(random, 3)},
    }


def make_body(random: Random, depth: int) -> Any:
    if depth == 0 or random.random() < 0.2:
        return random.choice((1, "x", None, True))
    if random.random() < 0.3:
        return [make_body(random, depth - 1) for _ in range(random.randint(0, 2))]
    return {name: make_body(random, depth - 1) for name in random.sample(FIELDS, random.randint(0, 3))}


def take_step(random: Random, history: History, oracle: Oracle) -> None:
    consumer = random.choice(CONSUMERS)
    published_versions = [number for name, number in oracle.pacts if name == consumer]
    match random.choice(("publish", "publish", "publish", "deploy", "unpublish")):
        case "publish":
            version = oracle.newest[consumer] = oracle.newest.get(consumer, 0) + 1
            interactions = [make_interaction(random) for _ in range(random.randint(0, 3))]
            if random.random() < 0.3 and published_versions:
                interactions = oracle.pacts[consumer, random.choice(published_versions)]
            oracle.pacts[consumer, version] = interactions
            publish(history.api, consumer, str(version), *interactions)
            if version % 2 == 0:
                history.branch(consumer, str(version), "main")
        case "deploy" if published_versions:
            oracle.deployed[consumer] = random.choice(published_versions)
            history.deploy(consumer, str(oracle.deployed[consumer]), "production")
        case "unpublish" if published_versions:
            gone = random.choice(published_versions)
            path = f"/pacts/provider/{PROVIDER.replace(' ', '%20')}/consumer/{consumer_path(consumer)}/version/{gone}"
            assert history.api.delete(path).status in {200, 204}
            del oracle.pacts[consumer, gone]


def consumer_path(name: str) -> str:
    return urlencode({"": name})[1:].replace("+", "%20")


def answer(api: Api, kind: str, value: str) -> list[tuple[str, list[str]]]:
    response = api.get(f"/usage?{urlencode({'provider': PROVIDER, kind: value})}")
    assert response.status == 200, response.text
    body = response.json()
    assert body["verdict"] == ("used" if body["_embedded"]["consumers"] else "unused")
    return [
        (consumer["name"], sorted(version["number"] for version in consumer["versions"]))
        for consumer in body["_embedded"]["consumers"]
    ]


@pytest.mark.parametrize("seed", range(60 if IS_LONG else 4))
def test_answers_are_those_of_reading_all_pacts(api: Api, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - a reproducible choice
    history, oracle = History(api), Oracle()
    for name in (*CONSUMERS, PROVIDER):
        assert api.post("/pacticipants", {"name": name, "mainBranch": "main"}).status == 201
    for _ in range(20):
        take_step(random, history, oracle)
    queries = {
        "operation": ("/orders", "/orders/{x}", "/orders/{x}/items", "/", "/customers/{x}", "/{x}/{x}"),
        "pointer": POINTERS,
        "field": (*FIELDS, "page", "x-order", "priceMax"),
        "state": STATES,
        "text": TEXTS,
    }
    for kind, values in queries.items():
        for value in values:
            assert answer(api, kind, value) == oracle.users(kind, value), (kind, value)
