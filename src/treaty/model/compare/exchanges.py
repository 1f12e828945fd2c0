"""One interaction beside the operation that it belongs to, and the findings about it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from treaty.model.compare import messages
from treaty.model.compare.findings import ABSENT, DeprecatedUse, DocumentPlace, Finding, Severity
from treaty.model.compare.interactions import HttpInteraction
from treaty.model.compare.openapi import Operation
from treaty.model.compare.profiles import Switches
from treaty.model.compare.validation import UNFINISHED, CompiledSchema, Violation


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """An interaction and its operation. `query` is the text after the question mark of the request."""

    operation: Operation
    interaction: HttpInteraction
    path_parameters: Mapping[str, str]
    query: str
    used: list[DeprecatedUse] = field(default_factory=list)

    @property
    def switches(self) -> Switches:
        return self.operation.document.switches

    @cached_property
    def declared_response(self) -> tuple[str, Mapping[str, Any]] | None:
        """The response that the document has for the interaction's status, with its key; None if it has none."""
        return self.operation.find_response(self.interaction.status)

    @property
    def response_key(self) -> str:
        """The key of the response that the document has for the status, such as `200` or `default`."""
        return self.declared_response[0] if self.declared_response else ""

    @property
    def follows_declarations(self) -> bool:
        """Whether the profile reads parameters by their declared types, where the reference engine guesses."""
        return self.switches.follows_declarations

    def error(self, code: str, message: str, pact: tuple[str, Any], document: tuple[str, Any]) -> Finding:
        return self._finding(Severity.ERROR, code, message, pact, self.operation.place(*document))

    def warning(self, code: str, message: str, pact: tuple[str, Any], document: tuple[str, Any]) -> Finding:
        return self._finding(Severity.WARNING, code, message, pact, self.operation.place(*document))

    def error_at(self, code: str, message: str, pact: tuple[str, Any], document: DocumentPlace) -> Finding:
        return self._finding(Severity.ERROR, code, message, pact, document)

    def violations(
        self, code: str, subject: str, violations: Iterable[Violation], *, pact: str, document: str
    ) -> Iterator[Finding]:
        """Turn violations into findings. `pact` and `document` are the locations of the value and of its schema."""
        side = code.partition(".")[0]
        for violation in violations:
            closest = violation.closest
            if violation.keyword == UNFINISHED:
                yield self._unfinished(code, subject, violation, pact=pact, document=document)
                continue
            yield Finding(
                code=code,
                type=Severity.ERROR,
                message=f"{messages.describe(violation, subject)} {messages.explain(side)}",
                pact=self.interaction.place(pact + violation.instance_suffix, violation.value),
                document=self.operation.place(f"{document}{violation.schema_suffix}", violation.expected),
                closest_branch=self.operation.location + document + "".join(f".{step}" for step in closest)
                if closest
                else None,
            )

    def violations_of_items(
        self, code: str, subject: str, schema: CompiledSchema, items: Iterable[Any], *, pact: str, document: str
    ) -> Iterator[Finding]:
        """Check each value of a sequence, such as lines of JSON, and turn the violations into findings."""
        for index, item in enumerate(items):
            violations = schema.check(item)
            yield from self.violations(code, subject, violations, pact=f"{pact}.{index}", document=document)

    def _unfinished(self, code: str, subject: str, violation: Violation, *, pact: str, document: str) -> Finding:
        return self.warning(
            code.replace(".incompatible", ".unvalidatable"),
            _describe_unfinished(violation, subject),
            (pact + violation.instance_suffix, violation.value),
            (document + violation.schema_suffix, violation.expected),
        )

    def note_use(self, kind: str, name: str, pact: str, document: str) -> None:
        self.used.append(
            DeprecatedUse(
                kind=kind,
                name=name,
                pact_location=self.interaction.location + pact,
                document_location=self.operation.location + document,
                interaction_index=self.interaction.index,
            )
        )

    def _finding(
        self, severity: Severity, code: str, message: str, pact: tuple[str, Any], document: DocumentPlace
    ) -> Finding:
        return Finding(code=code, type=severity, message=message, pact=self.interaction.place(*pact), document=document)


def _describe_unfinished(violation: Violation, subject: str) -> str:
    if violation.location:
        pattern = messages.show(violation.expected)
        return f"The pattern {pattern} takes too long to check {subject}, so it was not compared. Simplify the pattern."
    return f"It is not known whether {subject} fits: it, or its schema, is nested too deeply or is not valid Unicode."


def is_given(value: Any) -> bool:
    """Whether a body counts as given: the reference engine treats empty text, zero, false and null as no body."""
    return value is not ABSENT and value is not None and value not in (False, 0, "")
