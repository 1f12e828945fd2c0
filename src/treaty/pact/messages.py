"""Messages: what a consumer takes from a queue, and what a provider puts there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pact as modern

from treaty.client import BrokerClient
from treaty.pact import consumer as classic
from treaty.pact import verifier as verifying
from treaty.pact.consumer import Provider
from treaty.pact.matchers import as_text, to_library_format
from treaty.testing import callbacks
from treaty.testing import pact_files as pacts
from treaty.testing.callbacks import Callbacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treaty.client import Json

Produce = Callable[[], Any]
_CREDENTIALS: Final = ("broker_username", "broker_password", "broker_token")


class MessageConsumer:
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
        self.name = name
        self.service_cls = service_cls or MessagePact
        self.tags = list(tags or ())
        self.version = version
        self.branch = branch
        self.build_url = build_url

    def has_pact_with(self, provider: Provider, **options: Any) -> MessagePact:
        """Make a pact.

        Options are `pact_dir`, `file_write_mode` (`overwrite`, or `merge` to keep what earlier runs wrote), and for
        publishing at the end of each block `publish_to_broker`, `broker_base_url`, `broker_username`,
        `broker_password` and `broker_token`.
        """
        if not isinstance(provider, Provider):
            raise TypeError("provider must be an instance of Provider.")
        return self.service_cls(self, provider, **options)


class MessagePact:
    """A pact about messages. What is agreed upon is written when a `with` block ends without an error."""

    def __init__(self, consumer: MessageConsumer, provider: Provider, **options: Any) -> None:
        self.consumer = consumer
        self.provider = provider
        self.pact_dir = Path(options.get("pact_dir") or Path.cwd())
        self.file_write_mode = options.get("file_write_mode", "overwrite")
        self._options = options
        self._messages: list[dict[str, Any]] = []

    def given(self, name: str, params: Mapping[str, Any] | None = None) -> Self:
        """Name a state of the provider; without a description in between, one more of the same message."""
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
            raise ValueError("Say first which message it is, with expects_to_receive.")
        return self._messages[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.write_to_pact()
            if self._options.get("publish_to_broker"):
                self.publish()
        self._messages = []

    def write_to_pact(self) -> None:
        """Write what is agreed upon."""
        pact = modern.Pact(self.consumer.name, self.provider.name).with_specification("V3")
        for message in self._messages:
            _fill(pact, message)
        pacts.add(self.pact_dir, pacts.read_content(pact), keeps_existing=self.file_write_mode == "merge")

    def publish(self) -> None:
        """Publish what was written, as the consumer and the pact were made."""
        path = self.pact_dir / pacts.file_name(self.consumer.name, self.provider.name)
        given: dict[str, Any] = dict.fromkeys(("version", "tags", "branch", "build_url"))
        classic.publish(self.consumer, path, classic.create_connection(None, self._options), given)


def _fill(pact: modern.Pact, message: Mapping[str, Any]) -> None:
    if "description" not in message:
        raise ValueError("A state was given, but no message: say which with expects_to_receive.")
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
    """A provider whose messages are verified. `message_providers` makes one for each state, or description."""

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
        """End nothing: the messages are served while they are verified."""

    def verify(self, **_: Any) -> None:
        """Verify against the file in `pact_dir`; raises AssertionError if a message is not as expected."""
        path = self.pact_dir / pacts.file_name(self.consumer, self.provider)
        if not path.exists():
            raise FileNotFoundError(f"Missing pact files [{path}]")
        self._expected = _expected([pacts.read_file(path).content])
        with self._verifier() as verifier:
            verifier.add_source(path)
            self._run(verifier)

    def verify_with_broker(self, **options: Any) -> None:
        """Verify the pacts that a broker selects; options are those of `Verifier.verify_with_broker`."""
        self._expected = _expected(_chosen(self.provider, options))
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
            told = "\n".join([*self._failures, result.logs])
            raise AssertionError(f"{self.provider} does not honour its pact with {self.consumer}: {told}")

    def _prepare(self, state: str) -> None:
        self._states.append(state)

    def _produce(self, name: str) -> dict[str, Any]:
        """Make the message of the state, with the metadata that is expected: classic providers give contents only."""
        names, self._states = [*self._states, name], []
        found = next((self.message_providers[each] for each in names if each in self.message_providers), None)
        if found is None:
            known = ", ".join(map(repr, self.message_providers))
            raise LookupError(f"There is no message provider for {names[0]!r}, only for {known}.")
        made = found()
        contents = made if isinstance(made, bytes | str) else json.dumps(made)
        return {"contents": contents, "metadata": self._expected.get(name, {})}


def _expected(documents: Iterable[Json]) -> dict[str, Json]:
    """Find the metadata of each message, by its description."""
    found: dict[str, Json] = {}
    for document in documents:
        for message in document.get("messages") or document.get("interactions") or []:
            found.setdefault(message["description"], {}).update(
                message.get("metadata") or message.get("metaData") or {}
            )
    return found


def _chosen(provider: str, options: Mapping[str, Any]) -> list[Json]:
    """Read the pacts that a broker is about to choose."""
    named = {name: options.get(name) or os.environ.get(f"PACT_{name.upper()}") for name in _CREDENTIALS}
    url = options.get("broker_url") or os.environ.get("PACT_BROKER_BASE_URL")
    with BrokerClient(classic.create_connection(url, named)) as broker:
        choosing = broker.link("pb:provider-pacts-for-verification", provider=provider)
        chosen = broker.post(choosing, _selection(options)).embedded("pacts")
        return [broker.get(pact["_links"]["self"]["href"]).body for pact in chosen]


def _selection(options: Mapping[str, Any]) -> Json:
    given = [
        json.loads(each) if isinstance(each, str) else each for each in options.get("consumer_version_selectors") or []
    ]
    selection = {
        "consumerVersionSelectors": given
        + [{"tag": tag, "latest": True} for tag in options.get("consumer_tags") or []],
        "includePendingStatus": bool(options.get("enable_pending")),
        "includeWipPactsSince": options.get("include_wip_pacts_since"),
        "providerVersionBranch": verifying.branch(options),
        "providerVersionTags": verifying.tags(options),
    }
    return {name: value for name, value in selection.items() if value or name == "consumerVersionSelectors"}
