"""The webhook form: the values of its fields, and reading a submitted form as a webhook.

A submitted form becomes the body that an API client would send, so both follow the same rules.
Fields never contain secrets. A blank password or secret, or a header value of asterisks, keeps the stored secret.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from treaty.actions.webhooks.webhooks import WebhookDraft
from treaty.errors import Invalid, Malformed, Problem
from treaty.model.webhooks import presets
from treaty.model.webhooks.events import CONTRACT_REQUIRING_VERIFICATION_PUBLISHED
from treaty.model.webhooks.presets import WebhookPreset
from treaty.model.webhooks.secrecy import is_secret_header, remove_user
from treaty.model.webhooks.webhooks import MASK, PacticipantMatcher, Webhook, is_mask
from treaty.settings import Settings
from treaty.web.api.webhooks import bodies as webhook_bodies
from treaty.web.api.webhooks.bodies import ExplainMissing
from treaty.web.http import json_bodies
from treaty.web.http.forms import Form


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookFields:
    """Values of the form's fields."""

    description: str = ""
    enabled: bool = True
    pauses: bool = False
    consumer: str = ""
    consumer_label: str = ""
    provider: str = ""
    provider_label: str = ""
    consumers: str = ""
    """Further consumers, one name a line, like the other lists of names."""
    consumer_labels: str = ""
    providers: str = ""
    provider_labels: str = ""
    digest: str = ""
    """Interval of digests, such as 1d."""
    events: tuple[str, ...] = (CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,)
    consumer_branches: str = ""
    provider_branches: str = ""
    tags: str = ""
    environments: tuple[str, ...] = ()
    main_branch_only: bool = False
    method: str = "POST"
    url: str = ""
    headers: str = ""
    """One "Name: value" a line."""
    body: str = ""
    username: str = ""
    removes_secret: bool = False
    example: str = ""
    """Key of the past event to preview."""
    problems: Mapping[str, list[str]] = field(default_factory=dict)
    """Validation messages by field name."""

    @property
    def has_lists(self) -> bool:
        return any((self.consumers, self.consumer_labels, self.providers, self.provider_labels))

    @property
    def has_filters(self) -> bool:
        lists = (self.consumer_branches, self.provider_branches, self.tags, self.environments)
        return self.main_branch_only or any(lists)


# Showing a form


def fill_from_preset(preset: WebhookPreset | None, *, consumer: str, provider: str) -> WebhookFields:
    """Fill in the form for a new webhook, from a preset if one was chosen."""
    blank = WebhookFields(consumer=consumer, provider=provider)
    if preset is None:
        return replace(blank, headers="Content-Type: application/json")
    return replace(
        blank,
        description=preset.description,
        events=preset.events,
        url=preset.url,
        headers=_format_headers(preset.request_headers),
        body=_format_json(preset.body) if preset.body else "",
        username=preset.username,
    )


def fill_fields(webhook: Webhook) -> WebhookFields:
    """Fill in the form for a saved webhook, without its secrets."""
    filters, request = webhook.filters, webhook.request
    consumer, provider = webhook.consumer or PacticipantMatcher(), webhook.provider or PacticipantMatcher()
    return WebhookFields(
        description=webhook.description or "",
        enabled=webhook.is_enabled,
        pauses=webhook.pauses,
        consumer=consumer.name or "",
        consumer_label=consumer.label or "",
        provider=provider.name or "",
        provider_label=provider.label or "",
        consumers=_join(member.name for member in webhook.consumers or ()),
        consumer_labels=_join(member.label for member in webhook.consumers or ()),
        providers=_join(member.name for member in webhook.providers or ()),
        provider_labels=_join(member.label for member in webhook.providers or ()),
        digest=webhook.digest or "",
        events=webhook.events,
        consumer_branches="\n".join(filters.consumer_branches or ()),
        provider_branches="\n".join(filters.provider_branches or ()),
        tags="\n".join(filters.tags or ()),
        environments=filters.environments or (),
        main_branch_only=filters.main_branch_only,
        method=request.method.upper(),
        url=remove_user(request.url)[0],
        headers=_format_headers(
            {
                name: MASK if not isinstance(value, str) or is_secret_header(name, value) else value
                for name, value in request.headers.items()
            }
        ),
        body=format_body(request.body),
        username=request.username or "",
    )


