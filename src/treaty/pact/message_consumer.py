"""`MessageConsumer` of pact-python 1 and 2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from treaty.pact.broker import ConsumerVersion
from treaty.pact.message_pact import MessagePact
from treaty.pact.provider import Provider, check_provider


class MessageConsumer(ConsumerVersion):
    """A consumer of messages; its arguments are those of `Consumer`."""

    def __init__(
        self,
        name: str,
        service_cls: type[MessagePact] = MessagePact,
        tags: Sequence[str] | None = None,
        tag_with_git_branch: bool = False,
        version: str = "0.0.0",
        branch: str | None = None,
        build_url: str | None = None,
        auto_detect_version_properties: bool | None = None,
    ) -> None:
        super().__init__(
            name, service_cls, tags, tag_with_git_branch, version, branch, build_url, auto_detect_version_properties
        )

    def has_pact_with(
        self,
        provider: Provider,
        publish_to_broker: bool | None = None,
        broker_base_url: str | None = None,
        broker_username: str | None = None,
        broker_password: str | None = None,
        broker_token: str | None = None,
        pact_dir: str | Path | None = None,
        version: str = "3.0.0",
        file_write_mode: str = "overwrite",
    ) -> MessagePact:
        """Create a pact. With `publish_to_broker`, it is published at the end of each block.

        `version` is that of the specification. `file_write_mode` is `overwrite`, or `merge` to keep the messages of
        earlier runs. Raises ValueError if `provider` is not a Provider.
        """
        check_provider(provider)
        pact_class: type[MessagePact] = self.service_cls
        return pact_class(
            consumer=self,
            provider=provider,
            publish_to_broker=publish_to_broker,
            broker_base_url=broker_base_url,
            broker_username=broker_username,
            broker_password=broker_password,
            broker_token=broker_token,
            pact_dir=pact_dir,
            version=version,
            file_write_mode=file_write_mode,
        )
