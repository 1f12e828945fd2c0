"""Results of a comparison: findings, notes, and the deprecated parts that a pact uses."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Final


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Absent(Enum):
    """Type of `ABSENT`, since `null` is a value that a pact or a document may have."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

NO_STATE: Final = "[none]"
"""Text that stands for the provider state of an interaction without a state."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PactPlace:
    """The part of a pact that a finding is about. `location` is dotted, from `[root]`."""

    location: str
    value: Any = ABSENT
    description: str | None = None
    state: str = NO_STATE
    index: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "interactionDescription": self.description,
            "interactionState": self.state,
            "location": self.location,
            "mockFile": "pact",
            **_value(self.value),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentPlace:
    """The part of a provider's document that a finding is about. `path` and `method` are those of an HTTP operation."""

    location: str
    value: Any = ABSENT
    path: str | None = None
    method: str | None = None
    specification: str = "oas"
    name: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "location": self.location,
            "pathMethod": self.method,
            "pathName": self.path,
            "specFile": self.specification,
            **({"documentName": self.name} if self.name else {}),
            **_value(self.value),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A difference between a pact and a document, or a message that fits.

    `code` is the reference engine's. `closest_branch` is the location, in the document, of the branch of a `oneOf` or
    `anyOf` that the value comes closest to.
    """

    code: str
    type: Severity
    message: str
    pact: PactPlace | None
    document: DocumentPlace | None
    causes: "tuple[Finding, ...]" = ()
    closest_branch: str | None = None

    @property
    def interaction_index(self) -> int | None:
        return self.pact.index if self.pact else None

    def as_json(self) -> dict[str, Any]:
        """Represent the finding as the reference's clients read it; additions have keys of their own."""
        document: dict[str, Any] = {"code": self.code, "type": self.type.value, "message": self.message}
        document["source"] = "spec-mock-validation"
        if self.pact:
            document["mockDetails"] = self.pact.as_json()
            document["interactionIndex"] = self.pact.index
        if self.document:
            document["specDetails"] = self.document.as_json()
        if self.closest_branch:
            document["closestBranch"] = self.closest_branch
        if self.causes:
            document["causes"] = [cause.as_json() for cause in self.causes]
        return document


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A remark about the comparison that changes no verdict, such as an unknown format or a broken reference."""

    code: str
    message: str
    location: str

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "location": self.location}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeprecatedUse:
    """A deprecated operation, parameter or property that an interaction uses."""

    kind: str
    name: str
    pact_location: str
    document_location: str
    interaction_index: int

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "mockLocation": self.pact_location,
            "specLocation": self.document_location,
            "interactionIndex": self.interaction_index,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Result of comparing one pact with the documents of a provider version.

    `compared` counts the interactions of which every part has been checked, of `interactions` in the pact: bodies of
    types that cannot be validated are the usual reason for a difference.
    """

    findings: tuple[Finding, ...]
    compared: int
    interactions: int
    notes: tuple[Note, ...] = ()
    used: tuple[DeprecatedUse, ...] = ()

    @property
    def is_compatible(self) -> bool:
        return all(finding.type is not Severity.ERROR for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        return {
            "success": self.is_compatible,
            "findings": [finding.as_json() for finding in self.findings],
            "compared": self.compared,
            "interactions": self.interactions,
            "notes": [note.as_json() for note in self.notes],
            "deprecated": [use.as_json() for use in self.used],
        }


def _value(value: Any) -> dict[str, Any]:
    return {} if value is ABSENT else {"value": value}
