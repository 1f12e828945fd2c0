"""HTML pages: the template environment, what all templates may use, and the security headers of pages.

Templates know `base`, the prefix of links: the configured base URL, or nothing, which makes links relative to the root.
They contain no inline scripts or styles, because the content security policy below forbids them. Values are escaped; a
URL that users provide becomes a link only if it is http or https.
"""

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from markupsafe import Markup, escape

from treaty.errors import Conflict, Invalid
from treaty.model.deployments import Environment as DeploymentEnvironment
from treaty.model.deployments import pipeline_key
from treaty.model.wording import format_duration
from treaty.web import urls
from treaty.web.http.queries import parse_leniently
from treaty.web.http.request import Request
from treaty.web.http.results import Redirect
from treaty.web.line_breaks import SHORT_NAME_LENGTH, breakable
from treaty.web.security.permissions import Permission

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

_CONTENT_SECURITY_POLICY: Final = {
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
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _CONTENT_SECURITY_POLICY.items()),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "same-origin",
    "x-frame-options": "DENY",
    "x-xss-protection": "1; mode=block",
}

_WEB_FOLDER: Final = Path(__file__).parent.parent


def render_page(template: str, context: Mapping[str, object], request: Request) -> bytes:
    """Render a template with its context and the variables that all templates have."""
    shared = {
        "base": _link_prefix(request),
        "now": request.now,
        "path": request.path,
        "parameters": text_parameters(request),
        "lists": list_parameters(request),
        "csrf": request.csrf_token,
        "visitor": request.caller,
        # Templates hide what the user may not do; the routes check the same permissions.
        "may_use_account": request.has_permission(Permission.USE_OWN_ACCOUNT),
        "may_manage_users": request.has_permission(Permission.MANAGE_USER),
        "may_manage_webhooks": request.has_permission(Permission.MANAGE_WEBHOOK),
        "may_manage_secrets": request.has_permission(Permission.MANAGE_SECRET),
        "may_manage_pacticipants": request.has_permission(Permission.MANAGE_PACTICIPANT),
        "may_manage_environments": request.has_permission(Permission.MANAGE_ENVIRONMENT),
        "may_delete_pacts": request.has_permission(Permission.DELETE_PACT),
        "may_override": request.has_permission(Permission.OVERRIDE_DECISION),
        "may_accept_engine": request.has_permission(Permission.ACCEPT_ENGINE),
        "may_read_audit": request.has_permission(Permission.READ_AUDIT),
    }
    # Text from JSON can contain lone surrogates, which UTF-8 cannot encode.
    return templates().get_template(template).render(shared, **context).encode("utf-8", "replace")


def _link_prefix(request: Request) -> str:
    # Without a configured base URL, the address comes from the request: relative links then also work behind a proxy
    # that does not forward the original host.
    return request.base_url if request.settings.base_urls else ""


def redirect(request: Request, path: str, **query: str) -> Redirect:
    """Redirect to a page after a form was processed (303, so that reloading does not submit the form again).

    The page shows a confirmation if the query contains `done`.
    """
    return Redirect(_link_prefix(request) + path + (f"?{urlencode(query)}" if query else ""), 303)


def get_display_names(environments: Iterable[DeploymentEnvironment]) -> dict[str, str]:
    """Return the names that pages show for environments, by their UUIDs."""
    return {environment.uuid: environment.display_name for environment in environments}


def problems_by_field(error: Invalid | Conflict, conflict_field: str = "") -> dict[str, list[str]]:
    """Group error messages by the form field that they concern; those about no single field have the key ""."""
    if isinstance(error, Conflict):
        return {conflict_field: [str(error)]}
    problems: dict[str, list[str]] = {}
    for problem in error.problems:
        problems.setdefault(".".join(map(str, problem.path)), []).append(problem.text)
    return problems


def text_parameters(request: Request) -> dict[str, str]:
    """Return the query parameters that are non-empty strings. Except for the matrix, pages use no others."""
    query = parse_leniently(request.query_string)
    return {name: value for name, value in query.items() if isinstance(value, str) and value}


def list_parameters(request: Request) -> list[tuple[str, str]]:
    """Return the query parameters that are lists (`tags[]`), as one pair for each string of a list."""
    lists = {name: value for name, value in parse_leniently(request.query_string).items() if isinstance(value, list)}
    return [(f"{name}[]", text) for name, texts in lists.items() for text in texts if isinstance(text, str) and text]


# Filters and functions of templates


@lru_cache(maxsize=64)
def _asset(name: str) -> str:
    """Return the path of a static file with a digest of its content, so that browsers reload it when it changes."""
    digest = blake2b((_WEB_FOLDER / "static" / name).read_bytes(), digest_size=6).hexdigest()
    return f"{urls.STATIC.fill(name=name)}?v={digest}"


