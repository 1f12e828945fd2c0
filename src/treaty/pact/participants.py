"""Consumers and providers of the classic API, and what pacts about requests and about messages have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from treaty.client import BrokerClient, BrokerConnection
from treaty.errors import ClientError
from treaty.testing import pact_files, publishing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pact as modern


class Provider:
    def __init__(self, name: str) -> None:
        self.name = name


class ConsumerVersion:
    """The name of a consumer, and its version, tags and branch for publishing."""

    def __init__(
        self,
        name: str,
        tags: Sequence[str] | None = None,
        version: str = "0.0.0",
        branch: str | None = None,
        build_url: str | None = None,
    ) -> None:
        self.name = name
        self.tags = list(tags or ())
        self.version = version
        self.branch = branch
        self.build_url = build_url


class WrittenPact:
    """A pact that is written to a file and may be published."""

    def __init__(self, consumer: ConsumerVersion, provider: Provider, options: Mapping[str, Any]) -> None:
        self.consumer = consumer
        self.provider = provider
        self._options = options
        self.pact_dir = Path(options.get("pact_dir") or Path.cwd())
        self.file_write_mode: Literal["overwrite", "merge", "never"] = options.get("file_write_mode", "overwrite")

    @property
    def _is_published_automatically(self) -> bool:
        return bool(self._options.get("publish_to_broker"))

    def _write(self, pact: modern.Pact) -> None:
        """Add the interactions of a pact to those that this run has written for the pair."""
        if self.file_write_mode != "never":
            content = pact_files.read_content(pact)
            pact_files.add(self.pact_dir, content, keeps_existing=self.file_write_mode == "merge")

    def publish_to_broker(
        self,
        broker_base_url: str | None = None,
        consumer_version: str | None = None,
        tags: Sequence[str] | None = None,
        branch: str | None = None,
        build_url: str | None = None,
        **credentials: str | None,
    ) -> None:
        """Publish the written pact. The consumer and the options of the pact supply missing arguments.

        Credentials are `broker_username` and `broker_password`, or `broker_token`. Raises ClientError, and RuntimeError
        if the broker did not accept the pact.
        """
        consumer = self.consumer
        build = publishing.detect_build(
            consumer_version or consumer.version,
            branch=branch or consumer.branch,
            tags=list(tags or consumer.tags),
            build_url=build_url or consumer.build_url,
        )
        options = {**self._options, **{name: value for name, value in credentials.items() if value}}
        path = self.pact_dir / pact_files.file_name(consumer.name, self.provider.name)
        with BrokerClient(create_connection(broker_base_url, options)) as broker:
            report = publishing.publish(broker, build, [pact_files.read_file(path)])
        if not report.is_complete:
            raise RuntimeError(f"There was an error while publishing to the pact broker: {report.text}")


def check_provider(provider: object) -> None:
    """Raise TypeError for a provider's name in place of a Provider, a frequent mistake."""
    if not isinstance(provider, Provider):
        raise TypeError("provider must be an instance of Provider.")


def create_connection(base_url: str | None, options: Mapping[str, Any]) -> BrokerConnection:
    """Create a connection from options of the classic API. Raises ClientError if the URL is missing."""
    url = base_url or options.get("broker_base_url")
    if not url:
        raise ClientError("The broker's address is missing: give broker_base_url.")
    return BrokerConnection(
        base_url=url,
        username=options.get("broker_username"),
        password=options.get("broker_password"),
        token=options.get("broker_token"),
    )
