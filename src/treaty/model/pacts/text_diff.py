"""The difference between two contents, as lines for people.

The two are walked through together, so the time it takes grows with their size and no faster.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from treaty.model.pacts import content
from treaty.model.pacts.content import Document, Number
from treaty.model.pacts.pacts import Pact

CONTEXT_LINES: Final = 3
"""How many lines are shown around those that changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A pact beside an earlier one, or beside none."""

    pact: Pact
    other: Pact | None
    changed_at: datetime
    """When the content that followed the other pact's was first there."""
    now: datetime
    text: str


@dataclass(frozen=True, slots=True)
class _Line:
    sign: str
    """`-` for what only the old side has, `+` for what only the new one has, or a space."""
    text: str


def diff_contents(old: bytes, new: bytes, *, check_deadline: Callable[[], object] = bool) -> str:
    """Show what changed from one stored content to another: `-` old, `+` new.

    Equal members are left out, and so are members that only the new content has, as in the original. `go_on` is called
    all the time; it raises to give up.
    """
    lines = _Walk(check_deadline).compared(
        _normal(content.parse_document(old)), _normal(content.parse_document(new)), "", ""
    )
    text = "\n".join(_unified(_removals_first(lines)))
    return text.encode("utf-8", "backslashreplace").decode()


def _normal(document: Document) -> dict[str, Any]:
    """Drop ids, and sort interactions as the content's identity does."""
    tree = dict(document.tree)
    for name in ("interactions", "messages"):
        if isinstance(tree.get(name), list):
            tree[name] = [_without_id(item) for item in tree[name]]
    first = next((name for name in ("interactions", "messages") if tree.get(name) not in (None, False)), None)
    if first and isinstance(tree[first], list):
        tree[first] = sorted(tree[first], key=lambda item: json.dumps(item, sort_keys=True))
    return tree


def _without_id(item: Any) -> Any:
    return {name: value for name, value in item.items() if name != "_id"} if isinstance(item, dict) else item


@dataclass(frozen=True, slots=True)
class _Walk:
    check_deadline: Callable[[], object]

    def compared(self, old: Any, new: Any, indent: str, label: str) -> list[_Line]:
        """Tell two values apart; no lines mean that there is nothing to tell."""
        self.check_deadline()
        if isinstance(old, dict) and isinstance(new, dict):
            return _framed("{}", self._members(old, new, indent + "  "), indent, label)
        if isinstance(old, list) and isinstance(new, list):
            return _framed("[]", self._elements(old, new, indent + "  "), indent, label)
        if _is_same(old, new):
            return []
        return [*self._shown("-", old, indent, label), *self._shown("+", new, indent, label)]

    def _members(self, old: dict[str, Any], new: dict[str, Any], indent: str) -> list[_Line]:
        lines: list[_Line] = []
        for name in sorted(old):
            label = f"{_written(name)}: "
            if name in new:
                lines += self.compared(old[name], new[name], indent, label)
            else:
                lines += self._shown("-", old[name], indent, label)
        return lines

    def _elements(self, old: list[Any], new: list[Any], indent: str) -> list[_Line]:
        pairs = [self.compared(one, other, indent, "") for one, other in zip(old, new, strict=False)]
        if len(old) == len(new) and not any(pairs):
            return []
        lines = [line for pair in pairs for line in pair or [_Line(" ", f"{indent}... ")]]
        for sign, items in (("-", old[len(pairs) :]), ("+", new[len(pairs) :])):
            for item in items:
                lines += self._shown(sign, item, indent, "")
        return lines

    def _shown(self, sign: str, tree: Any, indent: str, label: str) -> Iterator[_Line]:
        self.check_deadline()
        if isinstance(tree, dict):
            yield _Line(sign, f"{indent}{label}{{")
            for name, value in tree.items():
                yield from self._shown(sign, value, indent + "  ", f"{_written(name)}: ")
            yield _Line(sign, f"{indent}}}")
        elif isinstance(tree, list):
            yield _Line(sign, f"{indent}{label}[")
            for item in tree:
                yield from self._shown(sign, item, indent + "  ", "")
            yield _Line(sign, f"{indent}]")
        else:
            yield _Line(sign, f"{indent}{label}{_written(tree)}")


def _framed(brackets: str, inner: list[_Line], indent: str, label: str) -> list[_Line]:
    if not inner:
        return []
    return [_Line(" ", f"{indent}{label}{brackets[0]}"), *inner, _Line(" ", f"{indent}{brackets[1]}")]


def _is_same(old: Any, new: Any) -> bool:
    """Compare two values that are not both objects or both lists. `1`, `1.0` and `true` differ."""
    return old == new and all(isinstance(old, kind) == isinstance(new, kind) for kind in (bool, float))


def _written(value: Any) -> str:
    return value.text if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)


def _removals_first(lines: Iterable[_Line]) -> list[_Line]:
    """Put what is gone before what came instead, wherever lines changed next to each other."""
    ordered: list[_Line] = []
    for is_same, run in groupby(lines, key=lambda line: line.sign == " "):
        part = list(run)
        ordered += part if is_same else sorted(part, key=lambda line: line.sign == "+")
    return ordered


def _unified(lines: list[_Line]) -> Iterator[str]:
    """Leave out what is far from any change. Where lines are left out in between, the next ones are counted."""
    old, new, is_first = 1, 1, True
    near = _near_changes(lines)
    for is_near, group in groupby(enumerate(lines), key=lambda numbered: numbered[0] in near):
        part = [line for _, line in group]
        olds, news = (sum(line.sign != other for line in part) for other in "+-")
        if is_near:
            if not is_first:
                yield f"@@ -{old},{olds} +{new},{news} @@"
            yield from (line.sign + line.text for line in part)
            is_first = False
        old, new = old + olds, new + news


def _near_changes(lines: list[_Line]) -> set[int]:
    changed = (number for number, line in enumerate(lines) if line.sign != " ")
    return {near for number in changed for near in range(number - CONTEXT_LINES, number + CONTEXT_LINES + 1)}


# Minutes up to which a wording holds, and the minutes of its unit.
_SPANS: Final = (
    (1, 1, "less than a minute"),
    (2, 1, "1 minute"),
    (45, 1, "{} minutes"),
    (90, 60, "about 1 hour"),
    (1440, 60, "about {} hours"),
    (2520, 1440, "1 day"),
    (43_200, 1440, "{} days"),
    (86_400, 43_200, "about 1 month"),
    (525_600, 43_200, "{} months"),
)
_YEAR: Final = 525_600


def format_duration(seconds: float) -> str:
    """Say roughly how long a time is."""
    minutes = round(seconds / 60)
    for end, unit, words in _SPANS:
        if minutes < end:
            return words.format(round(minutes / unit))
    quarters = 4 * minutes // _YEAR
    years = (quarters + 1) // 4
    how = ("about", "over", "over", "almost")[quarters % 4]
    return f"{how} {years} year" + ("s" if years > 1 else "")
