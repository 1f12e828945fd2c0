"""`Broker` of pact-python 1 and 2, and pacts that are written to a file and published."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

from treaty.cli import build_detection
from treaty.cli.builds import Build
from treaty.client import BrokerClient, BrokerConnection
from treaty.errors import ClientError
from treaty.testing import pact_files, publishing

if TYPE_CHECKING:
    from treaty.cli.pactfiles import PactFile
    from treaty.client import Json
    from treaty.pact.provider import Provider

_VARIABLES: Final = {
    "broker_base_url": "PACT_BROKER_BASE_URL",
    "broker_username": "PACT_BROKER_USERNAME",
    "broker_password": "PACT_BROKER_PASSWORD",
    "broker_token": "PACT_BROKER_TOKEN",
}
_CREDENTIALS: Final = ("username", "password", "token")
_FAILED: Final = "There was an error while publishing to the pact broker"


class BrokerError(ClientError, RuntimeError):
    """A pact could not be published. pact-python raises RuntimeError."""


def connect(options: Mapping[str, Any]) -> BrokerConnection:
    """Create a connection from `broker_base_url` and credentials, or else from pact-python's environment variables.

    Credentials that are arguments take precedence over those in the URL, and those over the variables; a token takes
    precedence over a user. Raises BrokerError if the URL is missing.
    """
    base_url = options.get("broker_base_url") or os.environ.get(_VARIABLES["broker_base_url"])
    if not base_url:
        raise BrokerError("The broker's address is missing: give broker_base_url, or set PACT_BROKER_BASE_URL.")
    url, credentials_in_url = _split_credentials(base_url)
    arguments = {name: options.get(f"broker_{name}") for name in _CREDENTIALS}
    variables = {name: os.environ.get(_VARIABLES[f"broker_{name}"]) for name in _CREDENTIALS}
    sources = (arguments, credentials_in_url, variables)
    credentials = next((source for source in sources if source.get("token") or source.get("username")), {})
    if credentials.get("token"):
        return BrokerConnection(base_url=url, token=credentials["token"])
    # The password may come from another source: pact-python recommends a variable for it.
    passwords = [credentials.get("password"), *(source.get("password") for source in sources)]
    return BrokerConnection(
        base_url=url, username=credentials.get("username"), password=next(filter(None, passwords), None)
    )


def _split_credentials(url: str) -> tuple[str, dict[str, str | None]]:
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    username, _, password = userinfo.partition(":")
    return urlunsplit(parts._replace(netloc=host)), {"username": unquote(username), "password": unquote(password)}


class Broker:
    """A broker that pacts are published to. Its URL and credentials may be in environment variables."""

    def __init__(
        self,
        broker_base_url: str | None = None,
        broker_username: str | None = None,
        broker_password: str | None = None,
        broker_token: str | None = None,
    ) -> None:
        self.broker_base_url = broker_base_url
        self.broker_username = broker_username
        self.broker_password = broker_password
        self.broker_token = broker_token

    def publish(
        self,
        consumer_name: str,
        version: str,
        pact_dir: str | Path | None = None,
        tag_with_git_branch: bool | None = None,
        consumer_tags: Sequence[str] | None = None,
        branch: str | None = None,
        build_url: str | None = None,
        auto_detect_version_properties: bool | None = None,
    ) -> None:
        """Publish the pact files of a consumer in a folder (default: the working directory).

        A missing branch or build URL is detected from the CI system or git if possible, unless
        `auto_detect_version_properties` is False; if it is True, a branch that cannot be detected is an error. Raises
        BrokerError if there are no pacts, or if the broker did not accept them.
        """
        build = Build(version=version, branch=branch, tags=list(consumer_tags or ()), build_url=build_url)
        detection = BranchDetection(bool(tag_with_git_branch), auto_detect_version_properties)
        self.publish_files(build, detection, lambda: _find_pacts(consumer_name, Path(pact_dir or Path.cwd())))

    def publish_files(self, build: Build, detection: BranchDetection, read: Callable[[], list[PactFile]]) -> None:
        """Publish the files that `read` returns. Raises BrokerError."""
        try:
            with BrokerClient(connect(vars(self))) as broker:
                report = publishing.publish(broker, detection.complete(build), read())
        except ClientError as error:
            raise BrokerError(f"{_FAILED}: {error}", hint=error.hint) from error
        if not report.is_complete:
            raise BrokerError(f"{_FAILED}: {report.text}")


@dataclass(frozen=True, slots=True)
class BranchDetection:
    """Whether the branch becomes a tag, and whether it must be detected (None: if possible)."""

    tags_with_branch: bool
    is_required: bool | None

    def complete(self, build: Build) -> Build:
        """Add what can be detected. Raises ClientError if a branch is required and there is none."""
        if self.is_required is not False:
            build = publishing.detect_build(
                build.version, branch=build.branch, tags=build.tags, build_url=build.build_url
            )
        if self.is_required and not build.branch:
            build_detection.branch()  # raises an error that gives the reason
        tags = [*build.tags, build_detection.branch()] if self.tags_with_branch else build.tags
        return replace(build, tags=tags)


def _find_pacts(consumer: str, folder: Path) -> list[PactFile]:
    # The names of files begin with that of the consumer, but so do those of `Shop Admin` for the consumer `Shop`.
    prefix = pact_files.safe_name(consumer)
    paths = [path for path in sorted(folder.glob("*.json")) if path.name.startswith(prefix)]
    files = [file for file in map(pact_files.read_file, paths) if file.consumer == consumer]
    if not files:
        raise BrokerError(f"There are no pacts of {consumer} to publish in {folder}.")
    return files


class ConsumerVersion:
    """The name of a consumer, and its version, tags and branch for publishing."""

    def __init__(
        self,
        name: str,
        service_cls: type[Any],
        tags: Sequence[str] | None = None,
        tag_with_git_branch: bool = False,
        version: str = "0.0.0",
        branch: str | None = None,
        build_url: str | None = None,
        auto_detect_version_properties: bool | None = None,
    ) -> None:
        self.name = name
        self.service_cls = service_cls
        self.tags = tags
        self.tag_with_git_branch = tag_with_git_branch
        self.version = version
        self.branch = branch
        self.build_url = build_url
        self.auto_detect_version_properties = auto_detect_version_properties


class NotPublishedAutomatically:
    """The value of `publish_to_broker` until it is set: false, and a function that publishes the pact."""

    def __init__(self, pact: WrittenPact) -> None:
        self._pact = pact

    def __bool__(self) -> Literal[False]:
        return False

    def __eq__(self, other: object) -> bool:
        return other is False or isinstance(other, NotPublishedAutomatically)

    __hash__ = None  # type: ignore[assignment]  # it is equal to False, but has no hash of its own

    def __repr__(self) -> str:
        return "False"

    def __call__(
        self,
        broker_base_url: str | None = None,
        consumer_version: str | None = None,
        tags: Sequence[str] | None = None,
        branch: str | None = None,
        build_url: str | None = None,
        **credentials: str | None,
    ) -> None:
        """Publish the written pact. The consumer and the options of the pact supply missing arguments."""
        if unknown := sorted(set(credentials) - set(_VARIABLES)):
            raise TypeError(f"publish_to_broker() has no argument named {', '.join(unknown)}.")
        values = {"broker_base_url": broker_base_url, **credentials}
        broker = Broker(**{name: values.get(name) or getattr(self._pact, name) for name in _VARIABLES})
        self._pact.publish_by(broker, consumer_version, tags, branch, build_url)


class WrittenPact(Broker):
    """A pact that is written to a file and may be published."""

    def __init__(
        self,
        consumer: ConsumerVersion,
        provider: Provider,
        *,
        publish_to_broker: bool | None,
        pact_dir: str | Path | None,
        file_write_mode: str,
        **broker: str | None,
    ) -> None:
        super().__init__(**broker)
        self.consumer = consumer
        self.provider = provider
        self.pact_dir = pact_dir or str(Path.cwd())
        if file_write_mode not in {"overwrite", "merge", "never"}:
            raise ValueError(f"file_write_mode is 'overwrite' or 'merge', not {file_write_mode!r}.")
        self.file_write_mode = file_write_mode
        self._publish_to_broker = publish_to_broker

    @property
    def publish_to_broker(self) -> Any:
        """Whether the pact is published automatically. Until it is set, it is false and publishes the pact if called.

        Its parameters are then `broker_base_url`, `consumer_version`, `tags`, `branch`, `build_url` and credentials.
        """
        return NotPublishedAutomatically(self) if self._publish_to_broker is None else self._publish_to_broker

    @publish_to_broker.setter
    def publish_to_broker(self, value: bool) -> None:
        self._publish_to_broker = bool(value)

    def publish(
        self,
        consumer_name: str | None = None,
        version: str | None = None,
        pact_dir: str | Path | None = None,
        tag_with_git_branch: bool | None = None,
        consumer_tags: Sequence[str] | None = None,
        branch: str | None = None,
        build_url: str | None = None,
        auto_detect_version_properties: bool | None = None,
    ) -> None:
        """Publish the written pact, with the consumer's version and tags unless given.

        With `consumer_name` or `pact_dir`, publish all pacts of that consumer in that folder, as `Broker.publish` does.

        Raises BrokerError as `Broker.publish` does.
        """
        if consumer_name or pact_dir:
            super().publish(
                consumer_name or self.consumer.name,
                version or self.consumer.version,
                pact_dir or self.pact_dir,
                tag_with_git_branch,
                consumer_tags,
                branch,
                build_url,
                auto_detect_version_properties,
            )
        else:
            detection = BranchDetection(
                _first_set(tag_with_git_branch, self.consumer.tag_with_git_branch) or False,
                _first_set(auto_detect_version_properties, self.consumer.auto_detect_version_properties),
            )
            self.publish_by(self, version, consumer_tags, branch, build_url, detection)

    def publish_by(
        self,
        broker: Broker,
        version: str | None,
        tags: Sequence[str] | None,
        branch: str | None,
        build_url: str | None,
        detection: BranchDetection | None = None,
    ) -> None:
        """Publish the written pact to a broker. The consumer supplies missing arguments."""
        consumer = self.consumer
        build = Build(
            version=version or consumer.version,
            branch=branch or consumer.branch,
            tags=list(tags or consumer.tags or ()),
            build_url=build_url or consumer.build_url,
        )
        default = BranchDetection(consumer.tag_with_git_branch, consumer.auto_detect_version_properties)
        path = Path(self.pact_dir) / pact_files.file_name(consumer.name, self.provider.name)
        broker.publish_files(build, detection or default, lambda: [pact_files.read_file(path)])

    def _write(self, content: Json) -> None:
        """Add the interactions of a pact to those that this run has written for the pair."""
        if self.file_write_mode != "never":
            pact_files.add(Path(self.pact_dir), content, keeps_existing=self.file_write_mode == "merge")


def _first_set(*values: bool | None) -> bool | None:
    return next((value for value in values if value is not None), None)
