"""The difference between two contents, as lines for people."""

import json
from difflib import unified_diff
from typing import Any, Final

from treaty.model import content
from treaty.model.content import Document

_SAME: Final = object()
"""Stands where two lists hold equal elements."""


def difference(old: bytes, new: bytes) -> str:
    """Show what changed from one stored content to another: `-` old, `+` new.

    Equal members are left out, and so are members that only the new content has, as in the original.
    """
    left, right = _differing(_normal(content.read(old)), _normal(content.read(new)))
    before, after = (_lines(side) for side in (left, right))
    changed = list(unified_diff(before, after, n=3, lineterm=""))[2:]
    return "\n".join(line for number, line in enumerate(changed) if number > 0 or not line.startswith("@@"))


def _normal(document: Document) -> Any:
    """Drop ids, and sort interactions and members as the content's identity does."""
    tree = dict(content.without_ids(document).tree)
    name = next((one for one in ("interactions", "messages") if tree.get(one)), None)
    items = tree.get(name) if name else None
    if name and isinstance(items, list):
        tree[name] = sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    return tree


def _differing(old: Any, new: Any) -> tuple[Any, Any]:
    if isinstance(old, dict) and isinstance(new, dict):
        return _differing_members(old, new)
    if isinstance(old, list) and isinstance(new, list):
        return _differing_elements(old, new)
    return old, new


def _differing_members(old: dict[str, Any], new: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    left, right = {}, {}
    for name in sorted(old):
        if name not in new:
            left[name] = old[name]
        elif old[name] != new[name]:
            left[name], right[name] = _differing(old[name], new[name])
    return left, right


def _differing_elements(old: list[Any], new: list[Any]) -> tuple[list[Any], list[Any]]:
    pairs = [(_SAME, _SAME) if one == other else _differing(one, other) for one, other in zip(old, new, strict=False)]
    shared = len(pairs)
    return [one for one, _ in pairs] + old[shared:], [other for _, other in pairs] + new[shared:]


def _lines(tree: Any, indent: str = "", end: str = "") -> list[str]:
    if tree is _SAME:
        return [f"{indent}... "]
    if isinstance(tree, dict):
        parts = [_member(name, value, indent + "  ") for name, value in tree.items()]
        return [f"{indent}{{", *_joined(parts), f"{indent}}}{end}"]
    if isinstance(tree, list):
        return [f"{indent}[", *_joined([_lines(item, indent + "  ") for item in tree]), f"{indent}]{end}"]
    return [indent + json.dumps(tree, ensure_ascii=False) + end]


def _member(name: str, value: Any, indent: str) -> list[str]:
    first, *rest = _lines(value, indent)
    return [f"{indent}{json.dumps(name, ensure_ascii=False)}: {first.lstrip()}", *rest]


def _joined(parts: list[list[str]]) -> list[str]:
    for part in parts[:-1]:
        part[-1] += "," if not part[-1].endswith("... ") else ""
    return [line for part in parts for line in part]
