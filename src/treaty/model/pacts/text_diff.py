"""The difference between two contents as a unified diff, in the original broker's format.

Both trees are walked together, value by value, so the time grows linearly with their size. A general diff algorithm
would take quadratic time for contents that differ in every line.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from treaty.exact_json import Number
from treaty.model.pacts import content, documents
from treaty.model.pacts.documents import Document
from treaty.model.pacts.pacts import Pact

CONTEXT_LINES: Final = 3
"""Unchanged lines shown around each change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The difference between a pact and an earlier one; None if there is no earlier one."""

    pact: Pact
    other: Pact | None
    changed_at: datetime
    """When the pact that followed the other one was published."""
    now: datetime
    text: str


@dataclass(frozen=True, slots=True)
class _Line:
    sign: str
    """`-` if only the old content has the line, `+` if only the new one has it, else a space."""
    text: str


def diff_contents(old: bytes, new: bytes, *, check_deadline: Callable[[], object] = bool) -> str:
    """Describe the difference between two stored contents, with `-` for old and `+` for new lines.

    Equal members are left out, and so are members that only the new content has, as in the original. `check_deadline`
    is called for each value, and raises an exception to abandon the diff.
    """
    lines = _Walk(check_deadline).diff(
        _normalize(documents.parse_document(old)), _normalize(documents.parse_document(new)), "", ""
    )
    text = "\n".join(_format_hunks(_sort_removals_first(lines)))
    # Lone surrogates cannot be encoded as UTF-8.
    return text.encode("utf-8", "backslashreplace").decode()


def _normalize(document: Document) -> dict[str, Any]:
    """Sort interactions as the content's hash does, so that another order is no difference, and remove all ids."""
    tree = dict(content.remove_all_ids(document).tree)
    first = next((name for name in ("interactions", "messages") if tree.get(name) not in (None, False)), None)
    if first and isinstance(tree[first], list):
        tree[first] = sorted(tree[first], key=lambda item: json.dumps(item, sort_keys=True))
    return tree


@dataclass(frozen=True, slots=True)
class _Walk:
    check_deadline: Callable[[], object]

    def diff(self, old: Any, new: Any, indent: str, label: str) -> list[_Line]:
        """Compare two values; an empty list means that they are equal."""
        self.check_deadline()
        if isinstance(old, dict) and isinstance(new, dict):
            return _enclose("{}", self._diff_members(old, new, indent + "  "), indent, label)
        if isinstance(old, list) and isinstance(new, list):
            return _enclose("[]", self._diff_elements(old, new, indent + "  "), indent, label)
        if _is_equal(old, new):
            return []
        return [*self._write_value("-", old, indent, label), *self._write_value("+", new, indent, label)]

    def _diff_members(self, old: dict[str, Any], new: dict[str, Any], indent: str) -> list[_Line]:
        lines: list[_Line] = []
        for name in sorted(old):
            label = f"{_write_scalar(name)}: "
            if name in new:
                lines += self.diff(old[name], new[name], indent, label)
            else:
                lines += self._write_value("-", old[name], indent, label)
        return lines

    def _diff_elements(self, old: list[Any], new: list[Any], indent: str) -> list[_Line]:
        diffs = [self.diff(old_item, new_item, indent, "") for old_item, new_item in zip(old, new, strict=False)]
        if len(old) == len(new) and not any(diffs):
            return []
        lines = [line for item_diff in diffs for line in item_diff or [_Line(" ", f"{indent}... ")]]
        for sign, items in (("-", old[len(diffs) :]), ("+", new[len(diffs) :])):
            for item in items:
                lines += self._write_value(sign, item, indent, "")
        return lines

    def _write_value(self, sign: str, tree: Any, indent: str, label: str) -> Iterator[_Line]:
        self.check_deadline()
        if isinstance(tree, dict):
            yield _Line(sign, f"{indent}{label}{{")
            for name, value in tree.items():
                yield from self._write_value(sign, value, indent + "  ", f"{_write_scalar(name)}: ")
            yield _Line(sign, f"{indent}}}")
        elif isinstance(tree, list):
            yield _Line(sign, f"{indent}{label}[")
            for item in tree:
                yield from self._write_value(sign, item, indent + "  ", "")
            yield _Line(sign, f"{indent}]")
        else:
            yield _Line(sign, f"{indent}{label}{_write_scalar(tree)}")


def _enclose(brackets: str, inner: list[_Line], indent: str, label: str) -> list[_Line]:
    if not inner:
        return []
    return [_Line(" ", f"{indent}{label}{brackets[0]}"), *inner, _Line(" ", f"{indent}{brackets[1]}")]


def _is_equal(old: Any, new: Any) -> bool:
    """Compare two values that are not both objects or both lists. Unlike in Python, `1`, `1.0` and `true` differ."""
    return old == new and all(isinstance(old, kind) == isinstance(new, kind) for kind in (bool, float))


def _write_scalar(value: Any) -> str:
    return value.text if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)


def _sort_removals_first(lines: Iterable[_Line]) -> list[_Line]:
    """Put removed lines before added lines in each block of adjacent changes, as in any unified diff."""
    sorted_lines: list[_Line] = []
    for is_unchanged, group in groupby(lines, key=lambda line: line.sign == " "):
        block = list(group)
        sorted_lines += block if is_unchanged else sorted(block, key=lambda line: line.sign == "+")
    return sorted_lines


def _format_hunks(lines: list[_Line]) -> Iterator[str]:
    """Leave out lines far from any change. As in the original, all hunks but the first have a header."""
    old_number, new_number, is_first = 1, 1, True
    shown = _list_shown(lines)
    for is_shown, group in groupby(enumerate(lines), key=lambda numbered: numbered[0] in shown):
        block = [line for _, line in group]
        old_count, new_count = (sum(line.sign != other_side for line in block) for other_side in "+-")
        if is_shown:
            if not is_first:
                yield f"@@ -{old_number},{old_count} +{new_number},{new_count} @@"
            yield from (line.sign + line.text for line in block)
            is_first = False
        old_number, new_number = old_number + old_count, new_number + new_count


def _list_shown(lines: list[_Line]) -> set[int]:
    """List the indexes of changed lines and of the lines around them."""
    changed = (index for index, line in enumerate(lines) if line.sign != " ")
    return {near for index in changed for near in range(index - CONTEXT_LINES, index + CONTEXT_LINES + 1)}
