"""Reads webhooks from request bodies, with the original broker's validation messages."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, NotRequired, Required
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, with_config
from sqlalchemy import Connection
from typing_extensions import TypedDict

from treaty.actions.webhooks.webhooks import WebhookDraft
from treaty.errors import Invalid, Problem
from treaty.model.names import find_forbidden_character
from treaty.model.pacticipants.pacticipants import describe_missing
from treaty.model.webhooks import hosts
from treaty.model.webhooks.events import EVENT_NAMES, NOTICES
from treaty.model.webhooks.webhooks import PacticipantMatcher, WebhookFilters, parse_interval, substitute_parameters
from treaty.settings import Settings
from treaty.spelling import find_similar
from treaty.store.pacticipants import former_names, pacticipants
from treaty.web.hal.shapes import OPEN_OBJECT, JsonObject
from treaty.web.http.bodies import with_example

# Those that the original broker's HTTP library knows, including WebDAV's.
METHODS: Final = frozenset(
    {
        *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"),
        *("COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "UNLOCK"),
    }
)
_WHITELIST_HINT: Final = "See /doc/webhooks#whitelist for more information."
_UUID: Final = re.compile(r"[A-Za-z0-9_-]{16,}")
_UUID_MESSAGE: Final = (
    "The UUID can only contain the characters A-Z, a-z, 0-9, _ and -, and must be 16 or more characters."
)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SINGLE_LINE: Final = re.compile(r"[^\r\n\0]*")
_FILTER_LISTS: Final = {
    "consumerBranches": "consumer_branches",
    "providerBranches": "provider_branches",
    "tags": "tags",
    "environments": "environments",
}
FILTERS: Final = (*_FILTER_LISTS, "mainBranchOnly")
"""Members that restrict the events for which a webhook is sent. The original broker does not have them."""


@with_config(OPEN_OBJECT)
class WebhookSideBody(TypedDict, total=False):
    name: str
    label: str


@with_config(OPEN_OBJECT)
class DigestBody(TypedDict):
    every: Annotated[str, Field(json_schema_extra={"examples": ["1d", "12h", "30m"]})]


@with_config(OPEN_OBJECT)
class EventBody(TypedDict):
    name: Annotated[str, Field(json_schema_extra={"enum": list(EVENT_NAMES)})]


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
    consumers: Annotated[list[WebhookSideBody], Field(min_length=1)] | None
    providers: Annotated[list[WebhookSideBody], Field(min_length=1)] | None
    enabled: bool
    events: Annotated[list[EventBody], Field(min_length=1)]
    request: Required[WebhookRequestBody]
    consumerBranches: list[str] | None
    providerBranches: list[str] | None
    tags: list[str] | None
    environments: list[str] | None
    mainBranchOnly: bool | None
    pauseWhenFailing: bool | None
    digest: DigestBody | None
    secret: str | None


WebhookMembers = Mapping[str, Any]
ExplainMissing = Callable[[str], str | None]
"""Explains why there is no pacticipant with a name; returns None if there is one."""


def explain_missing(db: Connection, name: str) -> str | None:
    """Explain why there is no pacticipant with a name; return None if there is one."""
    if pacticipants.find(db, name):
        return None
    return describe_missing(former_names.find_current_names(db, [name]).get(name))


def read(
    body: WebhookMembers,
    *,
    sides: Mapping[str, str],
    uuid: str | None,
    settings: Settings,
    explain_missing: ExplainMissing,
) -> WebhookDraft:
    """Read a webhook. Raises Invalid with all problems.

    `sides` are the pacticipants in the path by role; they apply where the body names none.
    """
    members = {**body, **_sides_from_path(body, sides)}
    problems = [
        *_check_uuid(uuid, members),
        *_check_request(members, settings),
        *_check_events(members),
        *_check_flags(members),
        *_check_side(members, "consumer", explain_missing),
        *_check_side(members, "provider", explain_missing),
        *_check_members(members, "consumer", explain_missing),
        *_check_members(members, "provider", explain_missing),
        *_check_digest(members),
        *_check_texts(members),
        *_check_filters(members),
    ]
    if problems:
        raise Invalid(*problems)
    return _build_draft(members)


def _sides_from_path(body: WebhookMembers, sides: Mapping[str, str]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for role, name in sides.items():
        side = body.get(role)
        # A list beside the name from the path is an error, which the validation reports.
        if side is None:
            members[role] = {"name": name}
        elif isinstance(side, dict) and side.get("name") is None:
            # A label beside the name from the path is an error, which the validation reports.
            members[role] = {**side, "name": name}
    return members


def _build_draft(members: WebhookMembers) -> WebhookDraft:
    request = members["request"]
    headers = {name.lower(): value for name, value in (request.get("headers") or {}).items()}
    events, digest = members.get("events"), members.get("digest")
    return WebhookDraft(
        description=members.get("description"),
        consumer=_build_matcher(members.get("consumer")),
        provider=_build_matcher(members.get("provider")),
        is_enabled=members.get("enabled", True),
        pauses=bool(members.get("pauseWhenFailing")),
        method=request["method"],
        url=request["url"],
        headers={name: "" if value is None else str(value) for name, value in headers.items()},
        body=request.get("body"),
        username=request.get("username"),
        password=request.get("password"),
        secret=members.get("secret"),
        events=tuple(event["name"] for event in events) if events else None,
        filters=_build_filters(members),
        consumers=_build_members(members.get("consumers")),
        providers=_build_members(members.get("providers")),
        digest_interval=parse_interval(digest["every"]) if digest else None,
    )


def _build_members(members: Sequence[WebhookMembers] | None) -> tuple[PacticipantMatcher, ...] | None:
    if members is None:
        return None
    return tuple(dict.fromkeys(PacticipantMatcher(name=side.get("name"), label=side.get("label")) for side in members))


def _build_matcher(side: WebhookMembers | None) -> PacticipantMatcher | None:
    return PacticipantMatcher(name=side.get("name"), label=side.get("label")) if side else None


def _build_filters(members: WebhookMembers) -> WebhookFilters:
    lists = {field: tuple(members[name]) for name, field in _FILTER_LISTS.items() if members.get(name) is not None}
    return WebhookFilters(**lists, main_branch_only=bool(members.get("mainBranchOnly")))


def _check_uuid(path_uuid: str | None, members: WebhookMembers) -> Iterable[Problem]:
    uuid = path_uuid if path_uuid is not None else members.get("uuid")
    if uuid is not None and not (isinstance(uuid, str) and _UUID.fullmatch(uuid)):
        yield Problem(("uuid",), _UUID_MESSAGE)


# The request


def _check_request(members: WebhookMembers, settings: Settings) -> Iterable[Problem]:
    request = members.get("request")
    if "request" not in members:
        yield Problem(("request",), "is missing")
    elif request in (None, "", {}):
        yield Problem(("request",), "must be filled")
    elif not isinstance(request, dict):
        yield Problem(("request",), "must be a hash")
    else:
        yield from _check_required_text(request, "method", lambda method: _find_method_problem(method, settings))
        yield from _check_required_text(request, "url", lambda url: _find_url_problem(url, settings))
        yield from _check_headers(request)
        yield from _check_optional_texts(request, "username", "password")


def _check_required_text(
    request: WebhookMembers, name: str, find_problem: Callable[[str], str | None]
) -> Iterable[Problem]:
    text = "is missing" if name not in request else _find_text_problem(request[name]) or find_problem(request[name])
    if text:
        yield Problem(("request", name), text)


def _find_text_problem(value: object) -> str | None:
    if value is None or value == "":
        return "must be filled"
    return None if isinstance(value, str) else "must be a string"


def _find_method_problem(method: str, settings: Settings) -> str | None:
    allowed = settings.webhook_http_method_whitelist
    if method.upper() not in METHODS:
        return "is not a recognised HTTP method"
    if allowed and method.upper() not in {allowed_method.upper() for allowed_method in allowed}:
        choice = allowed[0] if len(allowed) == 1 else f"one of {', '.join(allowed)}"
        return f"must be {choice}. {_WHITELIST_HINT}"
    return None


def _find_url_problem(url: str, settings: Settings) -> str | None:
    split = _split(substitute_parameters(url))
    if split is None:
        return "is not a valid URL eg. http://example.org"
    # Parameters contain names of branches and versions, so users who publish could choose the host. A secret there
    # would be sent to a resolver of names.
    if "${" in urlsplit(url).netloc or "${" in url.partition(":")[0]:
        return "cannot have a template parameter in the host"
    if "@" in split.netloc:
        return "cannot contain a user and password; use username and password, which are encrypted"
    schemes, host_entries = settings.webhook_scheme_whitelist, settings.webhook_host_whitelist
    if schemes and split.scheme.lower() not in {scheme.lower() for scheme in schemes}:
        return f"scheme must be {', '.join(schemes)}. {_WHITELIST_HINT}"
    if host_entries and not hosts.is_whitelisted(split.hostname or "", host_entries):
        entries = ", ".join(map(hosts.format_entry, host_entries))
        return f"host must be in the whitelist {entries}. {_WHITELIST_HINT}"
    return None


def _split(url: str) -> SplitResult | None:
    """Split an absolute URL; None if it is not valid."""
    try:
        split = urlsplit(url)
        is_absolute = bool(split.scheme and split.hostname) and (split.port is None or split.port > 0)
    except ValueError:
        return None
    # Parsers disagree about white space and backslashes, so another host than the checked one might be used.
    return split if is_absolute and not re.search(r"[\s\x00-\x1f\x7f\\]", url) else None


def _check_headers(request: WebhookMembers) -> Iterable[Problem]:
    headers = request.get("headers", {})
    if not isinstance(headers, dict):
        yield Problem(("request", "headers"), "must be a hash")
        return
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            yield Problem(("request", "headers"), f"'{name}' is not a valid header name")
        elif isinstance(value, dict | list | bool):
            yield Problem(("request", "headers", name), "must be a string")
        elif not _SINGLE_LINE.fullmatch(str(value)):
            yield Problem(("request", "headers", name), "cannot contain multiple lines")


def _check_optional_texts(request: WebhookMembers, *names: str) -> Iterable[Problem]:
    for name in names:
        if request.get(name) is not None and not isinstance(request[name], str):
            yield Problem(("request", name), "must be a string")


# Events, sides and filters


def _check_events(members: WebhookMembers) -> Iterable[Problem]:
    events = members.get("events")
    if events is None:
        return
    if not isinstance(events, list):
        yield Problem(("events",), "must be an array")
    elif not events:
        yield Problem(("events",), "size cannot be less than 1")
    else:
        for index, event in enumerate(events):
            yield from _check_event(event, index)


def _check_event(event: object, index: int) -> Iterable[Problem]:
    if not isinstance(event, dict):
        yield Problem(("events", index), "must be a hash")
    elif "name" not in event:
        yield Problem(("events", index, "name"), "is missing")
    elif event["name"] not in EVENT_NAMES:
        yield Problem(("events", index, "name"), f"must be one of: {', '.join(_list_similar(event['name']))}")


def _list_similar(name: object) -> Sequence[str]:
    """List the events to choose from instead of an unknown one: all, if its name resembles one that only Treaty has.

    Clients may compare the message for other names, which is the original broker's.
    """
    similar = find_similar(name, EVENT_NAMES)[:1] if isinstance(name, str) else []
    return EVENT_NAMES if set(similar) & set(NOTICES) else [event for event in EVENT_NAMES if event not in NOTICES]


def _check_flags(members: WebhookMembers) -> Iterable[Problem]:
    # As in the original broker, null is not allowed for "enabled".
    if not isinstance(members.get("enabled", True), bool):
        yield Problem(("enabled",), "must be boolean")
    if not isinstance(members.get("pauseWhenFailing") or False, bool):
        yield Problem(("pauseWhenFailing",), "must be boolean")


def _check_side(members: WebhookMembers, role: str, explain_missing: ExplainMissing) -> Iterable[Problem]:
    side = members.get(role)
    if side is not None:
        yield from _check_matcher(side, (role,), explain_missing)


def _check_matcher(side: object, path: tuple[str | int, ...], explain_missing: ExplainMissing) -> Iterable[Problem]:
    if not isinstance(side, dict):
        yield Problem(path, "must be a hash")
        return
    name, label = side.get("name"), side.get("label")
    if label is not None and not isinstance(label, str):
        yield Problem((*path, "label"), "must be a string")
    elif label and (problem := find_forbidden_character(label)):
        yield Problem((*path, "label"), problem)
    elif label and name is not None:
        yield Problem((*path, "label"), "name and label cannot be provided at the same time")
    text = _find_name_problem(name, label, explain_missing)
    if text:
        yield Problem((*path, "name"), text)


MAX_MEMBERS: Final = 500
"""Consumers, or providers, that a webhook may list."""


def _check_members(members: WebhookMembers, role: str, explain_missing: ExplainMissing) -> Iterable[Problem]:
    """Check the list of consumers or providers. An empty list is refused: it could be taken for all of them."""
    listed, path = members.get(f"{role}s"), (f"{role}s",)
    if listed is None:
        return
    if not isinstance(listed, list):
        yield Problem(path, "must be an array")
    elif not listed:
        yield Problem(path, f"size cannot be less than 1; leave {role}s out for all {role}s")
    elif len(listed) > MAX_MEMBERS:
        yield Problem(path, f"size cannot be more than {MAX_MEMBERS}; use a label instead")
    elif members.get(role) is not None:
        yield Problem(path, f"{role} and {role}s cannot be provided at the same time")
    else:
        for index, side in enumerate(listed):
            yield from _check_matcher(side, (*path, index), explain_missing)


def _check_digest(members: WebhookMembers) -> Iterable[Problem]:
    digest = members.get("digest")
    if digest is None:
        return
    if not isinstance(digest, dict):
        yield Problem(("digest",), "must be a hash")
    elif "every" not in digest:
        yield Problem(("digest", "every"), "is missing")
    elif not isinstance(digest["every"], str) or parse_interval(digest["every"]) is None:
        yield Problem(("digest", "every"), "must be an interval from 1m to 31d, such as 1d, 12h or 30m")


def _find_name_problem(name: object, label: object, explain_missing: ExplainMissing) -> str | None:
    if name is None:
        return None if label else "cannot be blank"
    if not isinstance(name, str):
        return "must be a string"
    if not name.strip():
        return "cannot be blank"
    return find_forbidden_character(name) or explain_missing(name)


def _check_texts(members: WebhookMembers) -> Iterable[Problem]:
    for name in ("description", "secret"):
        if members.get(name) is not None and not isinstance(members[name], str):
            yield Problem((name,), "must be a string")


def _check_filters(members: WebhookMembers) -> Iterable[Problem]:
    for name in _FILTER_LISTS:
        names = members.get(name)
        if names is not None and not (isinstance(names, list) and all(isinstance(item, str) for item in names)):
            yield Problem((name,), "must be an array of strings")
            continue
        problems = {problem for item in names or () if (problem := find_forbidden_character(item))}
        yield from (Problem((name,), problem) for problem in sorted(problems))
    if not isinstance(members.get("mainBranchOnly") or False, bool):
        yield Problem(("mainBranchOnly",), "must be boolean")
