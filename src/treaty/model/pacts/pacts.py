"""Pacts: content that a consumer's version published for a provider."""

from dataclasses import dataclass
from datetime import datetime

from treaty.model.pacts.content import Content, Document


@dataclass(frozen=True, kw_only=True, slots=True)
class PactKey:
    """Names a pact: its consumer, the consumer's version, and its provider."""

    consumer: str
    version: str
    provider: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Pact:
    """A publication of content, in its newest revision."""

    consumer: str
    version: str
    provider: str
    sha: str
    revision: int
    consumer_version_id: int
    """Stands for the consumer's version in the metadata of URLs, and only there."""
    created_at: datetime

    @property
    def title(self) -> str:
        return f"Pact between {self.consumer} ({self.version}) and {self.provider}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PactDetails:
    """A pact with its content as JSON, and how its URL was asked for."""

    pact: Pact
    body: bytes
    metadata: str | None = None
    """The segment of the URL by which results for it are published, encoded."""
    consumer_versions: tuple[str, ...] = ()
    """All versions that the metadata of the URL names, newest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """A pact that is to be published."""

    consumer: str
    version: str
    provider: str
    document: Document
    content: Content
    is_merge: bool = False
    """Whether it is to be put into what the version has already, rather than in its place."""

    @property
    def key(self) -> PactKey:
        return PactKey(consumer=self.consumer, version=self.version, provider=self.provider)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContractBatch:
    """Pacts of one consumer version that are to be published together, with what is to become of the version."""

    pacticipant: str
    version: str
    branch: str | None
    tags: tuple[str, ...]
    build_url: str | None
    contracts: tuple[Contract, ...]
