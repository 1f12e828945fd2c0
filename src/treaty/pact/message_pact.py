"""`MessagePact` of pact-python 1 and 2: messages that a consumer takes from a queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from treaty.pact.broker import ConsumerVersion, WrittenPact
from treaty.pact.matchers import as_text, to_library_format
from treaty.testing import pact_handles
from treaty.testing.pact_handles import PactDescription

if TYPE_CHECKING:
    import pact as modern

    from treaty.pact.provider import Provider

_FIRST_VERSION: Final = 3
"""The first version of the Pact specification with messages."""


class MessagePact(WrittenPact):
    """A pact about messages. It is written when a `with` block ends without an error."""

    MANDATORY_FIELDS: ClassVar = {"providerStates", "description", "contents", "metaData"}

    def __init__(
        self,
        consumer: ConsumerVersion,
        provider: Provider,
        publish_to_broker: bool | None = None,
        broker_base_url: str | None = None,
        broker_username: str | None = None,
        broker_password: str | None = None,
        broker_token: str | None = None,
        pact_dir: str | Path | None = None,
        version: str = "3.0.0",
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
        if int(version[0]) < _FIRST_VERSION:
            raise ValueError(f"Version {version} of the Pact specification has no messages: pass version='3.0.0'.")
        self.version = version
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
            self.write_to_pact_file()
            if self.publish_to_broker:
                self.publish()
        self._messages = []

    def write_to_pact_file(self) -> int:
        """Write the pact. Returns 0; raises ValueError for a state without a message."""
        messages = list(self._messages)

        def describe(pact: modern.Pact) -> None:
            for message in messages:
                _add_message(pact, message)

        description = PactDescription(
            consumer=self.consumer.name,
            provider=self.provider.name,
            specification=f"V{self.version[0]}",
            describe=describe,
        )
        self._write(pact_handles.render(description))
        return 0

    write_to_pact = write_to_pact_file
    """An earlier name."""


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
