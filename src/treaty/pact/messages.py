"""Pacts about messages that a consumer takes from a queue, and providers that produce them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pact as modern

from treaty.client import BrokerClient
from treaty.pact import verifier as verifying
from treaty.pact.matchers import as_text, to_library_format
from treaty.pact.participants import ConsumerVersion, Provider, WrittenPact, check_provider, create_connection
from treaty.testing import callbacks, pact_files
from treaty.testing.callbacks import Callbacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treaty.client import Json

Produce = Callable[[], Any]
_CREDENTIALS: Final = ("broker_username", "broker_password", "broker_token")


class MessageConsumer(ConsumerVersion):
    def __init__(
        self,
        name: str,
        service_cls: type[MessagePact] | None = None,
        tags: Sequence[str] | None = None,
        version: str = "0.0.0",
        branch: str | None = None,
        build_url: str | None = None,
        **_: Any,
    ) -> None:
        super().__init__(name, tags, version, branch, build_url)
        self.service_cls = service_cls or MessagePact

    def has_pact_with(self, provider: Provider, **options: Any) -> MessagePact:
        """Create a pact.

        The options are `pact_dir`, `file_write_mode` (`overwrite`, or `merge` to keep the interactions of earlier
        runs), and for publishing at the end of each block `publish_to_broker`, `broker_base_url`, `broker_username`,
        `broker_password` and `broker_token`.
        """
        check_provider(provider)
        return self.service_cls(self, provider, **options)


class MessagePact(WrittenPact):
    """A pact about messages. It is written when a `with` block ends without an error."""

    def __init__(self, consumer: MessageConsumer, provider: Provider, **options: Any) -> None:
        super().__init__(consumer, provider, options)
        self._messages: list[dict[str, Any]] = []

    def given(self, name: str, params: Mapping[str, Any] | None = None) -> Self:
        """Add a provider state. Before a description, states belong to the same message."""
        if not self._messages or "description" in self._messages[-1]:
            self._messages.append({"states": []})
        self._messages[-1]["states"].append((name, dict(params or {})))
        return self

    def expects_to_receive(self, description: str) -> Self:
        if not self._messages or "description" in self._messages[-1]:
            self._messages.append({"states": []})
        self._messages[-1]["description"] = description
        return self

    def with_content(self, contents: Any) -> Self:
        self._described()["contents"] = contents
        return self

    def with_metadata(self, metadata: Mapping[str, Any]) -> Self:
        self._described()["metadata"] = metadata
        return self

    def _described(self) -> dict[str, Any]:
        if not self._messages or "description" not in self._messages[-1]:
            raise ValueError("Describe the message with expects_to_receive first.")
        return self._messages[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        if error_type is None:
            self.write_to_pact()
            if self._is_published_automatically:
                self.publish()
        self._messages = []

    def write_to_pact(self) -> None:
        """Write the pact."""
        pact = modern.Pact(self.consumer.name, self.provider.name).with_specification("V3")
        for message in self._messages:
            _add_message(pact, message)
        self._write(pact)

    def publish(self) -> None:
        """Publish the written pact as the options of the pact and its consumer say."""
        self.publish_to_broker()


def _add_message(pact: modern.Pact, message: Mapping[str, Any]) -> None:
    if "description" not in message:
        raise ValueError("There is a state without a message: describe the message with expects_to_receive.")
    interaction = pact.upon_receiving(message["description"], "Async")
    for name, params in message["states"]:
        interaction.given(name, params or None)
    if "metadata" in message:
        interaction.with_metadata({name: as_text(value) for name, value in message["metadata"].items()})
    contents = message.get("contents")
    if isinstance(contents, bytes | str):
        interaction.with_body(contents if isinstance(contents, str) else contents.decode(), "text/plain")
    elif contents is not None:
        interaction.with_body(json.dumps(to_library_format(contents)), "application/json")


class MessageProvider:
    """A provider whose messages are verified. `message_providers` has a function for each state or description."""

    def __init__(
        self,
        message_providers: Mapping[str, Produce],
        provider: str,
        consumer: str,
        pact_dir: str | Path | None = None,
        **_: Any,
    ) -> None:
        self.message_providers = message_providers
        self.provider = provider
        self.consumer = consumer
        self.pact_dir = Path(pact_dir or Path.cwd())
        self._states: list[str] = []
        self._expected: dict[str, Json] = {}
        self._failures: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close: messages are served only during verification."""

    def verify(self, **_: Any) -> None:
        """Verify against the file in `pact_dir`; raises AssertionError if a message is not as expected."""
        path = self.pact_dir / pact_files.file_name(self.consumer, self.provider)
        if not path.exists():
            raise FileNotFoundError(f"Missing pact files [{path}]")
        self._expected = _expected([pact_files.read_file(path).content])
        with self._verifier() as verifier:
            verifier.add_source(path)
            self._run(verifier)

    def verify_with_broker(self, **options: Any) -> None:
        """Verify the pacts that a broker selects, with the options of `Verifier.verify_with_broker`."""
        self._expected = _expected(_selected_pacts(self.provider, options))
        with self._verifier() as verifier:
            verifying.select_pacts(verifier, options)
            verifying.publish(verifier, options)
            self._run(verifier)

    @contextmanager
    def _verifier(self) -> Iterator[modern.Verifier]:
        served = Callbacks(states=self._prepare, messages=self._produce)
        self._failures = served.failures
        with callbacks.serve_callbacks(served) as port:
            verifier = modern.Verifier(self.provider, host="127.0.0.1")
            verifier.add_transport(protocol="message", port=port, path=callbacks.MESSAGES_PATH)
            yield verifier.state_handler(f"http://127.0.0.1:{port}{callbacks.STATES_PATH}", body=True)

    def _run(self, verifier: modern.Verifier) -> None:
        if result := verifying.run(verifier):
            details = "\n".join([*self._failures, result.logs])
            raise AssertionError(f"{self.provider} does not honour its pact with {self.consumer}: {details}")

    def _prepare(self, state: str) -> None:
        self._states.append(state)

    def _produce(self, name: str) -> dict[str, Any]:
        """Produce the message for the current state.

        The functions of classic providers return only contents, so the expected metadata is added.
        """
        names, self._states = [*self._states, name], []
        produce = next((self.message_providers[key] for key in names if key in self.message_providers), None)
        if produce is None:
            available = ", ".join(map(repr, self.message_providers))
            raise LookupError(f"There is no message provider for {names[0]!r}, only for {available}.")
        message = produce()
        contents = message if isinstance(message, bytes | str) else json.dumps(message)
        return {"contents": contents, "metadata": self._expected.get(name, {})}


