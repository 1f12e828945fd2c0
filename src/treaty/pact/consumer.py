"""Pacts about requests: described by a test, tried against a mock provider, written and published."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import parse_qsl

import pact as modern
from pact.error import MismatchesError

from treaty.pact.matchers import Matcher, as_text, to_library_format
from treaty.pact.participants import ConsumerVersion, Provider, WrittenPact, check_provider
from treaty.testing import logs

if TYPE_CHECKING:
    import logging

_COMPLETE: Final = {"description", "request", "response"}
_PORT_TIMEOUT: Final = 5
"""Seconds until the operating system must have released the port of the previous mock provider."""


class Consumer(ConsumerVersion):
    def __init__(
        self,
        name: str,
        service_cls: type[Pact] | None = None,
        tags: Sequence[str] | None = None,
        version: str = "0.0.0",
        branch: str | None = None,
        build_url: str | None = None,
        **_: Any,
    ) -> None:
        super().__init__(name, tags, version, branch, build_url)
        self.service_cls = service_cls or Pact

    def has_pact_with(self, provider: Provider, host_name: str = "localhost", port: int = 1234, **options: Any) -> Pact:
        """Create a pact.

        The options are `pact_dir`, `log_dir`, `specification_version`, `file_write_mode` (`overwrite`, or `merge` to
        keep the interactions of earlier runs), and for publishing when the service stops `publish_to_broker`,
        `broker_base_url`, `broker_username`, `broker_password` and `broker_token`.
        """
        check_provider(provider)
        return self.service_cls(consumer=self, provider=provider, host_name=host_name, port=port, **options)


class Pact(WrittenPact):
    """A pact between a consumer and a provider; each `with` block is one conversation with the mock provider."""

    def __init__(
        self, consumer: Consumer, provider: Provider, host_name: str = "localhost", port: int = 1234, **options: Any
    ) -> None:
        super().__init__(consumer, provider, options)
        self.host_name = host_name
        self.port = port
        self.log_dir = Path(options.get("log_dir") or Path.cwd())
        self.version = str(options.get("specification_version", options.get("version", "2.0.0")))
        self._interactions: list[dict[str, Any]] = []
        self._log: logging.Handler | None = None
        self._pact: modern.Pact | None = None
        self._server: Any = None

    @property
    def uri(self) -> str:
        return f"http://{self.host_name}:{self.port}"

    # A mock provider listens from `setup` to `verify`. Starting and stopping the service only opens and closes its log.

    def start_service(self) -> None:
        if self._log is None:
            self._log = logs.open_log(self.log_dir / "pact-mock-service.log")

    def stop_service(self) -> None:
        self._end_server()
        if self._log:
            logs.close_log(self._log)
            self._log = None
        if self._is_published_automatically:
            self.publish_to_broker()

    # Describing an interaction

    def given(self, provider_state: str | Sequence[Mapping[str, Any]], params: Mapping[str, Any] | None = None) -> Self:
        """Set the provider state; several states are a list of `{"name": ..., "params": ...}`."""
        if isinstance(provider_state, str):
            states = [{"name": provider_state, "params": dict(params or {})}]
        else:
            states = [dict(state) for state in provider_state]
        self._current()["states"] = states
        return self

    def and_given(self, provider_state: str, **params: Any) -> Self:
        self._current().setdefault("states", []).append({"name": provider_state, "params": params})
        return self

    def upon_receiving(self, scenario: str) -> Self:
        self._current()["description"] = scenario
        return self

    def with_request(
        self,
        method: str,
        path: str | Matcher,
        body: Any = None,
        headers: Mapping[str, Any] | None = None,
        query: Any = None,
    ) -> Self:
        request = {"method": method.upper(), "path": path, "body": body, "headers": headers or {}, "query": query}
        self._interactions[0]["request"] = request
        return self

    def will_respond_with(self, status: int, headers: Mapping[str, Any] | None = None, body: Any = None) -> Self:
        self._interactions[0]["response"] = {"status": status, "headers": headers or {}, "body": body}
        return self

    def _current(self) -> dict[str, Any]:
        """Return the interaction that is being described; a new one if the latest is complete."""
        if not self._interactions or set(self._interactions[0]) >= _COMPLETE:
            self._interactions.insert(0, {})
        return self._interactions[0]

    # Trying the interactions

    def __enter__(self) -> Self:
        self.setup()
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        if error_type is None:
            self.verify()
        else:
            self._end_server()
            self._interactions = []

    def setup(self) -> None:
        """Start a mock provider with the described interactions."""
        self._end_server()
        self._pact = modern.Pact(self.consumer.name, self.provider.name).with_specification(f"V{self.version[0]}")
        for interaction in reversed(self._interactions):
            _add_interaction(self._pact, interaction)
        self._server = self._serve(self._pact)

    def _serve(self, pact: modern.Pact) -> Any:
        until = time.monotonic() + _PORT_TIMEOUT
        while True:
            try:
                return pact.serve(addr=self.host_name, port=self.port, verbose=False).__enter__()
            except RuntimeError as error:
                if time.monotonic() > until:
                    raise RuntimeError(f"The mock provider cannot listen at {self.uri}: {error}") from error
                time.sleep(0.05)

    def verify(self) -> None:
        """Write the pact if all interactions took place as described. Raises AssertionError otherwise."""
        self._interactions = []
        try:
            self._end_server(is_strict=True)
        except MismatchesError as error:
            raise AssertionError(f"The pact was not kept: {error}") from error
        if self._pact:
            self._write(self._pact)

    def _end_server(self, *, is_strict: bool = False) -> None:
        server, self._server = self._server, None
        if server is not None:
            with suppress(*(() if is_strict else (MismatchesError,))):
                server.__exit__(None, None, None)


def _add_interaction(pact: modern.Pact, description: Mapping[str, Any]) -> None:
    if missing := _COMPLETE - set(description):
        raise ValueError(
            f"The interaction {description.get('description', '')!r} lacks its {' and '.join(sorted(missing))}."
        )
    interaction = pact.upon_receiving(description["description"])
    for state in description.get("states", []):
        interaction.given(state["name"], dict(state.get("params") or {}) or None)
    request, response = description["request"], description["response"]
    interaction.with_request(request["method"], as_text(request["path"]))
    for name, value in _query_parameters(request["query"]):
        interaction.with_query_parameter(name, as_text(value))
    _add_headers_and_body(interaction, request)
    interaction.will_respond_with(response["status"])
    _add_headers_and_body(interaction, response)


def _query_parameters(query: Any) -> list[tuple[str, Any]]:
    if isinstance(query, Mapping):
        pairs = [(name, value if isinstance(value, list) else [value]) for name, value in query.items()]
        return [(name, value) for name, values in pairs for value in values]
    return parse_qsl(query, keep_blank_values=True) if isinstance(query, str) else list(query or [])


def _add_headers_and_body(interaction: Any, part: Mapping[str, Any]) -> None:
    for name, value in part["headers"].items():
        interaction.with_header(name, as_text(value))
    if part["body"] is not None:
        interaction.with_body(*_body(part["body"], part["headers"]))


def _body(body: Any, headers: Mapping[str, Any]) -> tuple[str, str]:
    header = next((value for name, value in headers.items() if name.lower() == "content-type"), None)
    content_type = str(header.example() if isinstance(header, Matcher) else header or "")
    if isinstance(body, str) and "json" not in content_type:
        return body, content_type or "text/plain"
    return json.dumps(to_library_format(body)), content_type or "application/json"
