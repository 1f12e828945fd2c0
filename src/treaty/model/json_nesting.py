"""Limit on the depth of nesting in JSON."""

from typing import Any, Final

MAX_DEPTH: Final = 50
"""Levels, as in the original."""

_CONTAINERS: Final = (dict, list)


def is_deeper(tree: Any, depth: int) -> bool:
    """Whether lists and objects are nested deeper than `depth` levels. Walks the tree without recursion."""
    level = [tree]
    for _ in range(depth):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, _CONTAINERS)
        ]
        if not level:
            return False
    return True
