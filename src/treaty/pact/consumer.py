"""The consumer's side: a pact that is filled, tried against a mock provider, written and published."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, Self
from urllib.parse import parse_qsl

import pact as modern
from pact.error import MismatchesError

from treaty.client import BrokerClient, BrokerConnection
from treaty.errors import ClientError
from treaty.pact.matchers import Matcher, as_text, to_library_format
from treaty.testing import logs, publishing
from treaty.testing import pact_files as pacts

if TYPE_CHECKING:
    import logging

_COMPLETE: Final = {"description", "request", "response"}
_PORT_SECONDS: Final = 5
"""How long the port of the mock provider before may take to be free."""


class Provider:
    def __init__(self, name: str) -> None:
        self.name = name


class Consumer:
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
        self.name = name
        self.service_cls = service_cls or Pact
        self.tags = list(tags or ())
        self.version = version
        self.branch = branch
        self.build_url = build_url

    def has_pact_with(self, provider: Provider, host_name: str = "localhost", port: int = 1234, **options: Any) -> Pact:
        """Make a pact.

        Options are `pact_dir`, `log_dir`, `specification_version`, `file_write_mode` (`overwrite`, or `merge` to keep
        what earlier runs wrote), and for publishing when the service stops `publish_to_broker`, `broker_base_url`,
        `broker_username`, `broker_password` and `broker_token`.
        """
        if not isinstance(provider, Provider):
            raise TypeError("provider must be an instance of Provider.")
        return self.service_cls(consumer=self, provider=provider, host_name=host_name, port=port, **options)


class Pact:
    """A pact between a consumer and a provider; each `with` block is one conversation with the mock provider."""

    def __init__(
        self, consumer: Consumer, provider: Provider, host_name: str = "localhost", port: int = 1234, **options: Any
    ) -> None:
        self.consumer = consumer
        self.provider = provider
        self.host_name = host_name
        self.port = port
        self.pact_dir = Path(options.get("pact_dir") or Path.cwd())
        self.log_dir = Path(options.get("log_dir") or Path.cwd())
        self.version = str(options.get("specification_version", options.get("version", "2.0.0")))
        self.file_write_mode = options.get("file_write_mode", "overwrite")
        self._options = options
        self._interactions: list[dict[str, Any]] = []
        self._log: logging.Handler | None = None
        self._pact: modern.Pact | None = None
        self._server: Any = None

    @property
    def uri(self) -> str:
        return f"http://{self.host_name}:{self.port}"

    # A mock provider listens from `setup` to `verify`; the service's own start and end are those of its log.

    def start_service(self) -> None:
        if self._log is None:
            self._log = logs.open_log(self.log_dir / "pact-mock-service.log")

    def stop_service(self) -> None:
        self._end_server()
        if self._log:
            logs.close_log(self._log)
            self._log = None
        if self._options.get("publish_to_broker"):
            self.publish_to_broker()

    # What is agreed upon

    def given(self, provider_state: str | Sequence[Mapping[str, Any]], params: Mapping[str, Any] | None = None) -> Self:
        """Name the state of the provider; several are a list of `{"name": ..., "params": ...}`."""
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
        """Give the interaction that is being described, a new one if the last is complete."""
        if not self._interactions or set(self._interactions[0]) >= _COMPLETE:
            self._interactions.insert(0, {})
        return self._interactions[0]

    # The conversation

    def __enter__(self) -> Self:
        self.setup()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.verify()
        else:
            self._end_server()
            self._interactions = []

    def setup(self) -> None:
        """Let the mock provider answer as was agreed upon."""
        self._end_server()
        self._pact = modern.Pact(self.consumer.name, self.provider.name).with_specification(f"V{self.version[0]}")
        for interaction in reversed(self._interactions):
            _fill(self._pact, interaction)
        self._server = self._listening(self._pact)

    def _listening(self, pact: modern.Pact) -> Any:
        until = time.monotonic() + _PORT_SECONDS
        while True:
            try:
                return pact.serve(addr=self.host_name, port=self.port, verbose=False).__enter__()
            except RuntimeError as error:
                if time.monotonic() > until:
                    raise RuntimeError(f"The mock provider cannot listen at {self.uri}: {error}") from error
                time.sleep(0.05)

    def verify(self) -> None:
        """Check that all happened as was agreed upon, and write it; raises AssertionError if it did not."""
        self._interactions = []
        try:
            self._end_server(is_strict=True)
        except MismatchesError as error:
            raise AssertionError(f"The pact was not kept: {error}") from error
        if self._pact and self.file_write_mode != "never":
            content = pacts.read_content(self._pact)
            pacts.add(self.pact_dir, content, keeps_existing=self.file_write_mode == "merge")

    def _end_server(self, *, is_strict: bool = False) -> None:
        server, self._server = self._server, None
        if server is not None:
            with suppress(*(() if is_strict else (MismatchesError,))):
                server.__exit__(None, None, None)

    # Publishing

    def publish_to_broker(
        self,
        broker_base_url: str | None = None,
        consumer_version: str | None = None,
        tags: Sequence[str] | None = None,
        branch: str | None = None,
        build_url: str | None = None,
        **credentials: str | None,
    ) -> None:
        """Publish what was written. What is not given is as the pact and its consumer were made.

        Credentials are `broker_username` and `broker_password`, or `broker_token`.
        """
        given = {"version": consumer_version, "tags": tags, "branch": branch, "build_url": build_url}
        options = self._options | {name: value for name, value in credentials.items() if value}
        publish(self.consumer, self._path, create_connection(broker_base_url, options), given)

    @property
    def _path(self) -> Path:
        return self.pact_dir / pacts.file_name(self.consumer.name, self.provider.name)


class PublishingConsumer(Protocol):
    """A consumer, as far as it matters for publishing."""

    tags: list[str]
    version: str
    branch: str | None
    build_url: str | None


def publish(consumer: PublishingConsumer, path: Path, reached: BrokerConnection, given: Mapping[str, Any]) -> None:
    """Publish what was written; of the version, what is not given is as the consumer was made."""
    made = publishing.detect_build(
        given["version"] or consumer.version,
        branch=given["branch"] or consumer.branch,
        tags=list(given["tags"] or consumer.tags),
        build_url=given["build_url"] or consumer.build_url,
    )
    with BrokerClient(reached) as broker:
        published = publishing.publish(broker, made, [pacts.read_file(path)])
    if not published.is_complete:
        raise RuntimeError(f"There was an error while publishing to the pact broker: {published.text}")


def create_connection(base_url: str | None, options: Mapping[str, Any]) -> BrokerConnection:
    url = base_url or options.get("broker_base_url")
    if not url:
        raise ClientError("The broker's address is missing: give broker_base_url.")
    return BrokerConnection(
        base_url=url,
        username=options.get("broker_username"),
        password=options.get("broker_password"),
        token=options.get("broker_token"),
    )


def _fill(pact: modern.Pact, agreed: Mapping[str, Any]) -> None:
    if missing := _COMPLETE - set(agreed):
        raise ValueError(
            f"The interaction {agreed.get('description', '')!r} lacks its {' and '.join(sorted(missing))}."
        )
    interaction = pact.upon_receiving(agreed["description"])
    for state in agreed.get("states", []):
        interaction.given(state["name"], dict(state.get("params") or {}) or None)
    request, response = agreed["request"], agreed["response"]
    interaction.with_request(request["method"], as_text(request["path"]))
    for name, value in _query(request["query"]):
        interaction.with_query_parameter(name, as_text(value))
    _fill_part(interaction, request)
    interaction.will_respond_with(response["status"])
    _fill_part(interaction, response)


def _query(given: Any) -> list[tuple[str, Any]]:
    if isinstance(given, Mapping):
        pairs = [(name, value if isinstance(value, list) else [value]) for name, value in given.items()]
        return [(name, each) for name, several in pairs for each in several]
    return parse_qsl(given, keep_blank_values=True) if isinstance(given, str) else list(given or [])


def _fill_part(interaction: Any, part: Mapping[str, Any]) -> None:
    for name, value in part["headers"].items():
        interaction.with_header(name, as_text(value))
    if part["body"] is not None:
        interaction.with_body(*_body(part["body"], part["headers"]))


def _body(body: Any, headers: Mapping[str, Any]) -> tuple[str, str]:
    given = next((value for name, value in headers.items() if name.lower() == "content-type"), None)
    content_type = str(given.example() if isinstance(given, Matcher) else given or "")
    if isinstance(body, str) and "json" not in content_type:
        return body, content_type or "text/plain"
    return json.dumps(to_library_format(body)), content_type or "application/json"
