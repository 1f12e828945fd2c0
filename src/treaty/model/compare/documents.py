"""Documents that a provider publishes as its contract, already parsed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from treaty.errors import TreatyError

Specification = Literal["oas", "asyncapi"]


class UnusableDocument(TreatyError):
    """A document that is neither OpenAPI 2.0 or 3 nor AsyncAPI 3, or has no object where one is required."""


class UnusablePact(TreatyError):
    """A pact with an HTTP interaction that lacks a method, a path or a numeric status."""


@dataclass(frozen=True, slots=True)
class Document:
    """An OpenAPI or AsyncAPI document. `content` is its parsed JSON or YAML, with text as keys throughout."""

    name: str
    specification: Specification
    content: Mapping[str, Any]


class ComparisonInterrupted(Exception):
    """Raised when a comparison has no more time, so that there is no result."""
