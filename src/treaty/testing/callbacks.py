"""A little server that a verifier calls: to prepare provider states, and for the messages of a provider."""

from __future__ import annotations

import base64
import inspect
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

STATES_PATH: Final = "/states"
MESSAGES_PATH: Final = "/messages"

StateHandlers = Mapping[str, Callable[..., object]] | Callable[..., object]
Message = Mapping[str, Any] | bytes | str
MessageHandlers = Mapping[str, Callable[..., Message] | Message] | Callable[..., Message]


@dataclass(kw_only=True, slots=True)
class Callbacks:
    """What to call; `failures` tells what went wrong meanwhile, as verifiers say little of it."""

    states: StateHandlers | None = None
    messages: MessageHandlers | None = None
    failures: list[str] = field(default_factory=list)

    def prepare(self, asked: Mapping[str, Any]) -> None:
        state, action = asked.get("state") or "", asked.get("action") or "setup"
        if self.states is None or not state:
            return
        parameters = asked.get("params") or {}
        values = {**parameters, "state": state, "action": action, "parameters": parameters}
        handler = self.states if callable(self.states) else self.states.get(state)
        if handler is None:
            raise LookupError(f"No handler for the provider state {state!r}. {_known(self.states)}")
        if action == "setup" or "action" in inspect.signature(handler).parameters:
            _call(handler, values)

    def produce(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        name = asked.get("description") or ""
        handler = self.messages if callable(self.messages) else (self.messages or {}).get(name)
        if handler is None:
            raise LookupError(f"No handler for the message {name!r}. {_known(self.messages)}")
        values = {"name": name, "metadata": asked.get("metadata") or {}}
        return _message(_call(handler, values) if callable(handler) else handler)


def _known(handlers: object) -> str:
    names = ", ".join(map(repr, handlers)) if isinstance(handlers, Mapping) else ""
    return f"There are handlers for {names}." if names else "There are none."


def _call(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Give a function those of the values that it takes, by name; all of them if it takes any."""
    taken = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken.values()):
        return function(**values)
    return function(**{name: value for name, value in values.items() if name in taken})


def _message(made: Any) -> Mapping[str, Any]:
    """Take a message as such, or contents alone: bytes, text, or what JSON can be made of."""
    if isinstance(made, Mapping) and "contents" in made:
        return made
    if isinstance(made, bytes | str):
        return {"contents": made}
    return {"contents": json.dumps(made), "content_type": "application/json"}


def _answer(message: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    contents = message["contents"]
    if not isinstance(contents, bytes | str):
        contents = json.dumps(contents)
    content_type = message.get("content_type") or "application/json"
    metadata = {"contentType": content_type, **(message.get("metadata") or {})}
    headers = {
        "Content-Type": content_type,
        "Pact-Message-Metadata": base64.b64encode(json.dumps(metadata).encode()).decode(),
    }
    return contents if isinstance(contents, bytes) else contents.encode(), headers


def _handler(callbacks: Callbacks) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            try:
                self._give(HTTPStatus.OK, *self._result(asked))
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is what the test has to tell
                # No 5xx: verifiers try those again for minutes.
                callbacks.failures.append(f"{type(error).__name__}: {error}")
                self._give(HTTPStatus.BAD_REQUEST, str(error).encode(), {})

        def _result(self, asked: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
            if self.path == MESSAGES_PATH:
                return _answer(callbacks.produce(asked))
            callbacks.prepare(asked)
            return b"", {}

        def _give(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
            """Keep quiet."""

    return Handler


@contextmanager
def serve_callbacks(callbacks: Callbacks) -> Iterator[int]:
    """Answer on a free port, which is given, until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(callbacks)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