def _join(names: Iterable[str | None]) -> str:
    return "\n".join(name for name in names if name is not None)


def _format_headers(headers: Mapping[str, str]) -> str:
    return "\n".join(f"{name.title() if name.islower() else name}: {value}" for name, value in headers.items())


def format_body(body: Any) -> str:
    """Format a webhook's body for editing. A body that is a string stays as it is."""
    if body is None or isinstance(body, str):
        return body or ""
    return _format_json(body)


def _format_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def restore_fields(form: Form, problems: Iterable[Problem] = ()) -> WebhookFields:
    """Show a submitted form again, without its secrets and with its validation messages."""
    return WebhookFields(
        description=form.raw("description"),
        enabled=form.has("enabled"),
        pauses=form.has("pauseWhenFailing"),
        consumer=form.raw("consumer"),
        consumer_label=form.raw("consumerLabel"),
        provider=form.raw("provider"),
        provider_label=form.raw("providerLabel"),
        consumers=form.raw("consumers"),
        consumer_labels=form.raw("consumerLabels"),
        providers=form.raw("providers"),
        provider_labels=form.raw("providerLabels"),
        digest=form.raw("digest"),
        events=form.texts("events"),
        consumer_branches=form.raw("consumerBranches"),
        provider_branches=form.raw("providerBranches"),
        tags=form.raw("tags"),
        environments=form.texts("environments"),
        main_branch_only=form.has("mainBranchOnly"),
        method=form.raw("method"),
        url=form.raw("url"),
        headers="\n".join(map(_mask_secret, form.raw("headers").split("\n"))),
        body=form.raw("body"),
        username=form.raw("username"),
        removes_secret=form.has("removeSecret"),
        example=form.raw("example"),
        problems=_group_by_field(problems),
    )


def _mask_secret(line: str) -> str:
    name, colon, value = line.partition(":")
    # A blank such as <TOKEN> is not a secret, and has to stay visible until its owner replaces it.
    is_secret = (
        colon and value.strip() and is_secret_header(name.strip(), value.strip()) and not presets.list_blanks(value)
    )
    return f"{name}: {MASK}" if is_secret else line


_LABEL_FIELDS: Final[Mapping[tuple[str | int, ...], str]] = {
    ("consumer", "label"): "consumerLabel",
    ("provider", "label"): "providerLabel",
}


