"""Texts of findings: what the consumer expects, what the document says, and why it matters."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from treaty.model.compare.findings import ABSENT
from treaty.model.compare.validation import Violation

MAX_VALUE: Final = 120
"""Characters of a value within a message."""


def show(value: Any) -> str:
    """Return a value as JSON, truncated."""
    if value is ABSENT:
        return "nothing"
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        text = str(value)
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"


def list_names(names: Any) -> str:
    """Join names for a sentence: `a`, `a or b`, `a, b or c`."""
    texts = [str(name) for name in names]
    return " or ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))


def describe(violation: Violation, subject: str) -> str:
    """Describe a violation. `subject` names the value that was checked, such as `the response body`."""
    where = f"{violation.instance_suffix.removeprefix('.')} in {subject}" if violation.instance else subject
    describe_keyword = _TEXTS.get(violation.keyword, _describe_other)
    return describe_keyword(violation, where)


def explain(side: str) -> str:
    """Say why a violation matters. `side` is `request` or `response`."""
    if side == "request":
        return "The provider may refuse the request that the consumer sends."
    return "The consumer relies on a response that the provider does not promise."


def _describe_type(violation: Violation, where: str) -> str:
    types = violation.expected if isinstance(violation.expected, list) else [violation.expected]
    kinds = list_names(types)
    return f"The pact has {show(violation.value)} as {where}, but the document gives it the type {kinds}."


def _describe_required(violation: Violation, where: str) -> str:
    return f"The document requires the property {show(violation.detail)}, which {where} does not have in the pact."


def _describe_unlisted(violation: Violation, where: str) -> str:
    return (
        f"The pact has the property {show(violation.detail)} in {where}, but the schema in the document does not list "
        "it and allows no others."
    )


def _describe_choice(violation: Violation, where: str) -> str:
    return f"The pact has {show(violation.value)} as {where}, but the document allows only {show(violation.expected)}."


def _describe_format(violation: Violation, where: str) -> str:
    return f"The pact has {show(violation.value)} as {where}, which does not have the format {violation.expected}."


def _describe_pattern(violation: Violation, where: str) -> str:
    return f"The pact has {show(violation.value)} as {where}, which does not match the pattern {violation.expected}."


def _describe_one_of(violation: Violation, where: str) -> str:
    if violation.detail:
        fits = " and ".join(str(index + 1) for index in violation.detail)
        return f"In the pact, {where} fits several schemas of oneOf (number {fits}), but must fit exactly one."
    return _describe_branches(violation, where)


def _describe_branches(violation: Violation, where: str) -> str:
    closest = f" Number {int(violation.closest[-1]) + 1} is the closest." if violation.closest else ""
    return f"In the pact, {where} fits none of the schemas that the document has in {violation.keyword}.{closest}"


def _describe_tag(_violation: Violation, where: str) -> str:
    return f"In the pact, {where} has no value of the discriminator that leads to a schema of oneOf."


def _describe_not(_violation: Violation, where: str) -> str:
    return f"In the pact, {where} fits a schema that the document excludes with not."


def _describe_condition(_violation: Violation, where: str) -> str:
    return f"In the pact, {where} breaks the schema that the document requires under this condition."


def _describe_other(violation: Violation, where: str) -> str:
    return (
        f"The pact has {show(violation.value)} as {where}, which breaks {violation.keyword}: {show(violation.expected)}"
        " in the document."
    )


_TEXTS: Final[Mapping[str, Callable[[Violation, str], str]]] = {
    "type": _describe_type,
    "required": _describe_required,
    "dependentRequired": _describe_required,
    "additionalProperties": _describe_unlisted,
    "unevaluatedProperties": _describe_unlisted,
    "enum": _describe_choice,
    "const": _describe_choice,
    "format": _describe_format,
    "pattern": _describe_pattern,
    "oneOf": _describe_one_of,
    "anyOf": _describe_branches,
    "discriminator": _describe_tag,
    "not": _describe_not,
    "if": _describe_condition,
}
