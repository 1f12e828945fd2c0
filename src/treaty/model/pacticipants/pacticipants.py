"""Pacticipants: the applications that have contracts with each other."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from treaty.model.deployments import DeployedVersion
from treaty.model.names import check_length, check_not_blank


@dataclass(frozen=True, kw_only=True, slots=True)
class Pacticipant:
    """An application that consumes or provides."""

    name: str
    display_name: str
    repository_url: str | None = None
    repository_name: str | None = None
    repository_namespace: str | None = None
    main_branch: str | None = None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """A word by which pacticipants are grouped."""

    pacticipant: str
    name: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PacticipantDetails:
    """A pacticipant with all that hangs on it."""

    pacticipant: Pacticipant
    latest_version: str | None
    labels: tuple[str, ...]
    deployed_versions: tuple[DeployedVersion, ...] | None
    """Its versions that run somewhere; None where that is not told."""


class ListedPacticipant(NamedTuple):
    """A pacticipant as lists show it. It is a tuple, since lists are long, and are remembered by what is in them."""

    name: str
    display_name: str
    repository_url: str | None
    repository_name: str | None
    repository_namespace: str | None
    main_branch: str | None
    created_at: datetime
    updated_at: datetime
    latest_version: str | None
    labels: tuple[str, ...]


def validate_name(name: str) -> str:
    """Refuse the name of a new pacticipant if it is blank or too long. Raises Invalid."""
    return check_length("name", check_not_blank("name", name))


def derive_display_name(name: str) -> str:
    """Make a name readable: `foo-bar_baz` is `Foo Bar Baz`, `HTTPServer` is `HTTP Server`."""
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", name)
    text = re.sub(r"([a-z\d])([A-Z])", r"\1 \2", text)
    text = re.sub(r"(\S)[-_. ](\S)", r"\1 \2", text)
    text = " ".join(text.split())
    return re.sub(r"(^|\s)(\w)", lambda found: found[1] + found[2].upper(), text)


def list_similar_names(new: str, existing: Iterable[str]) -> list[str]:
    """Find the names so like a new one that it is probably a slip: `FooProvider` is like `foo-api`."""
    words = _words(new)
    return sorted(name for name in existing if _words(name) == words)


_FILLERS = {"api", "provider", "service"}


@lru_cache(maxsize=16_384)
def _words(name: str) -> tuple[str, ...]:
    text = re.sub(r"\s", "_", name).replace("::", "/")
    text = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", text)
    text = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", text)
    words = [word.removesuffix("s") for word in text.replace("-", "_").lower().split("_")]
    return tuple(word for word in words if word not in _FILLERS)


def is_main_branch(name: str, pacticipant: Pacticipant, candidates: Collection[str]) -> bool:
    """Say whether a branch becomes the main branch of a pacticipant that has none yet."""
    return pacticipant.main_branch is None and name in candidates