def _expected(documents: Iterable[Json]) -> dict[str, Json]:
    """Return the expected metadata of each message by its description."""
    metadata: dict[str, Json] = {}
    for document in documents:
        for message in document.get("messages") or document.get("interactions") or []:
            metadata.setdefault(message["description"], {}).update(
                message.get("metadata") or message.get("metaData") or {}
            )
    return metadata


def _selected_pacts(provider: str, options: Mapping[str, Any]) -> list[Json]:
    """Fetch the pacts that the broker will select for this verification."""
    credentials = {name: options.get(name) or os.environ.get(f"PACT_{name.upper()}") for name in _CREDENTIALS}
    url = options.get("broker_url") or os.environ.get("PACT_BROKER_BASE_URL")
    with BrokerClient(create_connection(url, credentials)) as broker:
        link = broker.link("pb:provider-pacts-for-verification", provider=provider)
        pacts = broker.post(link, _selection(options)).embedded("pacts")
        return [broker.get(pact["_links"]["self"]["href"]).body for pact in pacts]


def _selection(options: Mapping[str, Any]) -> Json:
    selectors = [
        json.loads(selector) if isinstance(selector, str) else selector
        for selector in options.get("consumer_version_selectors") or []
    ]
    selection = {
        "consumerVersionSelectors": selectors
        + [{"tag": tag, "latest": True} for tag in options.get("consumer_tags") or []],
        "includePendingStatus": bool(options.get("enable_pending")),
        "includeWipPactsSince": options.get("include_wip_pacts_since"),
        "providerVersionBranch": verifying.branch(options),
        "providerVersionTags": verifying.tags(options),
    }
    return {name: value for name, value in selection.items() if value or name == "consumerVersionSelectors"}
