"""The Pact Foundation's verifier treats an interaction and its upgrade to a later specification alike."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from pact import Verifier

from treaty.model.pacts.documents import Document
from treaty.model.pacts.merging import merge_documents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JSON = {"Content-Type": "application/json"}
BODY: dict[str, object] = {"id": 5, "tags": ["a", "b"], "more": 1}


def interaction(description: str, request: dict[str, object], response: dict[str, object]) -> dict[str, object]:
    return {
        "description": description,
        "request": {"method": "POST", "path": f"/{description}", **request},
        "response": {"status": 200, **response},
    }


INTERACTIONS = [
    interaction("plain", {}, {}),
    interaction("status", {}, {"status": 201}),
    interaction("query", {"query": "a=1&b=x+y&a=3%20z&c="}, {}),
    interaction("json", {"headers": JSON, "body": {"n": [1, 2.5, None, "x"]}}, {"headers": JSON, "body": BODY}),
    interaction("json without a type", {"body": {"n": 1}}, {"body": {"id": 5}}),
    interaction("another body", {}, {"headers": JSON, "body": {"id": 6}}),
    interaction("json text", {"headers": JSON, "body": "not JSON"}, {}),
    interaction("text", {"headers": {"Content-Type": "text/plain"}, "body": '{"a":1}'}, {}),
    interaction("form", {"headers": {"Content-Type": "application/x-www-form-urlencoded"}, "body": "a=1&b=2"}, {}),
    interaction("xml", {"headers": {"Content-Type": "application/soap+xml"}, "body": "<a/>"}, {}),
    interaction("empty", {"headers": {"Content-Type": "image/png"}, "body": ""}, {}),
    interaction("null", {"headers": JSON, "body": None}, {}),
    interaction("text without a type", {"body": "abc"}, {}),
    interaction("headers", {"headers": {"X-List": "a, b"}}, {"headers": {"X-List": "a, b"}}),
    interaction("other headers", {}, {"headers": {"X-List": "a, c"}}),
    interaction("type", {}, {"body": {"id": 7}, "matchingRules": {"$.body.id": {"match": "type"}}}),
    interaction("wrong type", {}, {"body": {"id": "x"}, "matchingRules": {"$.body.id": {"match": "type"}}}),
    interaction("regex", {}, {"headers": {"X-Id": "1"}, "matchingRules": {"$.headers.X-Id": {"regex": "\\d+"}}}),
    interaction("wrong regex", {}, {"headers": {"X-Id": "1"}, "matchingRules": {"$.headers['X-Id']": {"regex": "x"}}}),
    interaction("min", {}, {"body": {"tags": ["x"]}, "matchingRules": {"$.body.tags": {"min": 1}}}),
    interaction("wrong min", {}, {"body": {"tags": ["x"]}, "matchingRules": {"$['body']['tags']": {"min": 3}}}),
    interaction("each", {}, {"body": {"tags": ["x"]}, "matchingRules": {"$.body.tags[*]": {"match": "type"}}}),
]


class _Provider(BaseHTTPRequestHandler):
    """Records requests, and responds to all of them in the same way."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        shown = {name: headers.get(name) for name in ("content-type", "x-list")}
        self.server.requests.append((self.path, shown, body))  # type: ignore[attr-defined]
        response = json.dumps(BODY).encode()
        self.send_response(200)
        for name, value in {**JSON, "X-List": "a, b", "X-Id": "12", "Content-Length": str(len(response))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        """Do not log requests."""


@contextmanager
def provider() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Provider) as server:
        server.requests = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def verify(file: Path, content: object) -> tuple[list[Any], set[str]]:
    """Return the requests of the verifier, and the interactions that it has failed."""
    file.write_text(json.dumps(content))
    with provider() as server:
        address = f"http://127.0.0.1:{server.server_port}"
        verifier = Verifier("Ledger", "127.0.0.1").add_source(file).add_transport(url=address)
        with pytest.raises(RuntimeError):  # some of the interactions are meant to fail
            verifier.verify()
        errors = {error["interaction"].rpartition(" - ")[2] for error in verifier.results["errors"]}
        refused = {
            str(interaction["description"]) for interaction in INTERACTIONS if interaction["description"] in errors
        }
        return sorted(server.requests, key=str), refused


@pytest.mark.parametrize("version", ["3.0.0", "4.0"])
def test_an_upgraded_pact_is_verified_like_the_original_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str
) -> None:
    monkeypatch.setenv("PACT_DO_NOT_TRACK", "true")

    def pact(number: str, interactions: list[Any]) -> Document:
        names = {"consumer": {"name": "Till"}, "provider": {"name": "Ledger"}}
        metadata = {"pactSpecification": {"version": number}}
        return Document({**names, "interactions": interactions, "metadata": metadata}, is_plain=True)

    old = pact("2.0.0", INTERACTIONS)
    upgraded = merge_documents(old, pact(version, []), is_newer=True)
    before, after = verify(tmp_path / "old.json", old.tree), verify(tmp_path / "new.json", upgraded.tree)
    assert after == before
    assert after[1] == {"status", "another body", "other headers", "wrong type", "wrong regex", "wrong min", "each"}
