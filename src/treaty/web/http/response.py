"""A response: status, headers and body."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Answer:
    """What goes back to the client."""

    status: int
    body: bytes = b""
    media: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    charset: bool = True
    is_bare: bool = False
    """Whether it goes without the headers that answers usually have."""
    essence: bytes = b""
    """What tells it from others, if that is less than the body."""
    is_kept: bool = False
    """Whether these very bytes, or those of its essence, are answered again and again."""
    parts: AsyncIterator[bytes] | None = None
    """What is sent after the body, as it comes to be."""

    @property
    def content_type(self) -> str | None:
        if self.media is None:
            return None
        return f"{self.media};charset=utf-8" if self.charset else self.media
