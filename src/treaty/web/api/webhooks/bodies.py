"""Reading webhooks out of request bodies, and saying what is wrong with them in the original broker's words."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, NotRequired, Required
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, with_config
from typing_extensions import TypedDict

from treaty.actions.webhooks.webhooks import WebhookDraft
from treaty.errors import Invalid, Problem
from treaty.model.webhooks import hosts as host_rules
from treaty.model.webhooks.events import (
    CONTRACT_CONTENT_CHANGED,
    CONTRACT_PUBLISHED,
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
    PROVIDER_VERIFICATION_FAILED,
    PROVIDER_VERIFICATION_PUBLISHED,
    PROVIDER_VERIFICATION_SUCCEEDED,
)
from treaty.model.webhooks.webhooks import PacticipantMatcher, WebhookFilters, substitute_parameters
from treaty.settings import Settings
from treaty.web.hal.shapes import OPEN_OBJECT, JsonObject
from treaty.web.http.bodies import with_example

METHODS: Final = frozenset(
    {
        *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"),
        *("COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "UNLOCK"),
    }
)
EVENTS: Final = (
    CONTRACT_PUBLISHED,
    CONTRACT_CONTENT_CHANGED,
    PROVIDER_VERIFICATION_PUBLISHED,
    PROVIDER_VERIFICATION_SUCCEEDED,
    PROVIDER_VERIFICATION_FAILED,
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
)
_SEE: Final = "See /doc/webhooks#whitelist for more information."
_UUID: Final = re.compile(r"[A-Za-z0-9_-]{16,}")
_UUID_TEXT: Final = (
    "The UUID can only contain the characters A-Z, a-z, 0-9, _ and -, and must be 16 or more characters."
)
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_LINE: Final = re.compile(r"[^\r\n\0]*")
_LISTS: Final = {
    "consumerBranches": "consumer_branches",
    "providerBranches": "provider_branches",
    "tags": "tags",
    "environments": "environments",
}
FILTERS: Final = (*_LISTS, "mainBranchOnly")
"""The members that narrow down for which events a webhook is sent."""


@with_config(OPEN_OBJECT)
class WebhookSideBody(TypedDict, total=False):
    name: str
    label: str


@with_config(OPEN_OBJECT)
class EventBody(TypedDict):
    name: Annotated[str, Field(json_schema_extra={"enum": list(EVENTS)})]


@with_config(OPEN_OBJECT)
class WebhookRequestBody(TypedDict):
    method: str
    url: str
    headers: NotRequired[JsonObject]
    body: NotRequired[Any]
    username: NotRequired[str | None]
    password: NotRequired[str | None]


@with_config(
    with_example(
        {
            "description": "Verify what changed",
            "provider": {"name": "Example API"},
            "events": [{"name": "contract_requiring_verification_published"}],
            "request": {
                "method": "POST",
                "url": "https://ci.example.org/verify",
                "headers": {"Content-Type": "application/json"},
                "body": {"pact": "${pactbroker.pactUrl}", "commit": "${pactbroker.providerVersionNumber}"},
            },
        }
    )
)
class WebhookBody(TypedDict, total=False):
    description: str | None
    consumer: WebhookSideBody
    provider: WebhookSideBody
    enabled: bool
    events: Annotated[list[EventBody], Field(min_length=1)]
    request: Required[WebhookRequestBody]
    consumerBranches: list[str] | None
    providerBranches: list[str] | None
    tags: list[str] | None
    environments: list[str] | None
    mainBranchOnly: bool | None
    pauseWhenFailing: bool | None
    secret: str | None


WebhookMembers = Mapping[str, Any]


def read(
    given: WebhookMembers,
    *,
    sides: Mapping[str, str],
    uuid: str | None,
    settings: Settings,
    exists: Callable[[str], bool],
) -> WebhookDraft:
    """Read a webhook. `sides` are those of the path, which count where the body names none.

    `exists` says whether a pacticipant does. Raises Invalid.
    """
    given = {**given, **_with_path(given, sides)}
    problems = [
        *_uuid(uuid, given),
        *_request(given, settings),
        *_events(given),
        *_enabled(given),
        *_pausing(given),
        *_side(given, "consumer", exists),
        *_side(given, "provider", exists),
        *_texts(given),
        *_filter_problems(given),
    ]
    if problems:
        raise Invalid(*problems)
    return _draft(given)


def _with_path(given: WebhookMembers, sides: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for role, name in sides.items():
        side = given.get(role)
        if side is None:
            found[role] = {"name": name}
        elif isinstance(side, dict) and side.get("name") is None:
            found[role] = {**side, "name": name}
    return found


def _draft(given: WebhookMembers) -> WebhookDraft:
    request = given["request"]
    headers = {name.lower(): value for name, value in (request.get("headers") or {}).items()}
    events = given.get("events")
    return WebhookDraft(
        description=given.get("description"),
        consumer=_side_of(given.get("consumer")),
        provider=_side_of(given.get("provider")),
        is_enabled=given.get("enabled", True),
        pauses=bool(given.get("pauseWhenFailing")),
        method=request["method"],
        url=request["url"],
        headers={name: "" if value is None else str(value) for name, value in headers.items()},
        body=request.get("body"),
        username=request.get("username"),
        password=request.get("password"),
        secret=given.get("secret"),
        events=tuple(one["name"] for one in events) if events else None,
        filters=_filters(given),
    )


def _side_of(side: WebhookMembers | None) -> PacticipantMatcher | None:
    return PacticipantMatcher(name=side.get("name"), label=side.get("label")) if side else None


def _filters(given: WebhookMembers) -> WebhookFilters:
    lists = {field: tuple(given[name]) for name, field in _LISTS.items() if given.get(name) is not None}
    return WebhookFilters(**lists, main_branch_only=bool(given.get("mainBranchOnly")))


def _uuid(uuid: str | None, given: WebhookMembers) -> Iterable[Problem]:
    said = uuid if uuid is not None else given.get("uuid")
    if said is not None and not (isinstance(said, str) and _UUID.fullmatch(said)):
        yield Problem(("uuid",), _UUID_TEXT)


# The request


def _request(given: WebhookMembers, settings: Settings) -> Iterable[Problem]:
    request = given.get("request")
    if "request" not in given:
        yield Problem(("request",), "is missing")
    elif request in (None, "", {}):
        yield Problem(("request",), "must be filled")
    elif not isinstance(request, dict):
        yield Problem(("request",), "must be a hash")
    else:
        yield from _first(request, "method", lambda method: _method_problem(method, settings))
        yield from _first(request, "url", lambda url: _url_problem(url, settings))
        yield from _headers(request)
        yield from _optional_texts(request, "username", "password")


def _first(request: WebhookMembers, name: str, rule: Callable[[str], str | None]) -> Iterable[Problem]:
    text = "is missing" if name not in request else _text_problem(request[name]) or rule(request[name])
    if text:
        yield Problem(("request", name), text)


def _text_problem(value: object) -> str | None:
    if value is None or value == "":
        return "must be filled"
    return None if isinstance(value, str) else "must be a string"


def _method_problem(method: str, settings: Settings) -> str | None:
    allowed = settings.webhook_http_method_whitelist
    if method.upper() not in METHODS:
        return "is not a recognised HTTP method"
    if allowed and method.upper() not in {one.upper() for one in allowed}:
        return f"must be {_choice(allowed)}. {_SEE}"
    return None


def _choice(allowed: tuple[str, ...]) -> str:
    return allowed[0] if len(allowed) == 1 else f"one of {', '.join(allowed)}"


def _url_problem(url: str, settings: Settings) -> str | None:
    split = _split(substitute_parameters(url))
    if split is None:
        return "is not a valid URL eg. http://example.org"
    if "${" in urlsplit(url).netloc:
        return "cannot have a template parameter in the host"
    schemes, hosts = settings.webhook_scheme_whitelist, settings.webhook_host_whitelist
    if schemes and split.scheme.lower() not in {one.lower() for one in schemes}:
        return f"scheme must be {', '.join(schemes)}. {_SEE}"
    if hosts and not host_rules.is_whitelisted(split.hostname or "", hosts):
        return f"host must be in the whitelist {', '.join(map(host_rules.format_entry, hosts))}. {_SEE}"
    return None


def _split(url: str) -> SplitResult | None:
    try:
        split = urlsplit(url)
        is_whole = bool(split.scheme and split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        return None
    return split if is_whole and not re.search(r"[\s\x00-\x1f\x7f\\]", url) else None


def _headers(request: WebhookMembers) -> Iterable[Problem]:
    headers = request.get("headers", {})
    if not isinstance(headers, dict):
        yield Problem(("request", "headers"), "must be a hash")
        return
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            yield Problem(("request", "headers"), f"'{name}' is not a valid header name")
        elif isinstance(value, dict | list | bool):
            yield Problem(("request", "headers", name), "must be a string")
        elif not _NO_LINE.fullmatch(str(value)):
            yield Problem(("request", "headers", name), "cannot contain multiple lines")


# The rest


def _events(given: WebhookMembers) -> Iterable[Problem]:
    events = given.get("events")
    if events is None:
        return
    if not isinstance(events, list):
        yield Problem(("events",), "must be an array")
    elif not events:
        yield Problem(("events",), "size cannot be less than 1")
    else:
        for index, one in enumerate(events):
            yield from _event(one, index)


def _event(one: object, index: int) -> Iterable[Problem]:
    if not isinstance(one, dict):
        yield Problem(("events", index), "must be a hash")
    elif "name" not in one:
        yield Problem(("events", index, "name"), "is missing")
    elif one["name"] not in EVENTS:
        yield Problem(("events", index, "name"), f"must be one of: {', '.join(EVENTS)}")


def _enabled(given: WebhookMembers) -> Iterable[Problem]:
    if not isinstance(given.get("enabled", True), bool):
        yield Problem(("enabled",), "must be boolean")


def _side(given: WebhookMembers, role: str, exists: Callable[[str], bool]) -> Iterable[Problem]:
    side = given.get(role)
    if side is None:
        return
    if not isinstance(side, dict):
        yield Problem((role,), "must be a hash")
        return
    name, its_label = side.get("name"), side.get("label")
    if its_label is not None and not isinstance(its_label, str):
        yield Problem((role, "label"), "must be a string")
    elif its_label and name is not None:
        yield Problem((role, "label"), "name and label cannot be provided at the same time")
    text = _name_problem(name, its_label, exists)
    if text:
        yield Problem((role, "name"), text)


def _name_problem(name: object, its_label: object, exists: Callable[[str], bool]) -> str | None:
    if name is None:
        return None if its_label else "cannot be blank"
    if not isinstance(name, str):
        return "must be a string"
    if not name.strip():
        return "cannot be blank"
    return None if exists(name) else "does not match an existing pacticipant"


def _texts(given: WebhookMembers) -> Iterable[Problem]:
    for name in ("description", "secret"):
        if given.get(name) is not None and not isinstance(given[name], str):
            yield Problem((name,), "must be a string")


def _optional_texts(request: WebhookMembers, *names: str) -> Iterable[Problem]:
    for name in names:
        if request.get(name) is not None and not isinstance(request[name], str):
            yield Problem(("request", name), "must be a string")


def _filter_problems(given: WebhookMembers) -> Iterable[Problem]:
    for name in _LISTS:
        names = given.get(name)
        if names is not None and not (isinstance(names, list) and all(isinstance(one, str) for one in names)):
            yield Problem((name,), "must be an array of strings")
    if not isinstance(given.get("mainBranchOnly") or False, bool):
        yield Problem(("mainBranchOnly",), "must be boolean")


def _pausing(given: WebhookMembers) -> Iterable[Problem]:
    if not isinstance(given.get("pauseWhenFailing") or False, bool):
        yield Problem(("pauseWhenFailing",), "must be boolean")
