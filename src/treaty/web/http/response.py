"""A response: status, headers and body."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Response:
    """What goes back to the client."""

    status: int
    body: bytes = b""
    media_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    charset: bool = True
    is_bare: bool = False
    """Whether it goes without the headers that answers usually have."""
    etag_source: bytes = b""
    """What tells it from others, if that is less than the body."""
    has_stable_body: bool = False
    """Whether these very bytes, or those of its essence, are answered again and again."""
    parts: AsyncIterator[bytes] | None = None
    """What is sent after the body, as it comes to be."""

    @property
    def content_type(self) -> str | None:
        if self.media_type is None:
            return None
        return f"{self.media_type};charset=utf-8" if self.charset else self.media_type
