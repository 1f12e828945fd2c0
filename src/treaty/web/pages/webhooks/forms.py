"""The form of a webhook: what stands in its fields, and the body for the API that is made of what came back.

Secrets never stand in a field. A blank password or secret keeps the one there is; a header of stars keeps its value.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from treaty.actions.webhooks.webhooks import WebhookDraft
from treaty.errors import Invalid, Malformed, Problem
from treaty.model.webhooks import presets
from treaty.model.webhooks.events import (
    CONTRACT_CONTENT_CHANGED,
    CONTRACT_PUBLISHED,
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
    PROVIDER_VERIFICATION_FAILED,
    PROVIDER_VERIFICATION_PUBLISHED,
    PROVIDER_VERIFICATION_SUCCEEDED,
)
from treaty.model.webhooks.presets import WebhookPreset
from treaty.model.webhooks.webhooks import MASK, EncryptedText, PacticipantMatcher, Webhook, is_mask, is_secret_header
from treaty.settings import Settings
from treaty.web.api.webhooks import bodies as webhook_bodies
from treaty.web.http import bodies
from treaty.web.http.forms import Form

EVENT_LABELS: Final = {
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED: (
        "A pact needs verification",
        "Once for each provider version on the main branch, deployed or released, that has not verified it",
    ),
    CONTRACT_CONTENT_CHANGED: ("A pact has changed", "Its content is new for one of the version's tags"),
    CONTRACT_PUBLISHED: ("A pact is published", "Changed or not"),
    PROVIDER_VERIFICATION_PUBLISHED: ("A result is published", "Good or bad"),
    PROVIDER_VERIFICATION_SUCCEEDED: ("A verification succeeded", ""),
    PROVIDER_VERIFICATION_FAILED: ("A verification failed", ""),
}
"""Events in people's words, with what there is to know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookFields:
    """What stands in the fields."""

    description: str = ""
    enabled: bool = True
    pauses: bool = False
    consumer: str = ""
    consumer_label: str = ""
    provider: str = ""
    provider_label: str = ""
    events: tuple[str, ...] = (CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,)
    consumer_branches: str = ""
    provider_branches: str = ""
    tags: str = ""
    environments: tuple[str, ...] = ()
    main_branch_only: bool = False
    method: str = "POST"
    url: str = ""
    headers: str = ""
    body: str = ""
    username: str = ""
    removes_secret: bool = False
    example: str = ""
    """The key of the past event that a preview is about."""
    problems: Mapping[str, list[str]] = field(default_factory=dict)
    """What is wrong, by field."""

    @property
    def has_filters(self) -> bool:
        lists = (self.consumer_branches, self.provider_branches, self.tags, self.environments)
        return self.main_branch_only or any(lists)


def fill_from_preset(ready: WebhookPreset | None, *, consumer: str, provider: str) -> WebhookFields:
    """Fill the fields with what a ready webhook brings along."""
    blank = WebhookFields(consumer=consumer, provider=provider)
    if ready is None:
        return replace(blank, headers="Content-Type: application/json")
    return replace(
        blank,
        description=ready.description,
        events=ready.events,
        url=ready.url,
        headers=_written(ready.request_headers),
        body=_pretty(ready.body) if ready.body else "",
        username=ready.username,
    )


def fill_fields(one: Webhook) -> WebhookFields:
    """Fill the fields with what is known, but for secrets."""
    filters, request = one.filters, one.request
    consumer, provider = one.consumer or PacticipantMatcher(), one.provider or PacticipantMatcher()
    return WebhookFields(
        description=one.description or "",
        enabled=one.is_enabled,
        pauses=one.pauses,
        consumer=consumer.name or "",
        consumer_label=consumer.label or "",
        provider=provider.name or "",
        provider_label=provider.label or "",
        events=one.events,
        consumer_branches="\n".join(filters.consumer_branches or ()),
        provider_branches="\n".join(filters.provider_branches or ()),
        tags="\n".join(filters.tags or ()),
        environments=filters.environments or (),
        main_branch_only=filters.main_branch_only,
        method=request.method.upper(),
        url=request.url,
        headers=_written(
            {name: MASK if isinstance(value, EncryptedText) else value for name, value in request.headers.items()}
        ),
        body=format_body(request.body),
        username=request.username or "",
    )


def _written(headers: Mapping[str, str]) -> str:
    return "\n".join(f"{name.title() if name.islower() else name}: {value}" for name, value in headers.items())


def format_body(body: Any) -> str:
    """Write a body as it is edited."""
    if body is None or isinstance(body, str):
        return body or ""
    return _pretty(body)


def _pretty(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2)


def restore_fields(form: Form, problems: Iterable[Problem] = ()) -> WebhookFields:
    """Keep what was typed but for secrets, with what is wrong with it."""
    return WebhookFields(
        description=form.raw("description"),
        enabled=form.has("enabled"),
        pauses=form.has("pauseWhenFailing"),
        consumer=form.raw("consumer"),
        consumer_label=form.raw("consumerLabel"),
        provider=form.raw("provider"),
        provider_label=form.raw("providerLabel"),
        events=form.texts("events"),
        consumer_branches=form.raw("consumerBranches"),
        provider_branches=form.raw("providerBranches"),
        tags=form.raw("tags"),
        environments=form.texts("environments"),
        main_branch_only=form.has("mainBranchOnly"),
        method=form.raw("method"),
        url=form.raw("url"),
        headers="\n".join(map(_without_secret, form.raw("headers").split("\n"))),
        body=form.raw("body"),
        username=form.raw("username"),
        removes_secret=form.has("removeSecret"),
        example=form.raw("example"),
        problems=_by_field(problems),
    )


