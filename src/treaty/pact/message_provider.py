"""`MessageProvider` of pact-python 1 and 2: a provider whose messages are verified."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pact as modern

from treaty.pact import selection
from treaty.pact import verifier as verifying
from treaty.pact.verification_options import VerificationOptions
from treaty.testing import callbacks, pact_files
from treaty.testing.callbacks import Callbacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treaty.client import Json

Produce = Callable[[], Any]


class MessageProvider:
    """A provider of messages. `message_providers` has a function for each state or description.

    The messages are served on a free port of 127.0.0.1, unless `proxy_host` and `proxy_port` name another address.
    """

    def __init__(
        self,
        message_providers: Mapping[str, Produce],
        provider: str,
        consumer: str,
        pact_dir: str | Path | None = None,
        version: str = "3.0.0",
        proxy_host: str = "127.0.0.1",
        proxy_port: int | str = 0,
    ) -> None:
        self.message_providers = message_providers
        self.provider = provider
        self.consumer = consumer
        self.pact_dir = pact_dir or str(Path.cwd())
        self.version = version
        self.proxy_host = proxy_host
        self.proxy_port = proxy_port
        self._states: list[str] = []
        self._expected: dict[str, Json] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close: messages are served only during verification."""

    def verify(self, **values: Any) -> None:
        """Verify against the file in `pact_dir`; raises AssertionError if a message is not as expected."""
        options = VerificationOptions.parse(values)
        path = Path(self.pact_dir) / pact_files.file_name(self.consumer, self.provider)
        if not path.exists():
            raise FileNotFoundError(f"Missing pact files [{path}]")
        self._expected = _expected([pact_files.read_file(path).content])
        with self._verifier(options) as verifier:
            verifier.add_source(path)

    def verify_with_broker(
        self, enable_pending: bool = False, include_wip_pacts_since: str | None = None, **values: Any
    ) -> None:
        """Verify the pacts that a broker selects, with the options of `Verifier.verify_with_broker`."""
        options = VerificationOptions.parse(
            {**values, "enable_pending": enable_pending, "include_wip_pacts_since": include_wip_pacts_since}
        )
        self._expected = _expected(selection.fetch_pacts(self.provider, options))
        with self._verifier(options) as verifier:
            verifying.select_pacts(verifier, options)
            verifying.publish(verifier, options)

    @contextmanager
    def _verifier(self, options: VerificationOptions) -> Iterator[modern.Verifier]:
        """Yield a verifier of the messages, and run it at the end of the block."""
        served = Callbacks(states=self._prepare, messages=self._produce)
        with callbacks.serve_callbacks(served, self.proxy_host, int(self.proxy_port)) as port:
            url = f"http://{self.proxy_host}:{port}"
            verifier = modern.Verifier(self.provider, host=self.proxy_host)
            verifier.add_transport(protocol="message", port=port, path=callbacks.MESSAGES_PATH)
            verifier.state_handler(f"{url}{callbacks.STATES_PATH}", body=True)
            yield verifier
            if result := verifying.run(verifier, options, served.failures):
                raise AssertionError(f"{self.provider} does not honour its pact with {self.consumer}: {result.logs}")

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