def _group_by_field(problems: Iterable[Problem]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for problem in problems:
        path = problem.path[1:] if problem.path[:1] == ("request",) else problem.path
        name = _LABEL_FIELDS.get(path[:2]) or str(path[0] if path else "")
        texts.setdefault(name, []).append(problem.text)
    return texts


# Reading a submitted form


def read(form: Form, existing: Webhook | None, *, settings: Settings, explain_missing: ExplainMissing) -> WebhookDraft:
    """Read a webhook by the rules of the API and those that only forms need. Raises Invalid."""
    headers, problems = _read_headers(form, existing)
    body = _build_api_body(form, existing, headers)
    problems += [*_check_events(form), *_check_blanks(body["request"], form)]
    try:
        draft = webhook_bodies.read(body, sides={}, uuid=None, settings=settings, explain_missing=explain_missing)
    except Invalid as error:
        # A field with an unfilled blank gets only that message: the API's complaint would follow from it.
        reported_paths = {problem.path for problem in problems}
        others = [problem for problem in error.problems if problem.path not in reported_paths]
        raise Invalid(*problems, *others) from error
    if problems:
        raise Invalid(*problems)
    return draft


def _build_api_body(form: Form, existing: Webhook | None, headers: Mapping[str, str]) -> dict[str, Any]:
    """Build the body that an API client would send for the same webhook."""
    request = {
        "method": form.text("method"),
        "url": form.text("url"),
        "headers": dict(headers),
        "body": _read_body(form, existing),
        "username": form.text("username") or None,
        "password": form.raw("password") or None,
    }
    return {
        "description": form.text("description"),
        "enabled": form.has("enabled"),
        "pauseWhenFailing": form.has("pauseWhenFailing"),
        **_read_sides(form, "consumer"),
        **_read_sides(form, "provider"),
        "digest": {"every": form.text("digest")} if form.text("digest") else None,
        **({"events": [{"name": name} for name in form.texts("events")]} if form.has("events") else {}),
        "request": request,
        "secret": "" if form.has("removeSecret") else form.raw("secret") or None,
        **{name: list(form.lines(name)) or None for name in ("consumerBranches", "providerBranches", "tags")},
        "environments": list(form.texts("environments")) or None,
        "mainBranchOnly": form.has("mainBranchOnly"),
    }


def _read_sides(form: Form, role: str) -> dict[str, Any]:
    """Read the single field of a role, or the single fields and the lists together."""
    named = form.lines(f"{role}s")
    labeled = form.lines(f"{role}Labels")
    if not named and not labeled:
        return {role: _read_side(form, role)}
    single = [{key: text} for key, text in (_read_side(form, role) or {}).items()]
    return {f"{role}s": [*single, *({"name": name} for name in named), *({"label": name} for name in labeled)]}


def _read_side(form: Form, role: str) -> dict[str, str] | None:
    members = {"name": form.text(role), "label": form.text(f"{role}Label")}
    return {name: text for name, text in members.items() if text} or None


def _read_body(form: Form, existing: Webhook | None) -> Any:
    """Read a JSON object as an object and everything else as text.

    An unchanged body keeps its type: a string that looks like JSON is sent byte for byte, an object is not.
    """
    text = form.raw("body")
    old_body = existing.request.body if existing else ""
    if text.strip() == format_body(old_body).replace("\r\n", "\n").strip():
        return old_body
    try:
        return json_bodies.read_object(text.encode("utf-8", "replace"), empty=b"[]")
    except Malformed:
        return text


def _read_headers(form: Form, existing: Webhook | None) -> tuple[dict[str, str], list[Problem]]:
    headers: dict[str, str] = {}
    problems: list[Problem] = []
    for line in form.lines("headers"):
        name, colon, value = (part.strip() for part in line.partition(":"))
        text = _check_header(name, value, headers, existing) if colon else f"'{line}' must have the form 'Name: value'"
        if text:
            problems.append(Problem(("request", "headers"), text))
        headers[name.lower()] = value
    return headers, problems


def _check_header(name: str, value: str, previous: Mapping[str, str], existing: Webhook | None) -> str | None:
    if name.lower() in previous:
        return f"'{name}' appears twice; keep one of the lines"
    if value and is_mask(value) and not (existing and name.lower() in existing.request.headers):
        return f"the value of '{name}' is masked; type it again"
    return None


def _check_events(form: Form) -> Iterable[Problem]:
    # The API accepts a body without events, and then keeps the stored events or uses the default.
    if not form.has("events"):
        yield Problem(("events",), "choose at least one event, or the webhook is never sent")


def _check_blanks(request: Mapping[str, Any], form: Form) -> Iterable[Problem]:
    """Report the blanks of a preset, such as <TOKEN>, that have not been replaced."""
    texts = {
        "url": request["url"],
        "headers": form.raw("headers"),
        "body": form.raw("body"),
        "username": request["username"] or "",
    }
    for name, text in texts.items():
        if blanks := presets.list_blanks(text):
            yield Problem(("request", name), f"replace {' and '.join(blanks)} with your own values")
