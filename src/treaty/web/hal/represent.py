"""Representations: pure functions from an object to a document. None of them asks the database.

A module registers one function for each kind of object with `register` (HAL), `register_extended` (the extended media
type) or `register_text` (plain text, CSV, graphs, images).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch

from treaty.web.hal.documents import Hal, RenderContext


@dataclass(frozen=True, slots=True)
class ExtendedDocument:
    """A stored JSON object with members put behind its own, without reading it again."""

    body: bytes
    members: Callable[[RenderContext], bytes]
    """Makes the members that are put behind, as JSON without braces. They tell the document from others."""

    def render_extended(self, place: RenderContext) -> tuple[bytes, bytes]:
        """Put the document together; and say what tells it from others."""
        head = self.body[: self.body.rfind(b"}")]
        comma = b"" if head.rstrip().endswith(b"{") else b","
        members = self.members(place)
        return b"".join((head, comma, members, b"}")), members


@singledispatch
def hal(thing: object) -> Hal | ExtendedDocument:
    """Represent a thing as HAL."""
    if isinstance(thing, dict):
        return Hal(thing)
    raise TypeError(f"{type(thing).__name__} has no HAL representation")


@singledispatch
def extended(thing: object) -> Hal | ExtendedDocument:
    """Represent a thing in the extended media type; as HAL, where it has none of its own."""
    return hal(thing)


@singledispatch
def text(thing: object, place: RenderContext) -> str:  # noqa: ARG001 - some texts hold links
    """Represent a thing as text."""
    raise TypeError(f"{type(thing).__name__} has no text")


register = hal.register
register_extended = extended.register
register_text = text.register
