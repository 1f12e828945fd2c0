"""Registry of representations: pure functions from an object to a document, which never query the database.

A module registers one function for each type with `register` (HAL), `register_extended` (the extended media type) or
`register_text` (plain text, CSV, graphs, images).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch

from treaty.web.hal.documents import Hal, RenderContext


@dataclass(frozen=True, slots=True)
class ExtendedDocument:
    """A stored JSON object with more members at its end. The stored JSON is not parsed, since pacts are large."""

    body: bytes
    members: Callable[[RenderContext], bytes]
    """Renders the additional members, as JSON without braces. They identify the document by its links."""

    def render_extended(self, context: RenderContext) -> tuple[bytes, bytes]:
        """Render the document; return it with bytes that identify its content, for the ETag."""
        head = self.body[: self.body.rfind(b"}")]
        comma = b"" if head.rstrip().endswith(b"{") else b","
        members = self.members(context)
        return b"".join((head, comma, members, b"}")), members


class NotRegistered(TypeError):
    """A type has no representation, or the module that registers it has not been loaded."""


@singledispatch
def hal(content: object) -> Hal | ExtendedDocument:
    """Represent an object as HAL. Raises NotRegistered."""
    if isinstance(content, dict):
        return Hal(content)
    raise NotRegistered(f"{type(content).__name__} has no HAL representation")


@singledispatch
def extended(content: object) -> Hal | ExtendedDocument:
    """Represent an object in the extended media type, or as HAL if its type has no extended representation."""
    return hal(content)


@singledispatch
def text(content: object, context: RenderContext) -> str:  # noqa: ARG001 - some texts contain links
    """Represent an object as text. Raises NotRegistered."""
    raise NotRegistered(f"{type(content).__name__} has no text")


register = hal.register
register_extended = extended.register
register_text = text.register
