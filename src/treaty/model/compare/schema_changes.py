"""The parts of a response body that a change of its schema can affect.

A keyword applies to the value at its own place, whatever the value has elsewhere. So if only the schema of a property
has changed, values without this property are valid as before. Keywords that relate several schemas, such as `oneOf`,
are no exception if the whole value to which they apply counts as affected.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from treaty.model.compare import pointers
from treaty.model.compare.findings import ABSENT

Steps = tuple[str | None, ...]
"""The names of members that lead to a part of a body; None stands for each item of an array."""

MAX_VISITS: Final = 500
"""Pairs of schemas that are compared before the whole body counts as affected."""
WHOLE_BODY: Final[frozenset[Steps]] = frozenset({()})

ANNOTATIONS: Final = frozenset({"title", "description", "example", "examples", "externalDocs", "xml", "default"})
"""Keywords that the comparison with pacts does not read."""
# Keywords by which the schema of a property applies elsewhere, too, or depends on other properties.
_RELATING: Final = frozenset(
    {
        *("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "discriminator", "dependentSchemas"),
        *("dependentRequired", "patternProperties", "propertyNames", "unevaluatedProperties", "unevaluatedItems"),
        *("additionalItems", "contains", "prefixItems", "$ref"),
    }
)


class Versions(Protocol):
    """An old and a new version of a document."""

    @property
    def old_content(self) -> Mapping[str, Any]: ...

    @property
    def new_content(self) -> Mapping[str, Any]: ...

    def is_same(self, old: Any, new: Any) -> bool:
        """Whether two parts are equal, with everything that they refer to."""
        ...


def find_affected_parts(versions: Versions, old: Any, new: Any) -> frozenset[Steps]:
    """Find the parts of a response body that are not checked as before.

    A body without any of these parts is as valid by the new schema as by the old one.
    """
    walk = _Walk(versions)
    parts = frozenset(walk.compare(old, new, ()))
    return WHOLE_BODY if walk.visit_count > MAX_VISITS else parts


def has_part(value: Any, steps: Steps) -> bool:
    """Whether a body has a part."""
    if value is ABSENT or not steps:
        return value is not ABSENT
    step, rest = steps[0], steps[1:]
    if step is None:
        return isinstance(value, list) and any(has_part(item, rest) for item in value)
    return isinstance(value, Mapping) and step in value and has_part(value[step], rest)


class _Walk:
    """Follows an old and a new schema side by side, as far as both describe the same value."""

    def __init__(self, versions: Versions) -> None:
        self.visit_count = 0
        self._versions = versions
        self._open: set[tuple[int, int]] = set()

    def compare(self, old: Any, new: Any, steps: Steps) -> Iterator[Steps]:
        self.visit_count += 1
        if self.visit_count > MAX_VISITS or self._versions.is_same(old, new):
            return
        old, new = _resolve(self._versions.old_content, old), _resolve(self._versions.new_content, new)
        pair = (id(old), id(new))
        # A schema within itself would be followed forever.
        if pair in self._open or not _is_plain(old) or not _is_plain(new):
            yield steps
            return
        self._open.add(pair)
        yield from self._compare_keywords(old, new, steps)
        self._open.remove(pair)

    def _compare_keywords(self, old: Mapping[str, Any], new: Mapping[str, Any], steps: Steps) -> Iterator[Steps]:
        for keyword in dict.fromkeys((*old, *new)):
            before, after = old.get(keyword, ABSENT), new.get(keyword, ABSENT)
            # A consumer may expect a subset of a response, so `required` is not checked there.
            if keyword in ANNOTATIONS or keyword == "required" or self._versions.is_same(before, after):
                continue
            if keyword == "properties" and _are_objects(before, after):
                yield from self._compare_properties(before, after, steps)
            elif keyword == "items" and isinstance(before, Mapping) and isinstance(after, Mapping):
                yield from self.compare(before, after, (*steps, None))
            else:
                yield steps

    def _compare_properties(self, old: Any, new: Any, steps: Steps) -> Iterator[Steps]:
        before, after = ({} if value is ABSENT else value for value in (old, new))
        for name in dict.fromkeys((*before, *after)):
            if name in before and name in after:
                yield from self.compare(before[name], after[name], (*steps, name))
            else:
                yield (*steps, name)


def _resolve(content: Mapping[str, Any], schema: Any) -> Any:
    """Follow references that have no keywords beside them."""
    for _ in range(pointers.MAX_REFERENCES):
        reference = pointers.reference_of(schema)
        if reference is None or len(schema) > 1:
            break
        schema = pointers.find(content, reference)
    return schema


def _is_plain(schema: Any) -> bool:
    return isinstance(schema, Mapping) and _RELATING.isdisjoint(schema)


def _are_objects(*values: Any) -> bool:
    return all(value is ABSENT or isinstance(value, Mapping) for value in values)
