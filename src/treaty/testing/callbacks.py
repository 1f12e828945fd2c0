"""HTTP server that Pact's verifier calls to prepare provider states and to get the provider's messages."""

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
_JSON: Final = {"Content-Type": "application/json"}

StateHandlers = Mapping[str, Callable[..., object]] | Callable[..., object]
Message = Mapping[str, Any] | bytes | str
MessageHandlers = Mapping[str, Callable[..., Message] | Message] | Callable[..., Message]


@dataclass(kw_only=True, slots=True)
class Callbacks:
    """The handlers of a test. Their exceptions are collected in `failures`, since verifiers report little of them."""

    states: StateHandlers | None = None
    messages: MessageHandlers | None = None
    failures: list[str] = field(default_factory=list)
    has_empty_state: bool = False
    """Whether the interaction has a provider state with an empty name. The verifier also requests the empty name for an
    interaction without any state, which no function for all states expects."""

    def prepare(self, state_change: Mapping[str, Any]) -> Any:
        """Call the handler of a provider state, and return its result. Raises LookupError if there is none."""
        state, action = state_change.get("state") or "", state_change.get("action") or "setup"
        if self.states is None or (not state and not self._has_handler_of_empty_state):
            return None
        parameters = state_change.get("params") or {}
        values = {**parameters, "state": state, "action": action, "parameters": parameters}
        handler = self.states if callable(self.states) else self.states.get(state)
        if handler is None:
            raise LookupError(f"No handler for the provider state {state!r}. {_describe(self.states)}")
        # Most handlers only set a state up. Only one that takes `action` expects to be called for the teardown, too.
        if action == "setup" or "action" in inspect.signature(handler).parameters:
            return _call(handler, values)
        return None

    @property
    def _has_handler_of_empty_state(self) -> bool:
        return self.has_empty_state if callable(self.states) else "" in (self.states or {})

    def produce(self, message_request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Produce a message: its contents, content type and metadata. Raises LookupError if it has no handler."""
        name = message_request.get("description") or ""
        handler = self.messages if callable(self.messages) else (self.messages or {}).get(name)
        if handler is None:
            raise LookupError(f"No handler for the message {name!r}. {_describe(self.messages)}")
        values = {"name": name, "metadata": message_request.get("metadata") or {}}
        return _to_message(_call(handler, values) if callable(handler) else handler)


def _describe(handlers: object) -> str:
    names = ", ".join(map(repr, handlers)) if isinstance(handlers, Mapping) else ""
    return f"There are handlers for {names}." if names else "There are none."


def _call(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Call a function with those of the values that its parameters name; with all if it has `**kwargs`."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return function(**values)
    return function(**{name: value for name, value in values.items() if name in parameters})


def _to_message(result: Any) -> Mapping[str, Any]:
    """Return a handler's result as a message. It may be contents alone: bytes, text, or a value to be sent as JSON."""
    if isinstance(result, Mapping) and "contents" in result:
        return result
    if isinstance(result, bytes | str):
        return {"contents": result}
    return {"contents": json.dumps(result), "content_type": "application/json"}


def _response(message: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
    contents = message["contents"]
    if not isinstance(contents, bytes | str):
        contents = json.dumps(contents)
    content_type = message.get("content_type") or "application/json"
    # Pact's verifier expects the metadata of a message base64-encoded in this header.
    metadata = {"contentType": content_type, **(message.get("metadata") or {})}
    headers = {
        "Content-Type": content_type,
        "Pact-Message-Metadata": base64.b64encode(json.dumps(metadata).encode()).decode(),
    }
    return contents if isinstance(contents, bytes) else contents.encode(), headers


def _request_handler(callbacks: Callbacks) -> type[BaseHTTPRequestHandler]:
    class CallbackRequestHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            try:
                self._send(HTTPStatus.OK, *self._call_handler(body))
            except Exception as error:  # noqa: BLE001 - the test reports any exception of a handler
                # Not a 5xx status, which verifiers would retry for minutes.
                callbacks.failures.append(f"{type(error).__name__}: {error}")
                self._send(HTTPStatus.BAD_REQUEST, str(error).encode(), {})

        def _call_handler(self, body: Mapping[str, Any]) -> tuple[bytes, dict[str, str]]:
            if self.path == MESSAGES_PATH:
                return _response(callbacks.produce(body))
            values = callbacks.prepare(body)
            # Pact's generators may use values that a state handler returns.
            return (
                (json.dumps(values, default=str).encode(), _JSON)
                if values and isinstance(values, Mapping)
                else (b"", {})
            )

        def _send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
            """Log nothing: the requests would appear among the output of the tests."""

    return CallbackRequestHandler


@contextmanager
def serve_callbacks(callbacks: Callbacks, host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Serve until the block ends, by default on a free port; yields the port."""
    with ThreadingHTTPServer((host, port), _request_handler(callbacks)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
