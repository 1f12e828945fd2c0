"""Pacts: publications of a content by a consumer version, for a provider."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from treaty.model.pacts.content import Content
from treaty.model.pacts.documents import Document


class PactKey(NamedTuple):
    """Identifies a pact: its consumer, the consumer's version, and its provider."""

    consumer: str
    version: str
    provider: str


class Pact(NamedTuple):
    """A pact that was published. Publishing again for the same version adds a revision."""

    consumer: str
    version: str
    provider: str
    sha: str
    """Hash of the content (see `content.compute_sha`)."""
    revision: int
    consumer_version_id: int
    """Database id of the consumer version. Only the metadata of URLs contains it."""
    created_at: datetime

    @property
    def title(self) -> str:
        return f"Pact between {self.consumer} ({self.version}) and {self.provider}"


class PactDetails(NamedTuple):
    """A pact with its content as JSON, in the context of the URL that was requested."""

    pact: Pact
    body: bytes
    metadata: str | None = None
    """Encoded metadata for the URL to which verifiers publish results."""
    consumer_versions: tuple[str, ...] = ()
    """Numbers of all consumer versions in the URL's metadata, newest first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """A pact to publish."""

    consumer: str
    version: str
    provider: str
    document: Document
    content: Content
    allows_similar_names: bool = False
    """Whether new names may be similar to existing ones, although the settings forbid it."""
    is_merge: bool = False
    """Whether it is merged into the pact that the version already has, rather than replacing it."""

    @property
    def key(self) -> PactKey:
        return PactKey(consumer=self.consumer, version=self.version, provider=self.provider)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContractBatch:
    """Pacts of one consumer version to publish together, with the branch, tags and build URL of the version."""

    pacticipant: str
    version: str
    branch: str | None
    tags: tuple[str, ...]
    build_url: str | None
    contracts: tuple[Contract, ...]
    allows_similar_names: bool = False
    """Whether new names may be similar to existing ones, although the settings forbid it."""
