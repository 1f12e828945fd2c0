"""A response: status, headers and body."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Response:
    """A response before it is sent."""

    status: int
    body: bytes = b""
    media_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    charset: bool = True
    is_bare: bool = False
    """Whether to leave out the usual headers, as the original does for invalid paths."""
    etag_source: bytes = b""
    """Shorter bytes that identify the body, as the source of the ETag; if empty, the body is the source."""
    has_stable_body: bool = False
    """Whether the same bytes are sent many times, so that it pays to cache the ETag."""
    parts: AsyncIterator[bytes] | None = None
    """Parts of a streamed body, which follow `body`."""

    @property
    def content_type(self) -> str | None:
        if self.media_type is None:
            return None
        return f"{self.media_type};charset=utf-8" if self.charset else self.media_type
