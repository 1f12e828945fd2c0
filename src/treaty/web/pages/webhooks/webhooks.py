"""Webhooks as pages: how they fare, what they sent and what came back, and the forms that make and try them."""

import json
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from treaty import outgoing
from treaty.actions.webhooks import deliveries
from treaty.actions.webhooks import events as event_actions
from treaty.actions.webhooks import webhooks as webhook_actions
from treaty.actions.webhooks.deliveries import WebhookTest, WebhookTestResult
from treaty.actions.webhooks.events import EventContext
from treaty.actions.webhooks.webhooks import WebhookDraft
from treaty.errors import Invalid, NotFound
from treaty.model.paging import Page as Part
from treaty.model.webhooks import presets, previews
from treaty.model.webhooks.deliveries import OutgoingRequest
from treaty.model.webhooks.previews import PreviewEvent
from treaty.model.webhooks.webhooks import Webhook
from treaty.store import deployments
from treaty.store.engine.vault import WrongKey, get_vault
from treaty.store.overview import overview
from treaty.store.pacticipants import labels, pacticipants
from treaty.store.webhooks import preview_events, triggered_webhooks, webhooks
from treaty.web import urls
from treaty.web.api.webhooks.bodies import METHODS
from treaty.web.api.webhooks.webhooks import ADDRESSES, request_state
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.pages.webhooks import forms
from treaty.web.pages.webhooks.forms import EVENT_LABELS, WebhookFields
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
NAMES_PAGE: Final = Part(1, 200)
"""Names that a form suggests."""


@router.page(urls.WEBHOOKS, permission=Permission.READ, is_original=False)
def show_webhooks(call: Request) -> HtmlPage:
    """List all webhooks with their health."""
    facts = {"webhooks": webhooks.list_all(call.db), "latest": triggered_webhooks.load_latest_statuses(call.db)}
    return HtmlPage("webhooks.html", facts)


@router.page(urls.WEBHOOK, permission=Permission.READ, is_original=False)
def show_webhook(call: Request, uuid: str) -> HtmlPage:
    """Show a webhook and a page of its deliveries."""
    found, page = _get(call, uuid), read_rows_page(call, PAGE_SIZE)
    shown = request_state(found.request)
    facts = {"one": found, "request": shown, "body": forms.format_body(found.request.body)}
    listed = triggered_webhooks.list_of_webhook(call.db, uuid, page)
    return HtmlPage("webhook.html", {**facts, "words": EVENT_LABELS, "page": page, "found": listed})


def _get(call: Request, uuid: str) -> Webhook:
    found = webhooks.find(call.db, uuid)
    if found is None:
        raise NotFound
    return found


@router.page(urls.TRIGGERED_WEBHOOK_LOGS, permission=Permission.READ, is_original=False)
def show_delivery(call: Request, uuid: str) -> HtmlPage:
    """Show what was sent in each attempt, and what came back."""
    found = triggered_webhooks.find(call.db, uuid)
    if found is None:
        raise NotFound
    facts = {
        "one": found,
        "executions": triggered_webhooks.list_executions(call.db, uuid),
        "remaining": found.attempts_remaining(call.settings.webhook_retry_schedule),
    }
    return HtmlPage("delivery.html", facts)


@router.form(urls.REDELIVER_PAGE, permission=Permission.MANAGE_WEBHOOK)
def send_again(call: Request, uuid: str) -> Redirect:
    """Send what was triggered once again, as the webhook is now."""
    deliveries.redeliver(call.db, uuid, now=call.now)
    call.has_queued = True
    return redirect(call, urls.TRIGGERED_WEBHOOK_LOGS.fill(uuid=uuid), done="again")


# Forms


@router.page(urls.NEW_WEBHOOK, permission=Permission.READ)
def show_new_webhook(call: Request) -> HtmlPage:
    """Show the form for a new webhook, blank or with what a ready one brings along."""
    ready = presets.find_preset(call.option("template"))
    sides = {role: call.option(role) or "" for role in ("consumer", "provider")}
    return _form(call, forms.fill_from_preset(ready, **sides), None)


