"""References within a document."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote

from treaty.model.compare.findings import ABSENT

MAX_REFERENCES: Final = 100
"""References that are followed from one to the next."""


@lru_cache(maxsize=4096)
def split_pointer(reference: str) -> tuple[str, ...] | None:
    """Split a reference such as `#/components/schemas/A` into its names; None if it leads out of the document."""
    if not reference.startswith("#/"):
        return None
    return tuple(
        unquote(name.replace("~1", "/").replace("~0", "~")) for name in reference.removeprefix("#/").split("/")
    )


def find(content: Any, reference: str) -> Any:
    """Return the value that the reference names, or `ABSENT`."""
    names = split_pointer(reference)
    if names is None:
        return ABSENT
    value = content
    for name in names:
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return ABSENT
    return value


def reference_of(node: Any) -> str | None:
    """Return the `$ref` of an object, if it has one."""
    reference = node.get("$ref") if isinstance(node, Mapping) else None
    return reference if isinstance(reference, str) else None


def resolve(content: Any, node: Any) -> Any:
    """Follow references to the object that they lead to; `ABSENT` if one is broken or they form a cycle."""
    for _ in range(MAX_REFERENCES):
        reference = reference_of(node)
        if reference is None:
            return node
        node = find(content, reference)
        if node is ABSENT:
            return ABSENT
    return ABSENT


def escape_instance(name: str | int) -> str:
    """Escape a step of a location in a pact."""
    return str(name).replace("~", "~0").replace("/", "~1")


def escape_schema(name: str | int) -> str:
    """Escape a step of a location in a schema."""
    return quote(str(name).replace("~", "~0").replace("/", "~1"), safe="!'()*-._~", errors="replace")
