"""A client that speaks HTTP to the application in this process, and the time that the application sees."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Message, Scope

from tests.api import described
from tests.waiting import PATIENCE
from treaty.settings import Settings
from treaty.web.application import REAUTHENTICATE_AFTER, Server

BASE = "http://localhost"
SECRET_KEY = "the key of the tests, which is no secret"  # noqa: S105
HAL = "application/hal+json"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    def link(self, relation: str) -> str:
        """The path behind a relation."""
        href: str = self.json()["_links"][relation]["href"]
        return href.removeprefix(BASE)


class Api:
    """Sends requests and waits for their answers. Paths are raw: the caller percent-encodes names in them."""

    def __init__(self, app: Server) -> None:
        self.client = ("127.0.0.1", 1)
        self._app = app
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self._app.close()

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> Answer:
        return self.request("POST", path, body, **options)

    def put(self, path: str, body: object = None, **options: Any) -> Answer:
        return self.request("PUT", path, body, **options)

    def patch(self, path: str, body: object = None, **options: Any) -> Answer:
        return self.request("PATCH", path, body, **{"type": "application/merge-patch+json", **options})

    def delete(self, path: str, **options: Any) -> Answer:
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        accept: str = HAL,
        type: str | None = "application/json",  # noqa: A002 - reads well where it is called
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        content_type = {} if type is None else {"content-type": type}
        request_headers = {"host": "localhost", "accept": accept, **content_type, **(headers or {})}
        return self._loop.run_until_complete(self._send(method, path, sent, request_headers))

    def send(self, method: str, path: str, body: bytes, headers: Iterable[tuple[str, str]]) -> Answer:
        """Send exactly these headers, besides Host. They may occur more than once."""
        raw = [(name.encode(), value.encode("latin-1")) for name, value in (("host", "localhost"), *headers)]
        return self._loop.run_until_complete(self._send(method, path, body, Headers(raw=raw)))

    def together(self, requests: Iterable[tuple[str, str, Mapping[str, str]]]) -> list[Answer]:
        """Send requests without a body at the same time: methods, paths and headers."""

        async def send() -> list[Answer]:
            host = {"host": "localhost"}
            return await asyncio.gather(
                *(self._send(method, path, b"", {**host, **headers}) for method, path, headers in requests)
            )

        return self._loop.run_until_complete(send())

    def waiting(self, path: str, meanwhile: Callable[[], object]) -> Answer:
        """Send a request that waits for an event, and do something in the meantime."""

        async def send() -> Answer:
            answer = asyncio.ensure_future(self._send("GET", path, b"", {"host": "localhost", "accept": HAL}))
            while not self._app.waiting_clients:
                assert not answer.done(), answer.result()
                await asyncio.sleep(0.01)
            await asyncio.to_thread(meanwhile)
            return await asyncio.wait_for(answer, PATIENCE)

        return self._loop.run_until_complete(send())

    @property
    def waiting_clients(self) -> int:
        return self._app.waiting_clients

    def end_waiting(self) -> None:
        """End the waiting of all clients, as the shutdown of a server does."""
        self._loop.call_soon_threadsafe(self._app.end_waiting)

    def begin_draining(self) -> None:
        """Begin the steps of a server between the signal to end and its shutdown."""
        self._app.begin_draining()

    def abandoned(self, path: str) -> Answer:
        """Send a request that waits for an event, and disconnect."""
        return self._loop.run_until_complete(
            self._send("GET", path, b"", {"host": "localhost", "accept": HAL}, is_abandoned=True)
        )

    def held_back(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], meanwhile: Callable[[], object]
    ) -> Answer:
        """Send a request whose body takes long to arrive, and do something before its last part is sent."""

        async def pause() -> None:
            await asyncio.to_thread(meanwhile)
            await asyncio.sleep(REAUTHENTICATE_AFTER + 0.1)

        request_headers = {"host": "localhost", "content-length": str(len(body)), **headers}
        return self._loop.run_until_complete(self._send(method, path, body, request_headers, pause))

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        pause: Callable[[], Awaitable[None]] | None = None,
        *,
        is_abandoned: bool = False,
    ) -> Answer:
        raw_path, _, query = path.removeprefix(BASE).partition("?")
        scope: Scope = {
            "type": "http",
            "method": method,
            "scheme": "http",
            "path": raw_path,
            "raw_path": raw_path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": self.client,
            "server": ("localhost", 80),
        }
        sent: list[Message] = []

        parts = [body] if pause is None else [body[:1], body[1:]]

        async def receive() -> Message:
            if not parts and is_abandoned:
                return {"type": "http.disconnect"}
            if not parts:
                await asyncio.Event().wait()  # the client stays connected
            part = parts.pop(0) if parts else b""
            if pause is not None and not parts:
                await pause()
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        response_headers = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        answer = Answer(sent[0]["status"], response_headers, b"".join(message.get("body", b"") for message in sent[1:]))
        described.hold(method, raw_path, answer)
        return answer

    def publish(self, consumer: str, version: str, provider: str, content: object = None, **more: object) -> Answer:
        """Publish a pact; contents that differ are different pacts."""
        return self.post("/contracts/publish", publication(consumer, version, provider, content, **more))


def publication(consumer: str, version: str, provider: str, content: object = None, **more: object) -> dict[str, Any]:
    """The body of `POST /contracts/publish` for one pact."""
    import base64  # noqa: PLC0415 - used here alone

    encoded = base64.b64encode(json.dumps(pact(consumer, provider, content)).encode()).decode()
    contract = {
        "consumerName": consumer,
        "providerName": provider,
        "specification": "pact",
        "contentType": "application/json",
        "content": encoded,
    }
    return {"pacticipantName": consumer, "pacticipantVersionNumber": version, "contracts": [contract], **more}


def pact(consumer: str, provider: str, content: object = None) -> dict[str, object]:
    """A pact with one interaction, which `content` makes different from others."""
    interaction = {
        "description": f"a request for {content or 'a thing'}",
        "request": {"method": "GET", "path": f"/{content or 'thing'}"},
        "response": {"status": 200},
    }
    return {
        "consumer": {"name": consumer},
        "provider": {"name": provider},
        "interactions": [interaction],
        "metadata": {"pactSpecification": {"version": "2.0.0"}},
    }


@dataclass
class Clock:
    """The time that the application sees. It stands still until it is moved."""

    now: datetime = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def build_settings(*, database_url: str, **given: Any) -> Settings:
    """Build settings. Those that have only the database of their own are built once, since that takes 4 ms."""
    is_hashable = all(isinstance(value, str | bool | int | float | tuple) for value in given.values())
    built = _build_settings(**given) if is_hashable else Settings(**given)
    return replace(built, database_url=database_url)


@lru_cache(typed=True)
def _build_settings(**given: Any) -> Settings:
    return Settings(**given)