@router.form(urls.NEW_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def add_webhook(call: Request) -> HtmlPage | Redirect:
    """Add a webhook, or show what it would send."""
    return _sent(call, None)


@router.page(urls.EDIT_WEBHOOK, permission=Permission.READ)
def show_changing_webhook(call: Request, uuid: str) -> HtmlPage:
    """Show the form of a webhook."""
    existing = _get(call, uuid)
    return _form(call, forms.fill_fields(existing), existing)


@router.form(urls.EDIT_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def change_webhook(call: Request, uuid: str) -> HtmlPage | Redirect:
    """Change a webhook, or show what it would send then."""
    existing = webhooks.lock(call.db, uuid)
    if existing is None:
        raise NotFound
    return _sent(call, existing)


def _sent(call: Request, existing: Webhook | None) -> HtmlPage | Redirect:
    try:
        draft = forms.read(
            call.form,
            existing,
            settings=call.settings,
            exists=lambda name: pacticipants.find(call.db, name) is not None,
        )
    except Invalid as error:
        return _form(call, forms.restore_fields(call.form, error.problems), existing, status=error.status)
    if call.form.has("preview"):
        return _previewed(call, draft, existing)
    saved = _saved(call, draft, existing)
    return redirect(call, urls.WEBHOOK.fill(uuid=saved.uuid), done="saved" if existing else "created")


def _saved(call: Request, draft: WebhookDraft, existing: Webhook | None) -> Webhook:
    vault = get_vault(call.settings)
    if existing is None:
        return webhook_actions.create_webhook(call.db, draft, vault=vault, now=call.now)
    changed, _ = webhook_actions.put_webhook(call.db, existing.uuid, draft, vault=vault, now=call.now)
    return changed


def _previewed(call: Request, draft: WebhookDraft, existing: Webhook | None) -> HtmlPage:
    uuid = existing.uuid if existing else webhook_actions.new_uuid()
    meant = webhook_actions.build_webhook(draft, existing, uuid=uuid, vault=get_vault(call.settings), now=call.now)
    preview = _preview(call, meant, call.form.raw("example"))
    return _form(call, forms.restore_fields(call.form), existing, preview=preview)


def _form(
    call: Request,
    fields: WebhookFields,
    existing: Webhook | None,
    *,
    preview: "_Preview | None" = None,
    status: int = 200,
) -> HtmlPage:
    known = [one.name for one in deployments.list_all(call.db)]
    facts = {
        "fields": fields,
        "existing": existing,
        "preview": preview,
        "words": EVENT_LABELS,
        "ready": presets.PRESETS,
        "template": presets.find_preset(call.option("template")),
        "methods": _methods(call, fields.method),
        "environments": [*known, *(name for name in fields.environments if name not in known)],
        "names": overview.list_names_like(call.db, "", NAMES_PAGE).items,
        "labels": labels.list_names(call.db, NAMES_PAGE).items,
    }
    return HtmlPage("webhook_form.html", facts, status)


def _methods(call: Request, chosen: str) -> list[str]:
    """List the methods that may be chosen, and the one that was chosen before."""
    allowed = [one.upper() for one in call.settings.webhook_http_method_whitelist] or sorted(METHODS)
    return allowed if chosen in allowed or not chosen else [*allowed, chosen]


@router.page(urls.DELETE_WEBHOOK, permission=Permission.READ)
def ask_before_removing(call: Request, uuid: str) -> HtmlPage:
    """Ask whether a webhook is to be deleted."""
    return HtmlPage("webhook_delete.html", {"one": _get(call, uuid)})


@router.form(urls.DELETE_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def remove_webhook(call: Request, uuid: str) -> Redirect:
    """Remove a webhook."""
    webhook_actions.remove_webhook(call.db, uuid)
    return redirect(call, urls.WEBHOOKS.fill(), done="deleted")


# What would be sent, and sending it


@dataclass(frozen=True, kw_only=True, slots=True)
class _Preview:
    """What a webhook would send for something that has happened."""

    events: list[PreviewEvent]
    """All that can be chosen."""
    chosen: PreviewEvent | None
    """None where nothing fits; the request is then about a pact that is made up."""
    request: OutgoingRequest | None
    reason: str
    """Why there is no request."""
    is_admitted: bool
    """Whether the webhook's filters let the event through."""

    @property
    def body(self) -> str:
        return self.request.body.decode("utf-8", "replace") if self.request else ""

    @property
    def is_broken_json(self) -> bool:
        """Whether the body says that it is JSON, and is not."""
        if self.request is None or "json" not in self.request.headers.get("content-type", ""):
            return False
        try:
            json.loads(self.body)
        except (ValueError, RecursionError):
            return True
        return False


def _preview(call: Request, one: Webhook, key: str) -> _Preview:
    events, chosen = _events(call.db, one, key)
    trial = _trial(call, one, chosen)
    request, reason = None, ""
    try:
        request = deliveries.preview_request(trial, settings=call.settings, addresses=ADDRESSES, now=call.now)
    except (WrongKey, ValueError) as error:
        reason = str(error)
    admitted = chosen is None or event_actions.is_matching(call.db, one.filters, chosen.name, _occasion(chosen, trial))
    return _Preview(events=events, chosen=chosen, request=request, reason=reason, is_admitted=admitted)


def _events(db: Connection, one: Webhook, key: str) -> tuple[list[PreviewEvent], PreviewEvent | None]:
    events = previews.list_preview_events(preview_events.list_latest(db, one), one.events)
    chosen = next((it for it in events if it.key == key), None)
    return events, chosen or next(iter(events), None)


def _trial(call: Request, one: Webhook, chosen: PreviewEvent | None) -> WebhookTest:
    if chosen is None:
        return deliveries.prepare_test(call.db, one, base_url=call.base_url)
    return deliveries.prepare_past_event_test(call.db, one, chosen, base_url=call.base_url)


def _occasion(chosen: PreviewEvent, trial: WebhookTest) -> EventContext:
    result = chosen.result
    return EventContext(
        consumer=chosen.pact.consumer,
        consumer_version=chosen.pact.consumer_version,
        provider=chosen.pact.provider,
        provider_version=result.provider_version if result else trial.context.get("provider_version_number"),
    )


@router.page(urls.TEST_WEBHOOK, permission=Permission.READ)
def show_trying_webhook(call: Request, uuid: str) -> HtmlPage:
    """Show what a webhook would send for a past event."""
    return _tried(call, _get(call, uuid), call.option("example") or "", None)


@router.form(urls.TEST_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def try_webhook(call: Request, uuid: str) -> AfterCommit:
    """Send what a webhook would send for a past event, and show what comes back. Nothing of it is kept."""
    one, key = _get(call, uuid), call.form.raw("example")
    trial = _trial(call, one, _events(call.db, one, key)[1])
    before = _tried(call, one, key, None)
    deliveries.record_test(call.db, one)

    def work() -> HtmlPage:
        tried = deliveries.send_test(trial, settings=call.settings, addresses=ADDRESSES, send=outgoing.send)
        return HtmlPage(before.template, {**before.context, "tried": tried})

    return AfterCommit(work)


def _tried(call: Request, one: Webhook, key: str, tried: WebhookTestResult | None) -> HtmlPage:
    facts = {"one": one, "preview": _preview(call, one, key), "tried": tried, "words": EVENT_LABELS}
    return HtmlPage("webhook_try.html", facts)
