"""Pages for people: templates, and the headers that keep a page to what this server itself sends.

Templates know `base`, the address that links begin with: the configured one, or nothing, which makes links relative to
the root. They hold no scripts and no styles of their own: the policy below would not run them. What is not our own text
is escaped, and becomes a link only if it leads to http or https.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from treaty.errors import Conflict, Invalid
from treaty.model.pacts.text_diff import format_duration
from treaty.web import urls
from treaty.web.http.queries import parse_leniently
from treaty.web.http.request import Request
from treaty.web.http.results import Redirect
from treaty.web.security.permissions import Permission

_POLICY: Final = {
    "default-src": "'none'",
    "base-uri": "'none'",
    "connect-src": "'self'",
    "font-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "img-src": "'self' data:",
    "script-src": "'self'",
    "style-src": "'self'",
}
HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "x-xss-protection": "1; mode=block",
}

_FILES: Final = Path(__file__).parent.parent
_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_FILES / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render_page(template: str, facts: Mapping[str, object], call: Request) -> bytes:
    """Draw a page."""
    base = call.base_url if call.settings.base_urls else ""
    shared = {
        "base": base,
        "now": call.now,
        "path": call.path,
        "parameters": text_parameters(call),
        "lists": list_parameters(call),
    }
    shared |= {
        "csrf": call.csrf_token,
        "visitor": call.caller,
        "may_use_account": call.has_permission(Permission.USE_OWN_ACCOUNT),
        "may_manage_users": call.has_permission(Permission.MANAGE_USER),
        "may_manage_webhooks": call.has_permission(Permission.MANAGE_WEBHOOK),
        "may_manage_environments": call.has_permission(Permission.MANAGE_ENVIRONMENT),
        "may_read_audit": call.has_permission(Permission.READ_AUDIT),
    }
    return _TEMPLATES.get_template(template).render(shared, **facts).encode("utf-8", "replace")


def redirect(call: Request, path: str, **query: str) -> Redirect:
    """Send a browser on to a page, which it asks for anew; `done` in the query says there what was done."""
    base = call.base_url if call.settings.base_urls else ""
    return Redirect(base + path + (f"?{urlencode(query)}" if query else ""), 303)


def problems_by_field(error: Invalid | Conflict, otherwise: str = "") -> dict[str, list[str]]:
    """Put what is wrong with a form beside its fields."""
    if isinstance(error, Conflict):
        return {otherwise: [str(error)]}
    found: dict[str, list[str]] = {}
    for one in error.problems:
        found.setdefault(".".join(map(str, one.path)), []).append(one.text)
    return found


def text_parameters(call: Request) -> dict[str, str]:
    """List the parameters of a query that are plain texts, which is all that pages use but for selectors."""
    query = parse_leniently(call.query_string)
    return {name: value for name, value in query.items() if isinstance(value, str) and value}


def list_parameters(call: Request) -> list[tuple[str, str]]:
    """List the parameters of a query that stand for lists of plain texts, with their texts one by one."""
    query = parse_leniently(call.query_string)
    found = [(name, values) for name, values in query.items() if isinstance(values, list)]
    return [(f"{name}[]", value) for name, values in found for value in values if isinstance(value, str) and value]


# What templates may use


@lru_cache(maxsize=64)
def _asset(name: str) -> str:
    """Name a file so that browsers notice when it has changed."""
    digest = blake2b((_FILES / "static" / name).read_bytes(), digest_size=6).hexdigest()
    return f"{urls.STATIC.fill(name=name)}?v={digest}"


def _external(url: object) -> str | None:
    """Let through an URL that leads to http or https; nothing else becomes a link."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    is_safe = parts.scheme.lower() in {"http", "https"} and bool(parts.netloc)
    return url.strip() if is_safe and url.isprintable() else None


@pass_context
def _ago(context: Context, at: datetime | None) -> Markup | str:
    """Say how long ago something was, with the time itself behind it."""
    if at is None:
        return "never"
    seconds = (context["now"] - at).total_seconds()
    text = f"{format_duration(seconds)} ago".removeprefix("about ") if seconds >= _MINUTE else "just now"
    exactly, shown = at.isoformat(timespec="seconds"), at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup(f'<time datetime="{exactly}" title="{shown}">{text}</time>')  # noqa: S704 - all of it is our own


_MINUTE: Final = 60


@pass_context
def _with(context: Context, **changes: object) -> str:
    """Make the query of this page anew with some parameters changed, or left out where they are None."""
    merged = {**context["parameters"], **changes}
    plain = [(name, str(value)) for name, value in merged.items() if value not in {None, ""}]
    return "?" + urlencode([*plain, *context["lists"]])


_LONG_HASH: Final = 40


def _short(number: str) -> str:
    """Shorten what looks like the hash of a commit."""
    is_hash = len(number) == _LONG_HASH and all(one in "0123456789abcdef" for one in number)
    return number[:8] if is_hash else number


def _json(value: object) -> str:
    """Write a value as JSON, for people to read; it is escaped like any text."""
    return json.dumps(value, ensure_ascii=False)


def _span(time: timedelta) -> str:
    """Say how long something lasted."""
    return format_duration(time.total_seconds()).removeprefix("about ")


def _plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _around(page: int, last: int) -> Iterable[int | None]:
    """List the pages to link to: the first, the last, and those around this one; None stands for a gap."""
    before = 0
    for number in sorted({1, last, *range(max(1, page - 1), min(last, page + 1) + 1)}):
        if number - before > 1:
            yield None
        yield number
        before = number


_USABLE: Final[dict[str, Any]] = {
    "urls": urls,
    "asset": _asset,
    "with_query": _with,
    "pages_around": _around,
}
_TEMPLATES.globals.update(_USABLE)
_TEMPLATES.filters.update(
    ago=_ago, external=_external, short=_short, plural=_plural, span=_span, tojson_text=_json, shell=shlex.quote
)
