"""`Pact` of pact-python 1 and 2: interactions, described by a test and tried against a mock provider."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from urllib.parse import parse_qsl

from treaty.pact import content_types
from treaty.pact.broker import ConsumerVersion, WrittenPact
from treaty.pact.matchers import Like, Matcher, Term, as_text, by_member, to_library_format
from treaty.testing import logs, mock_servers
from treaty.testing.mock_servers import Endpoint, MockServer
from treaty.testing.pact_handles import PactDescription

if TYPE_CHECKING:
    import logging

    from treaty.pact.provider import Provider

_FIRST_VERSION_WITH_STATES: Final = 3
_pacts: Final[weakref.WeakSet[Pact]] = weakref.WeakSet()


def forget_interactions() -> None:
    """Forget the interactions that a failed test described but did not try: they are not those of the next test."""
    for pact in list(_pacts):
        pact.forget_interactions()


class Pact(WrittenPact):
    """A pact between a consumer and a provider; each `with` block is one conversation with the mock provider."""

    HEADERS: ClassVar = {"X-Pact-Mock-Service": "true"}
    MANDATORY_FIELDS: ClassVar = {"response", "description", "request"}

    def __init__(
        self,
        consumer: ConsumerVersion,
        provider: Provider,
        host_name: str = "localhost",
        port: int | str = 1234,
        log_dir: str | Path | None = None,
        ssl: bool = False,
        sslcert: str | None = None,
        sslkey: str | None = None,
        cors: bool = False,
        publish_to_broker: bool | None = None,
        broker_base_url: str | None = None,
        broker_username: str | None = None,
        broker_password: str | None = None,
        broker_token: str | None = None,
        pact_dir: str | Path | None = None,
        specification_version: str = "2.0.0",
        file_write_mode: str = "overwrite",
    ) -> None:
        super().__init__(
            consumer,
            provider,
            publish_to_broker=publish_to_broker,
            pact_dir=pact_dir,
            file_write_mode=file_write_mode,
            broker_base_url=broker_base_url,
            broker_username=broker_username,
            broker_password=broker_password,
            broker_token=broker_token,
        )
        if (sslcert or sslkey) and not ssl:
            raise ValueError("sslcert and sslkey need ssl=True.")
        self.host_name = host_name
        self.port = port
        self.uri = f"{'https' if ssl else 'http'}://{host_name}:{port}"
        self.log_dir = log_dir or str(Path.cwd())
        self.ssl = ssl
        self.sslcert = sslcert
        self.sslkey = sslkey
        self.cors = cors
        self.specification_version = specification_version
        self._interactions: list[dict[str, Any]] = []
        self._log: logging.Handler | None = None
        self._server: MockServer | None = None
        _pacts.add(self)

    # A mock provider listens from `setup` to `verify`. Starting and stopping the service only opens and closes its log.

    def start_service(self) -> None:
        if self._log is None:
            self._log = logs.open_log(Path(self.log_dir) / "pact-mock-service.log")

    def stop_service(self) -> None:
        self._end_server()
        if self._log:
            logs.close_log(self._log)
            self._log = None
        if self.publish_to_broker:
            self.publish()

    # Describing an interaction

    def given(self, provider_state: str | Sequence[Mapping[str, Any]], params: Mapping[str, Any] | None = None) -> Self:
        """Set the provider state; several states are a list of `{"name": ..., "params": ...}`.

        Raises ValueError for what the version of the specification cannot express, as `and_given` does.
        """
        if isinstance(provider_state, str):
            states = [{"name": provider_state, "params": dict(params or {})}]
        else:
            states = [dict(state) for state in provider_state]
        return self._set_states(states)

    def and_given(self, provider_state: str, **params: Any) -> Self:
        return self._set_states([*self._current().get("states", []), {"name": provider_state, "params": params}])

    def _set_states(self, states: Sequence[Mapping[str, Any]]) -> Self:
        is_simple = len(states) <= 1 and not any(state.get("params") for state in states)
        if not is_simple and int(self.specification_version[0]) < _FIRST_VERSION_WITH_STATES:
            names = " and ".join(repr(state["name"]) for state in states)
            raise ValueError(
                f"Version {self.specification_version} of the Pact specification has one provider state for each "
                f"interaction, without parameters: it cannot express {names}. Pass "
                'specification_version="3.0.0" to has_pact_with.'
            )
        self._current()["states"] = list(states)
        return self

    def upon_receiving(self, scenario: str) -> Self:
        self._current()["description"] = scenario
        return self

    def with_request(
        self,
        method: str,
        path: str | Matcher,
        body: Any = None,
        headers: Mapping[str, Any] | Matcher | None = None,
        query: Any = None,
    ) -> Self:
        self._current()["request"] = {
            "method": method.upper(),
            "path": path,
            "body": body,
            "headers": by_member(headers),
            "query": list(_query_parameters(query)),
        }
        return self

    def will_respond_with(
        self, status: int, headers: Mapping[str, Any] | Matcher | None = None, body: Any = None
    ) -> Self:
        self._current()["response"] = {"status": int(status), "headers": by_member(headers), "body": body}
        return self

    def _current(self) -> dict[str, Any]:
        """Return the interaction that is being described; a new one if the latest is complete."""
        if not self._interactions or set(self._interactions[0]) >= self.MANDATORY_FIELDS:
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
            self.forget_interactions()

    def forget_interactions(self) -> None:
        """Stop the mock provider without a verdict, and forget the interactions."""
        self._end_server()
        self._interactions = []

    def setup(self) -> None:
        """Start a mock provider with the described interactions. Raises ValueError if one is incomplete."""
        self._end_server()
        for interaction in self._interactions:
            if missing := self.MANDATORY_FIELDS - set(interaction):
                description = interaction.get("description", "")
                raise ValueError(f"The interaction {description!r} lacks its {' and '.join(sorted(missing))}.")
        interactions = self._interactions[::-1]

        def describe(pact: Any) -> None:
            for interaction in interactions:
                _add_interaction(pact, interaction)

        description = PactDescription(
            consumer=self.consumer.name,
            provider=self.provider.name,
            specification=f"V{self.specification_version[0]}",
            describe=describe,
        )
        self._server = mock_servers.start(description, self._endpoint(interactions))

    def _endpoint(self, interactions: Sequence[Mapping[str, Any]]) -> Endpoint:
        return Endpoint(
            host=self.host_name,
            port=int(self.port),
            is_secure=self.ssl,
            certificate=self.sslcert,
            key=self.sslkey,
            allows_cors=self.cors,
            adds_content_type=any(content_types.is_unspecified(each["request"]) for each in interactions),
        )

    def verify(self) -> None:
        """Write the pact if all interactions took place as described. Raises AssertionError otherwise."""
        self._interactions = []
        server, self._server = self._server, None
        if server is None:
            return
        conversation = server.stop()
        if conversation.content is None:
            raise AssertionError(f"The pact was not kept: {conversation.mismatches}")
        self._write(content_types.without_unspecified(conversation.content))

    def _end_server(self) -> None:
        server, self._server = self._server, None
        if server is not None and server.is_running:
            server.stop()


def _add_interaction(pact: Any, description: Mapping[str, Any]) -> None:
    interaction = pact.upon_receiving(description["description"])
    for state in description.get("states", []):
        interaction.given(state["name"], dict(state.get("params") or {}) or None)
    request, response = description["request"], description["response"]
    interaction.with_request(request["method"], as_text(request["path"]))
    for name, value in request["query"]:
        interaction.with_query_parameter(name, as_text(value))
    _add_headers_and_body(interaction, request)
    interaction.will_respond_with(response["status"])
    _add_headers_and_body(interaction, response)


def _add_headers_and_body(interaction: Any, part: Mapping[str, Any]) -> None:
    for name, value in part["headers"].items():
        interaction.with_header(content_types.canonical_name(name), as_text(value))
    if part["body"] is None:
        return
    body, content_type = _body(part["body"], content_types.specified(part))
    if content_types.is_unspecified(part):
        interaction.with_header("Content-Type", content_types.any_content_type(content_type))
    interaction.with_body(body, content_type)


def _body(body: Any, content_type: str) -> tuple[str, str]:
    if isinstance(body, bytes):
        body = body.decode()
    if isinstance(body, str) and "json" not in content_type:
        return body, content_type or "text/plain"
    return json.dumps(to_library_format(body)), content_type or "application/json"


def _query_parameters(query: Any) -> Iterator[tuple[str, Any]]:
    match query:
        case Term():
            yield from _parameters_of_term(query)
        case Like() if isinstance(query.matcher, str):
            yield from ((name, Like(value)) for name, value in _parse_query(query.matcher))
        case str():
            yield from _parse_query(query)
        case Mapping() | Like():
            for name, values in by_member(query).items():
                yield from ((name, value) for value in (values if isinstance(values, list | tuple) else [values]))
        case _:
            yield from query or ()


def _parse_query(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _parameters_of_term(query: Term) -> Iterator[tuple[str, Term]]:
    """Split an expression for the whole query, as Pact's library compares the parameters one by one.

    Raises ValueError if the expression cannot be split at the names of the example's parameters.
    """
    parameters = _parse_query(str(query.example()))
    expressions = query.matcher.removeprefix("^").removeprefix("\\A").removesuffix("$").removesuffix("\\z").split("&")
    names = [expression.partition("=")[0] for expression in expressions]
    if names != [name for name, _ in parameters]:
        raise ValueError(
            f"The query {query.matcher!r} cannot be compared parameter by parameter: pass a mapping of names to "
            'values, such as {"page": Term(r"\\d+", "3")}.'
        )
    for (name, value), expression in zip(parameters, expressions, strict=True):
        yield name, Term(expression.partition("=")[2], value)
