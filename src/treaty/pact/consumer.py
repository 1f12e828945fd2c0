"""`Consumer` of pact-python 1 and 2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from treaty.pact.broker import ConsumerVersion
from treaty.pact.pact import Pact
from treaty.pact.provider import Provider, check_provider


class Consumer(ConsumerVersion):
    """A consumer, and for publishing its version, tags, branch and build URL.

    `tag_with_git_branch` adds the branch to the tags. The branch and the build URL are detected if possible, unless
    `auto_detect_version_properties` is False.
    """

    def __init__(
        self,
        name: str,
        service_cls: type[Pact] = Pact,
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
    ) -> Pact:
        """Create a pact. With `publish_to_broker`, it is published when the service stops.

        `file_write_mode` is `overwrite`, or `merge` to keep the interactions of earlier runs. Raises ValueError if
        `provider` is not a Provider.
        """
        check_provider(provider)
        pact_class: type[Pact] = self.service_cls
        return pact_class(
            consumer=self,
            provider=provider,
            host_name=host_name,
            port=port,
            log_dir=log_dir,
            ssl=ssl,
            sslcert=sslcert,
            sslkey=sslkey,
            cors=cors,
            publish_to_broker=publish_to_broker,
            broker_base_url=broker_base_url,
            broker_username=broker_username,
            broker_password=broker_password,
            broker_token=broker_token,
            pact_dir=pact_dir,
            specification_version=specification_version,
            file_write_mode=file_write_mode,
        )