def _without_secret(line: str) -> str:
    name, colon, value = line.partition(":")
    is_secret = colon and value.strip() and is_secret_header(name, value) and not presets.list_blanks(value)
    return f"{name}: {MASK}" if is_secret else line


_FIELDS: Final[Mapping[tuple[str | int, ...], str]] = {
    ("consumer", "label"): "consumerLabel",
    ("provider", "label"): "providerLabel",
}


def _by_field(problems: Iterable[Problem]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in problems:
        path = one.path[1:] if one.path[:1] == ("request",) else one.path
        name = _FIELDS.get(path[:2]) or str(path[0] if path else "")
        found.setdefault(name, []).append(one.text)
    return found


# What was meant


def read(form: Form, existing: Webhook | None, *, settings: Settings, exists: Callable[[str], bool]) -> WebhookDraft:
    """Read a webhook by the rules of the API, and those that only forms need. Raises Invalid."""
    headers, problems = _headers(form, existing)
    given = _given(form, existing, headers)
    problems += [*_events_missing(form), *_gaps(given["request"], form)]
    try:
        draft = webhook_bodies.read(given, sides={}, uuid=None, settings=settings, exists=exists)
    except Invalid as error:
        raise Invalid(*_without_gapped(problems, error.problems)) from error
    if problems:
        raise Invalid(*problems)
    return draft


def _without_gapped(mine: Iterable[Problem], others: Iterable[Problem]) -> list[Problem]:
    """Say nothing more of a field in which a gap was left."""
    known = list(mine)
    paths = {one.path for one in known}
    return [*known, *(one for one in others if one.path not in paths)]


def _given(form: Form, existing: Webhook | None, headers: Mapping[str, str]) -> dict[str, Any]:
    """Make the body that a client of the API would send."""
    request = {
        "method": form.text("method"),
        "url": form.text("url"),
        "headers": dict(headers),
        "body": _body(form, existing),
        "username": form.text("username") or None,
        "password": form.raw("password") or None,
    }
    return {
        "description": form.text("description"),
        "enabled": form.has("enabled"),
        "pauseWhenFailing": form.has("pauseWhenFailing"),
        "consumer": _side(form, "consumer"),
        "provider": _side(form, "provider"),
        **({"events": [{"name": name} for name in form.texts("events")]} if form.has("events") else {}),
        "request": request,
        "secret": "" if form.has("removeSecret") else form.raw("secret") or None,
        **{name: list(form.lines(name)) or None for name in ("consumerBranches", "providerBranches", "tags")},
        "environments": list(form.texts("environments")) or None,
        "mainBranchOnly": form.has("mainBranchOnly"),
    }


def _side(form: Form, role: str) -> dict[str, str] | None:
    name, its_label = form.text(role), form.text(f"{role}Label")
    given = {key: text for key, text in (("name", name), ("label", its_label)) if text}
    return given or None


def _body(form: Form, existing: Webhook | None) -> Any:
    """Take an object for what it is, unless it was a text before; everything else is sent as it was typed."""
    typed = form.raw("body")
    old = existing.request.body if existing else ""
    if typed.strip() == format_body(old).replace("\r\n", "\n").strip():
        return old
    try:
        return bodies.read(typed.encode("utf-8", "replace"), dict, empty=b"[]")
    except Malformed:
        return typed


def _headers(form: Form, existing: Webhook | None) -> tuple[dict[str, str], list[Problem]]:
    headers: dict[str, str] = {}
    problems: list[Problem] = []
    for line in form.lines("headers"):
        name, colon, value = (part.strip() for part in line.partition(":"))
        text = _header_problem(name, value, headers, existing) if colon else f"'{line}' is not like 'Name: value'"
        if text:
            problems.append(Problem(("request", "headers"), text))
        headers[name.lower()] = value
    return headers, problems


def _header_problem(name: str, value: str, before: Mapping[str, str], existing: Webhook | None) -> str | None:
    if name.lower() in before:
        return f"'{name}' is given twice"
    if value and is_mask(value) and not (existing and name.lower() in existing.request.headers):
        return f"the value of '{name}' is hidden, so it has to be typed again"
    return None


def _events_missing(form: Form) -> Iterable[Problem]:
    if not form.has("events"):
        yield Problem(("events",), "choose at least one, or it is never sent")


def _gaps(request: Mapping[str, Any], form: Form) -> Iterable[Problem]:
    """Find what a ready webhook left to be filled in."""
    texts = {
        "url": request["url"],
        "headers": form.raw("headers"),
        "body": form.raw("body"),
        "username": request["username"] or "",
    }
    for name, text in texts.items():
        open_gaps = presets.list_blanks(text)
        if open_gaps:
            yield Problem(("request", name), f"put your own in the place of {' and '.join(open_gaps)}")
