"""Pages for people: templates, and the headers that keep a page to what this server itself sends.

Templates know `base`, the address that links begin with: the configured one, or nothing, which makes links relative to
the root. They hold no scripts and no styles of their own: the policy below would not run them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from treaty.web import urls
from treaty.web.routing import Call

_POLICY: Final = {
    "default-src": "'none'",
    "base-uri": "'none'",
    "connect-src": "'self'",
    "font-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
    "img-src": "'self' data:",
    "script-src": "'self'",
    "style-src": "'self'",
}
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "x-frame-options": "SAMEORIGIN",
    "x-xss-protection": "1; mode=block",
}

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["urls"] = urls


def drawn(template: str, facts: Mapping[str, object], call: Call) -> bytes:
    """Draw a page."""
    base = call.base_url if call.settings.base_urls else ""
    return _TEMPLATES.get_template(template).render(facts, base=base).encode()
