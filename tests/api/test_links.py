"""From the index, everything can be reached: no link leads nowhere, and each relation is explained."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api.client import BASE, Answer
from tests.api.described import find_responses
from tests.api.filled import BRANCH, CONSUMERS, LABEL, PROVIDER, TAG, fill
from tests.api.history import q

pytestmark = pytest.mark.slow_on_postgresql  # about links; other tests have the same statements

ACCEPT = "application/hal+json, text/plain;q=0.9, */*;q=0.1"

MAY_BE_MISSING = {
    "pb:previous-distinct": "a pact may be the first",
    "pb:latest-untagged-pact-version": "every version may have a tag",
    "pb:latest-verification-results": "nobody may have verified the pact yet",
    "pb:tag-prod-version": "it is made by PUT",
    "pb:tag-version": "likewise",
    "pb:tag": "likewise",
}


@dataclass(frozen=True)
class Step:
    """A link: its document, its relation, and its URL."""

    at: str
    relation: str
    href: str
    context: str | None


@dataclass
class Walk:
    """Every link of every document, with the response behind it."""

    api: Any
    uuids: dict[str, str]
    steps: list[tuple[Step, Answer]]

    def go(self) -> None:
        waiting = deque([Step("", "index", f"{BASE}/", "index")])
        visited: set[str] = set()
        while waiting:
            step = waiting.popleft()
            path = self.filled(step.href)
            if path in visited:
                continue
            visited.add(path)
            answer = self.api.get(path, accept=ACCEPT)
            self.steps.append((step, answer))
            if answer.status == 200 and "json" in answer.headers["content-type"]:
                waiting.extend(links_in(answer.json(), path))

    def filled(self, href: str) -> str:
        """Put existing names into a template."""
        path = href.removeprefix(BASE) or "/"
        uuid = self.uuids.get(path.split("/")[1], "")
        names = {
            "pacticipant": CONSUMERS[0],
            "consumer": CONSUMERS[0],
            "provider": PROVIDER,
            "version": "1",
            "consumerApplicationVersion": "1",
            "branch": BRANCH,
            "tag": TAG,
            "environmentTag": TAG,
            "label": LABEL,
            "environment": "production",
            "uuid": uuid,
            "pactVersion": "0" * 40,
        }
        return re.sub(r"\{(\w+)\}", lambda placeholder: q(names[placeholder[1]]), path)


def links_in(document: Any, path: str, context: str | None = None) -> Iterator[Step]:
    """List the links of a document and of its embedded resources."""
    if isinstance(document, list):
        for child in document:
            yield from links_in(child, path, context)
    if not isinstance(document, dict):
        return
    links = document.get("_links", {})
    context = context_of(links) or context
    for relation, targets in links.items():
        for link in targets if isinstance(targets, list) else [targets]:
            if relation != "curies":
                yield Step(path, relation, link["href"], context)
    for name, child in document.items():
        if name not in {"_links", "contract", "interactions"}:
            yield from links_in(child, path, context)


def context_of(links: dict[str, Any]) -> str | None:
    """Return the URL that explains the relations of a document: its first curie."""
    curies = links.get("curies")
    template: str | None = curies[0]["href"].removeprefix(BASE) if curies else None
    return template


@pytest.fixture
def walk(api):
    walk = Walk(api, fill(api), [])
    walk.go()
    return walk


def test_every_link_leads_to_a_resource(walk):
    lost = [
        (step.at, step.relation, step.href, answer.status)
        for step, answer in walk.steps
        if answer.status >= 500 or (answer.status == 404 and step.relation not in MAY_BE_MISSING)
    ]
    assert lost == []
    assert len(walk.steps) > 150


def test_responses_behind_links_have_a_status_of_the_openapi_document(walk):
    for step, answer in walk.steps:
        path = walk.filled(step.href)
        if answer.status != 405:
            responses = find_responses("GET", path) or {}  # the client holds the body to the document
            assert str(answer.status) in responses, (path, answer.status)


def test_every_relation_is_explained(walk):
    unexplained = {
        (step.relation, step.context)
        for step, _ in walk.steps
        if ":" in step.relation and "yet" in explanation(walk.api, step)
    }
    assert unexplained == set()


def explanation(api: Any, step: Step) -> str:
    prefix, _, relation = step.relation.partition(":")
    assert prefix in {"pb", "beta", "pf"}
    template = step.context if step.context and step.context.startswith("/doc") else "/doc/{rel}"
    answer = api.get(template.replace("{rel}", relation), accept="text/html")
    assert answer.status == 200
    text: str = answer.text
    return text