def _external(url: object) -> str | None:
    """Return a URL if it is safe to link to, else None.

    Only http and https are: users and builds provide URLs, and a `javascript:` link would run as the visitor.
    """
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    is_safe = parts.scheme.lower() in {"http", "https"} and bool(parts.netloc)
    return url.strip() if is_safe and url.isprintable() else None


def _ago(context: "Context", at: datetime | None) -> Markup | str:
    """Format a time as its age, with the exact time as a tooltip."""
    if at is None:
        return "never"
    seconds = (context["now"] - at).total_seconds()
    text = f"{format_duration(seconds)} ago".removeprefix("about ") if seconds >= _MINUTE else "just now"
    machine_readable, tooltip = at.isoformat(timespec="seconds"), at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup(f'<time datetime="{machine_readable}" title="{tooltip}">{text}</time>')  # noqa: S704 - contains no input


_MINUTE: Final = 60


def _with_query(context: "Context", **changes: object) -> str:
    """Build the query of a link to this page with some parameters changed, or removed if they are None."""
    merged = {**context["parameters"], **changes}
    texts = [(name, str(value)) for name, value in merged.items() if value not in {None, ""}]
    # As `urlencode` does, which takes several times as long: lists have a link for each way to sort and filter them.
    return "?" + "&".join(f"{_encode(name)}={_encode(value)}" for name, value in (*texts, *context["lists"]))


_MAX_CACHED_LENGTH: Final = 200
_encode_cached: Final = lru_cache(maxsize=1024)(quote_plus)


def _encode(text: str) -> str:
    return _encode_cached(text) if len(text) <= _MAX_CACHED_LENGTH else quote_plus(text)


_COMMIT_HASH_LENGTH: Final = 40


def _short(number: str) -> str:
    """Shorten a version number that looks like a commit hash."""
    is_hash = len(number) == _COMMIT_HASH_LENGTH and set(number) <= set("0123456789abcdef")
    return number[:8] if is_hash else number


_CODE: Final = re.compile("`([^`]+)`")


def _with_code(text: str) -> Markup:
    """Format a text of our own, in which back-ticks mark code."""
    return _mark_code_cached(text) if len(text) <= _MAX_CACHED_LENGTH else _mark_code(text)


def _mark_code(text: str) -> Markup:
    return Markup("").join(
        Markup("<code>{}</code>").format(breakable(part)) if at % 2 else _shortened(part)
        for at, part in enumerate(_CODE.split(text))
    )


_mark_code_cached: Final = lru_cache(maxsize=4096)(_mark_code)  # the documentation of the API repeats many texts


def _title(text: str) -> Markup:
    """Return the attribute that shows a text as a tooltip, if it may be too long for its line; else nothing."""
    return Markup(' title="{}"').format(text) if len(text) > SHORT_NAME_LENGTH else Markup("")


# Links that lists contain hundreds of times: macros would take as long as the rest of the page. The caches are typed,
# because an encoded name has another path than the equal text.
_cached: Final = lru_cache(maxsize=4096, typed=True)


def _link_application(context: "Context", name: str) -> Markup:
    """Link to the page of an application."""
    return _build_application_link(context["base"], name)


@_cached
def _build_application_link(base: str, name: str) -> Markup:
    path = urls.PACTICIPANT.fill(pacticipant=name)
    return Markup('<a class="app" href="{}{}">{}</a>').format(base, path, breakable(name))


def _link_application_plainly(context: "Context", name: str) -> Markup:
    """Link to the page of an application within a sentence."""
    return _build_plain_application_link(context["base"], name)


@_cached
def _build_plain_application_link(base: str, name: str) -> Markup:
    return Markup('<a href="{}{}">{}</a>').format(base, urls.PACTICIPANT.fill(pacticipant=name), name)


def _show_number(context: "Context", number: str, of: str | None = None) -> Markup:
    """Show the number of a version, as a link to its page if the application `of` is given."""
    return _build_number(number) if of is None else _build_version_link(context["base"], of, number)


@_cached
def _build_number(number: str) -> Markup:
    return Markup('<span class="number"{}>{}</span>').format(_title(number), _short(number))


@_cached
def _build_version_link(base: str, name: str, number: str) -> Markup:
    path = urls.VERSION.fill(pacticipant=name, version=number)
    return Markup('<a class="version" href="{}{}">{}</a>').format(base, path, _build_number(number))


def _link_pact(context: "Context", number: str, consumer: str, provider: str, text: str | None = None) -> Markup:
    """Link to the pact of a consumer version, with another text than its number if it is given."""
    path = urls.PACT.fill(provider=provider, consumer=consumer, version=number)
    # Several times as fast as `Markup.format`. The link is not cached, since few are the same.
    return Markup(f'<a href="{escape(context["base"])}{escape(path)}">{escape(text or _build_number(number))}</a>')  # noqa: S704 - escaped


