"""Pacticipants: the applications that have contracts with each other, and the rules for their names."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from treaty.model.deployments import DeployedVersion
from treaty.model.names import check_name, check_not_blank


@dataclass(frozen=True, kw_only=True, slots=True)
class Pacticipant:
    """An application that is a consumer, a provider, or both."""

    name: str
    display_name: str
    repository_url: str | None = None
    repository_name: str | None = None
    repository_namespace: str | None = None
    main_branch: str | None = None
    contacts: str | None = None
    """As `parse_contacts` reads them; None if the pacticipant never had contacts."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A label on a pacticipant. Labels group pacticipants in lists."""

    pacticipant: str
    name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PacticipantDetails:
    """A pacticipant with its latest version, labels, former names and deployed versions."""

    pacticipant: Pacticipant
    latest_version: str | None
    labels: tuple[str, ...]
    former_names: tuple[str, ...]
    """Names that lead to the pacticipant until another one takes them; the latest first."""
    deployed_versions: tuple[DeployedVersion, ...] | None
    """The currently deployed versions; None where the document omits them (as the original broker does on creation)."""


class ListedPacticipant(NamedTuple):
    """A pacticipant in a list. A tuple, because it is the key of the cache of rendered items: tuples hash quickly."""

    name: str
    display_name: str
    repository_url: str | None
    repository_name: str | None
    repository_namespace: str | None
    main_branch: str | None
    contacts: str | None
    created_at: datetime
    updated_at: datetime
    latest_version: str | None
    labels: tuple[str, ...]


def validate_name(name: str) -> str:
    """Return the name of a new pacticipant. Raises Invalid if it is blank or too long."""
    return check_name("name", check_not_blank("name", name))


def describe_missing(current_name: str | None = None) -> str:
    """Describe that a name is no pacticipant's, in the original broker's words.

    `current_name` is the present name of the pacticipant that had the name before, if there is one.
    """
    reason = "" if current_name is None else f": it was renamed to '{current_name}'"
    return f"does not match an existing pacticipant{reason}"


def derive_display_name(name: str) -> str:
    """Derive a readable name, by the original broker's rules.

    `foo-bar_baz` becomes `Foo Bar Baz`, and `HTTPServer` becomes `HTTP Server`.
    """
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", name)
    text = re.sub(r"([a-z\d])([A-Z])", r"\1 \2", text)
    text = re.sub(r"(\S)[-_. ](\S)", r"\1 \2", text)
    text = " ".join(text.split())
    return re.sub(r"(^|\s)(\w)", lambda match: match[1] + match[2].upper(), text)


def list_similar_names(new: str, existing: Iterable[str]) -> list[str]:
    """List the existing names that probably mean the same application: `FooProvider` is similar to `foo-api`.

    The original broker has this check for duplicate pacticipants, and its rules.
    """
    words = _significant_words(new)
    return sorted(name for name in existing if _significant_words(name) == words)


_IGNORED_WORDS = {"api", "provider", "service"}


# A publication that adds a pacticipant compares its name with all names of the broker.
@lru_cache(maxsize=16_384)
def _significant_words(name: str) -> tuple[str, ...]:
    text = re.sub(r"\s", "_", name).replace("::", "/")
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    text = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", text)
    words = [word.removesuffix("s") for word in text.replace("-", "_").lower().split("_")]
    return tuple(word for word in words if word not in _IGNORED_WORDS)


def is_main_branch(name: str, pacticipant: Pacticipant, candidates: Collection[str]) -> bool:
    """Return whether a branch becomes the main branch: the pacticipant has none, and the name is a candidate."""
    return pacticipant.main_branch is None and name in candidates
