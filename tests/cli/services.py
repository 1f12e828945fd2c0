"""GitHub, GitLab and Bitbucket, as far as `treaty report` uses them.

`exchanges` has the form of each request and response, from the documentation of their APIs. Requests of another form
are answered with 501, and noted. Comments are stored, and lists have pages.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote

import jsonschema_rs

from tests.http_server import Answer, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import OtherBroker
    from tests.http_server import Request

Json = Any
MARKER: Final = "<!-- treaty-report: Shop -->"
EXCHANGES: Final = Path(__file__).parent / "exchanges"
TOKEN: Final = "token-of-the-build-0123456789"  # noqa: S105 - not a secret
PAGE_PARAMETERS: Final = {"github": "per_page", "gitlab": "per_page", "bitbucket": "pagelen"}


@dataclass
class Service:
    """`intercept` may answer a request instead; `prefix` is the path of the API."""

    name: str
    prefix: str = ""
    token: str | None = TOKEN
    comments: list[Json] = field(default_factory=list)
    lists: dict[str, list[Json]] = field(default_factory=lambda: {"files": [], "pulls": []})
    """Other lists, by the end of the route."""
    overrides: dict[str, Json] = field(default_factory=dict)
    """Members of responses, by the route."""
    calls: list[tuple[str, Json]] = field(default_factory=list)
    """The routes and bodies of writes."""
    faults: list[str] = field(default_factory=list)
    intercept: Callable[[str, Request], Answer | None] = lambda _route, _request: None
    after_create: Callable[[], None] = lambda: None
    url: str = ""

    def __post_init__(self) -> None:
        document = json.loads((EXCHANGES / f"{self.name}.json").read_text("utf-8"))
        self.headers, self.exchanges = document["headers"], document["exchanges"]

    def add_comment(self, body: str, author: Json, *, at: int | None = None) -> Json:
        """Add a comment of another user; `author` replaces members of the user."""
        (route,) = [
            name for name in self.exchanges if name.startswith("POST") and re.search(r"(comments|notes)$", name)
        ]
        comment = json.loads(json.dumps(self.exchanges[route]["response"]))
        comment["id"] = at if at is not None else 1000 + len(self.comments)
        self._set_body(comment, body)
        comment["author" if self.name == "gitlab" else "user"] |= author
        self.comments.append(comment)
        return comment

    def text(self, comment: Json) -> str:
        return str(comment["content"]["raw"] if self.name == "bitbucket" else comment["body"])

    def _set_body(self, comment: Json, text: str) -> None:
        if self.name == "bitbucket":
            comment["content"] = {"raw": text}
        else:
            comment["body"] = text

    def writes(self, pattern: str) -> list[Json]:
        return [body for route, body in self.calls if re.search(pattern, route)]

    def respond(self, request: Request) -> Answer:
        path, _, query = request.path.partition("?")
        # A proxy gets the whole URL.
        path = re.sub(r"^http://[^/]+", "", path)
        if not path.startswith(self.prefix):
            return self._fault(f"{request.line} is not below {self.prefix}")
        route, names = self._find(request.method, path.removeprefix(self.prefix))
        if route is None:
            return self._fault(f"There is no {request.line}")
        intercepted = self.intercept(route, request)
        if intercepted is not None:
            return intercepted
        if self.token is not None and request.headers.get("authorization") != f"Bearer {self.token}":
            return _answer(401, {"message": "Bad credentials"})
        if any(request.headers.get(name) != value for name, value in self.headers.items()):
            return self._fault(f"{request.line} lacks one of the headers {self.headers}")
        return self._exchange(route, names, request, parse_qs(query))

    def _find(self, method: str, path: str) -> tuple[str | None, dict[str, str]]:
        for route in self.exchanges:
            pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route)
            match = re.fullmatch(pattern, f"{method} {path}")
            if match:
                return route, {name: unquote(value) for name, value in match.groupdict().items()}
        return None, {}

    def _exchange(self, route: str, names: dict[str, str], request: Request, query: dict[str, list[str]]) -> Answer:
        exchange = self.exchanges[route]
        body = json.loads(request.body) if request.body else None
        if request.method != "GET":
            self.calls.append((route, body))
        if "request" in exchange:
            problems = [error.message for error in jsonschema_rs.validator_for(exchange["request"]).iter_errors(body)]
            if problems:
                return self._fault(f"{route}: {problems}")
        elif body is not None:
            return self._fault(f"{route} takes no body")
        if exchange.get("is_list"):
            return self._list(route, request, query)
        response = self._change(route, names, body, exchange)
        return _answer(exchange.get("status", 200), response)

    def _list(self, route: str, request: Request, query: dict[str, list[str]]) -> Answer:
        items = next((items for end, items in self.lists.items() if route.endswith(end)), self.comments)
        size, page = int(query[PAGE_PARAMETERS[self.name]][0]), int(query.get("page", ["1"])[0])
        assert size <= 100
        shown = items[(page - 1) * size : page * size]
        following = f"{self.url}{request.path.partition('&page')[0]}&page={page + 1}"
        has_next = len(items) > page * size
        if self.name == "bitbucket":
            return _answer(200, {"values": shown, "page": page, **({"next": following} if has_next else {})})
        first = f'<{self.url}{request.path}>; rel="first"'
        link = f'{first}, <{following}>; rel="next"' if has_next else first
        return _answer(200, shown, link=link)

    def _change(self, route: str, names: dict[str, str], body: Json, exchange: Json) -> Json:
        response = json.loads(json.dumps(exchange.get("response")))
        is_comment = re.search(r"(comments|notes)(/\{\w+\})?$", route)
        if is_comment and route.startswith("POST"):
            self._set_body(response, body["content"]["raw"] if self.name == "bitbucket" else body["body"])
            response["id"] = 2000 + len(self.comments)
            self.comments.append(response)
            self.after_create()
        elif is_comment:
            number = int(names.get("comment") or names["id"])
            (comment,) = [comment for comment in self.comments if comment["id"] == number]
            if route.startswith("DELETE"):
                self.comments.remove(comment)
            else:
                self._set_body(comment, body["content"]["raw"] if self.name == "bitbucket" else body["body"])
        return response | self.overrides.get(route, {}) if isinstance(response, dict) else response

    def _fault(self, text: str) -> Answer:
        self.faults.append(text)
        return _answer(501, {"message": text})


def _answer(status: int, body: Json, **headers: str) -> Answer:
    raw = b"" if status == 204 else json.dumps(body).encode()
    return Answer(status, raw, {"Content-Type": "application/json; charset=utf-8"} | headers)


def refuse(status: int, message: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _answer(status, {"message": message, "documentation_url": "https://docs.example.org"}, **named)


def running(service: Service) -> Iterator[Service]:
    """Serve a service while a test runs, and fail if a request had another form than documented."""
    with serving(service.respond) as service.url:
        yield service
    assert service.faults == []


# Responses of the broker


def answer(broker: OtherBroker, *, deployable: bool | None, **more: Any) -> None:
    reason = {
        "kind": "missing_verification",
        "type": "error",
        "text": "…",
        "cause": "verification_not_requested",
        "subject": {"name": "Stock", "version": "7"},
        "problem": "Nothing has requested the verification of the pact of Shop (1).",
        "since": "2024-05-06T07:12:00+00:00",
        "act": {"pacticipant": "Stock"},
        "next": {"text": "Verify the pact.", "command": "pact-verifier --provider Stock"},
    }
    reasons = [] if deployable else [reason]
    body = {"summary": {"deployable": deployable}, "matrix": [], "notices": [], "reasons": reasons}
    broker.answer_all("/matrix?", body | more)


def offer_pact(broker: OtherBroker, file: Path, *, count: int) -> None:
    """Write a pact file, and let the broker have it, with a result in which all interactions failed."""
    interactions = [
        {"description": f"item {number}", "request": {"method": "GET", "path": "/"}, "response": {"status": 200}}
        for number in range(count)
    ]
    pact = {"consumer": {"name": "Shop"}, "provider": {"name": "Stock"}, "interactions": interactions}
    file.write_text(json.dumps(pact, indent=2))
    stored = [item | {"_id": str(number)} for number, item in enumerate(interactions)]
    results = [
        {
            "interactionId": str(number),
            "success": False,
            "mismatches": [{"attribute": "status", "description": "expected 200"}],
        }
        for number in range(count)
    ]
    link = {"pb:pact-versions": [{"href": f"{broker.url}/pact"}]}
    broker.answer("GET /pacticipants/Shop/versions/1", {"number": "1", "_links": link})
    broker.answer("GET /pact", pact | {"interactions": stored})
    broker.answer("GET /result", {"success": False, "testResults": results})
    answer(broker, deployable=False, matrix=[row(broker)])


def row(broker: OtherBroker) -> dict[str, Any]:
    return {
        "consumer": {"name": "Shop", "version": {"number": "1"}},
        "provider": {"name": "Stock", "version": {"number": "7"}},
        "verificationResult": {"success": False, "_links": {"self": {"href": f"{broker.url}/result"}}},
    }