_COMMIT: Final = re.compile(rf"\b[0-9a-f]{{{_COMMIT_HASH_LENGTH}}}\b")


def _shortened(text: str) -> Markup:
    """Shorten the commit hashes in a sentence; the whole hash is a tooltip."""
    return Markup("").join(_shorten_commits(text))


def _shorten_commits(text: str) -> Iterable[Markup]:
    end = 0
    for match in _COMMIT.finditer(text):
        yield escape(text[end : match.start()])
        yield Markup('<span class="number" title="{0}">{1}</span>').format(match[0], _short(match[0]))
        end = match.end()
    yield escape(text[end:])


# The word in the messages and members that pages show. Names of applications may contain it, too, so each alternative
# checks the words around it.
_PACTICIPANT: Final = re.compile(
    r"^Pacticipant(?= .+ not found)"
    r"|(?<=^No )pacticipant(?= with name ')"
    r"|(?<=^Please specify the )pacticipant(?= name)"
    r"|(?<=does not match an existing )pacticipant(?=$|: it was renamed to ')"
    r"|(?<= may not manage )pacticipants(?=[ .,;:]|$)"
    r"|^pacticipant$"
)
_APPLICATION: Final = {
    "pacticipant": "application",
    "pacticipants": "applications",
    "Pacticipant": "Application",
}


def _in_page_words(text: str) -> str:
    """Replace the API's word for applications in a message that the API shares with pages, but not in names."""
    return _PACTICIPANT.sub(lambda match: _APPLICATION[match[0]], text)


_OPTION: Final = re.compile(r"((?<!\S)--[a-z-]+)")


def _command(text: str) -> Markup:
    """Mark where a line may end in a command: not at the hyphens of its options."""
    return Markup("").join(
        Markup('<span class="unbroken">{}</span>').format(part) if at % 2 else breakable(part)
        for at, part in enumerate(_OPTION.split(text))
    )


def _json(value: object) -> str:
    """Format a value as JSON for people; the template escapes it like any text."""
    return json.dumps(value, ensure_ascii=False)


def _span(duration: timedelta) -> str:
    """Format a duration."""
    return format_duration(duration.total_seconds()).removeprefix("about ")


def _sort_by_pipeline(items: Iterable[Any], attribute: str | None = None) -> list[Any]:
    """Sort environments, or what has an environment as an attribute, as a pipeline passes them."""
    return sorted(items, key=lambda item: pipeline_key(getattr(item, attribute) if attribute else item))


def _plural(count: int, singular: str, plural: str | None = None) -> str:
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def _pages_around(page: int, last: int) -> Iterable[int | None]:
    """List the pages to link to: the first, the last, and the neighbours of this one; None marks a gap."""
    previous = 0
    for number in sorted({1, last, *range(max(1, page - 1), min(last, page + 1) + 1)}):
        if number - previous > 1:
            yield None
        yield number
        previous = number


_HEADER_LINKS: Final = tuple(
    (url.fill(), title)
    for url, title in (
        (urls.INDEX, "Overview"),
        (urls.MATRIX, "Matrix"),
        (urls.SYSTEM, "Network"),
        (urls.PENDING, "Pending"),
        (urls.TRENDS, "Trends"),
        (urls.ENVIRONMENTS, "Environments"),
        (urls.WEBHOOKS, "Webhooks"),
        (urls.DOCS, "API"),
    )
)
_FOOTER_LINKS: Final = tuple(
    (url.fill(), title)
    for url, title in (
        (urls.GUIDE, "Documentation"),
        (urls.DOCS, "API"),
        (urls.EXPLORER, "API explorer"),
        (urls.OPENAPI, "OpenAPI document"),
    )
)
"""Paths and titles of the links in the header and in the footer of each page."""


@cache
def templates() -> "Environment":
    """Return the environment of all templates, which caches those that it has compiled."""
    # Takes 2 MiB, which servers that only builds use do not need.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(_WEB_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        # Otherwise each request would check the modification times of its templates.
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions: dict[str, Any] = {
        "urls": urls,
        "header_links": _HEADER_LINKS,
        "footer_links": _FOOTER_LINKS,
        "asset": _asset,
        "with_query": pass_context(_with_query),
        "pages_around": _pages_around,
    }
    environment.globals.update(functions)
    environment.filters.update(
        ago=pass_context(_ago),
        app=pass_context(_link_application),
        breakable=breakable,
        command=_command,
        external=_external,
        in_page_words=_in_page_words,
        number=pass_context(_show_number),
        pact=pass_context(_link_pact),
        pipeline=_sort_by_pipeline,
        plain_app=pass_context(_link_application_plainly),
        plural=_plural,
        shell=shlex.quote,
        short=_short,
        shortened=_shortened,
        span=_span,
        title_attribute=_title,
        tojson_text=_json,
        with_code=_with_code,
    )
    return environment
