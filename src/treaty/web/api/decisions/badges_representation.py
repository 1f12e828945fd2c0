"""How badges look: where shields.io draws one, and how it is drawn here."""

import html
from typing import Final

from treaty.model.decisions.badges import Badge
from treaty.web.hal import represent
from treaty.web.hal.documents import Place
from treaty.web.urls import quote

FILLS: Final = {"brightgreen": "#4c1", "orange": "#fe7d37", "red": "#e05d44", "lightgrey": "#9f9f9f"}
LETTER: Final = 7
"""The width of a letter. Texts are fitted to their boxes, so it may be off a little."""
MARGIN: Final = 10


def location(badge: Badge, shields: str) -> str:
    """Say where shields.io, or a server like it, draws a badge."""
    left, right = (quote(text.replace("-", "--").replace("_", "__")) for text in (badge.left, badge.right))
    return f"{shields.rstrip('/')}/badge/{left}-{right}-{badge.colour}.svg"


@represent.register_text
def drawn(badge: Badge, _place: Place) -> str:
    """Draw a badge."""
    left, right = (LETTER * len(text) + MARGIN for text in (badge.left, badge.right))
    title, size = html.escape(f"{badge.left}: {badge.right}"), f'width="{left + right}" height="20"'
    return "\n".join(
        (
            *_comment(badge.comment),
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{title}">',
            f"<title>{title}</title>",
            f'<clipPath id="r"><rect {size} rx="3"/></clipPath>',
            '<g clip-path="url(#r)">',
            f'<rect width="{left}" height="20" fill="#555"/>',
            f'<rect x="{left}" width="{right}" height="20" fill="{FILLS[badge.colour]}"/>',
            "</g>",
            '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">',
            _text(badge.left, at=left / 2, width=left - MARGIN),
            _text(badge.right, at=left + right / 2, width=right - MARGIN),
            "</g>",
            "</svg>",
            "",
        ),
    )


def _comment(text: str | None) -> list[str]:
    """Say what the badge is of. Two hyphens would end the comment."""
    return [] if text is None else [f"<!-- {html.escape(text, quote=False).replace('--', '- -')} -->"]


def _text(text: str, *, at: float, width: int) -> str:
    return f'<text x="{at:g}" y="14" textLength="{width}" lengthAdjust="spacingAndGlyphs">{html.escape(text)}</text>'
