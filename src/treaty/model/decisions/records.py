"""Recorded decisions: a question, its answer and the facts behind it, as they were when a pipeline asked.

A record is history. It contains names, numbers and hashes instead of references, so that it stays readable whatever is
renamed or removed later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from treaty.model.decisions.decision import Decision
from treaty.model.decisions.matrix import Matrix, VersionKey
from treaty.model.decisions.version_sets import SetVerdict

DEFAULT_VALIDITY: Final = timedelta(hours=24)
"""Time for which a recorded yes covers a deployment, if the server's setting does not say otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionDraft:
    """A decision to record."""

    environment: str
    environment_uuid: str
    versions: Sequence[VersionKey]
    """The versions in question, by their numbers even if the question named aliases."""
    deployable: bool | None
    causes: Sequence[str]
    """The cause of each obstacle; empty for a yes."""
    who: str | None
    """The user who asked; None for anonymous callers."""
    token: str | None
    """The name of the token with which the user was authenticated."""
    client: str | None
    """The user agent of the client."""
    document: str
    """The question, the answer and its facts, as JSON. Its links begin with `STORED_BASE_URL`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedDecision(DecisionDraft):
    """A recorded decision."""

    uuid: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionFilter:
    """The properties of the decisions to list. None stands for any value."""

    environment: str | None = None
    """The name or the UUID of an environment; the name as it was recorded."""
    pacticipant: str | None = None
    version: str | None = None
    answers: frozenset[bool | None] | None = None
    since: datetime | None = None
    until: datetime | None = None
    """The end of the period, exclusive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided(Decision):
    """An answer, with its record if there is one."""

    answer: Matrix | SetVerdict
    record: RecordedDecision | None = None
    obstacle: str | None = None
    """Why a decision that the environment asks to record was not recorded: a sentence for the client."""

    def is_deployable(self) -> bool | None:
        return self.answer.is_deployable()


STORED_BASE_URL: Final = "\0base"
"""Stands for the base URL in stored documents. Texts of clients cannot contain the character."""
