"""Webhook pages: their health, their deliveries, and the forms that create, change, test and delete them."""

import json
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy import Connection

from treaty import outgoing
from treaty.actions.webhooks import webhooks as webhook_actions
from treaty.actions.webhooks.deliveries import (
    WebhookTest,
    approve_server,
    prepare_past_event_test,
    prepare_test,
    preview_request,
    record_test,
    redeliver,
    send_test,
)
from treaty.actions.webhooks.events import EventContext, is_matching
from treaty.actions.webhooks.named_secrets import find_used
from treaty.actions.webhooks.webhooks import WebhookDraft
from treaty.errors import Forbidden, Invalid, NotFound, Problem
from treaty.model.paging import Page
from treaty.model.webhooks import presets, previews
from treaty.model.webhooks.deliveries import OutgoingRequest
from treaty.model.webhooks.events import EVENT_TYPES_BY_NAME, list_form_event_types
from treaty.model.webhooks.parameters import PARAMETERS
from treaty.model.webhooks.previews import PreviewEvent
from treaty.model.webhooks.webhooks import Webhook
from treaty.store import deployments
from treaty.store.engine.vault import WrongKey, get_vault
from treaty.store.overview import overview
from treaty.store.pacticipants import labels
from treaty.store.webhooks import preview_events, triggered_webhooks, webhooks
from treaty.web import urls
from treaty.web.api.webhooks.bodies import METHODS, explain_missing
from treaty.web.api.webhooks.triggered_webhooks import list_shown_executions
from treaty.web.api.webhooks.webhooks import get_existing, get_shown, request_state
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.pages.webhooks import forms
from treaty.web.pages.webhooks.forms import WebhookFields
from treaty.web.parameter_urls import PARAMETER_URLS
from treaty.web.security.authorization import approving_secrets
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
SUGGESTED_NAMES: Final = Page(1, 200)
"""Names of applications and labels that a form suggests."""


@router.page(urls.WEBHOOKS, permission=Permission.READ_WEBHOOK, is_original=False)
def show_webhooks(request: Request) -> HtmlPage:
    """List all webhooks with their health."""
    context = {
        "webhooks": webhooks.list_all(request.db),
        "latest": triggered_webhooks.load_latest(request.db),
    }
    return HtmlPage("webhooks.html", context)


@router.page(urls.WEBHOOK, permission=Permission.READ_WEBHOOK, is_original=False)
def show_webhook(request: Request, uuid: str) -> HtmlPage:
    """Show a webhook and a page of its deliveries."""
    webhook, page = get_shown(request, uuid), read_rows_page(request, PAGE_SIZE)
    context = {
        "webhook": webhook,
        "request": request_state(webhook.request),
        "body": forms.format_body(webhook.request.body),
        "page": page,
        "deliveries": triggered_webhooks.list_of_webhook(request.db, uuid, page),
    }
    return HtmlPage("webhook.html", context)


@router.page(urls.TRIGGERED_WEBHOOK_LOGS, permission=Permission.READ_WEBHOOK, is_original=False)
def show_delivery(request: Request, uuid: str) -> HtmlPage:
    """Show each attempt of a delivery: the request and the response."""
    delivery = triggered_webhooks.find(request.db, uuid)
    if delivery is None:
        raise NotFound
    context = {
        "delivery": delivery,
        "executions": list_shown_executions(request, uuid),
        "remaining": delivery.attempts_remaining(request.settings.webhook_retry_schedule),
    }
    return HtmlPage("delivery.html", context)


@router.form(urls.REDELIVER_PAGE, permission=Permission.MANAGE_WEBHOOK)
def send_again(request: Request, uuid: str) -> Redirect:
    """Send a delivery again, with the webhook as it is now."""
    redeliver(request.db, uuid, now=request.now)
    request.has_queued = True
    return redirect(request, urls.TRIGGERED_WEBHOOK_LOGS.fill(uuid=uuid), done="again")


# Forms


@router.page(urls.NEW_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def show_new_webhook(request: Request) -> HtmlPage:
    """Show the form for a new webhook, blank or filled in from a preset."""
    preset = presets.find_preset(request.option("template"))
    sides = {role: request.option(role) or "" for role in ("consumer", "provider")}
    return _render_form(request, forms.fill_from_preset(preset, **sides), None)


@router.form(urls.NEW_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def add_webhook(request: Request) -> HtmlPage | Redirect:
    """Add a webhook, or preview what it would send."""
    return _save_or_preview(request, None)


@router.page(urls.EDIT_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def show_changing_webhook(request: Request, uuid: str) -> HtmlPage:
    """Show the form of a saved webhook."""
    existing = get_existing(request, uuid)
    return _render_form(request, forms.fill_fields(existing), existing)


@router.form(urls.EDIT_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def change_webhook(request: Request, uuid: str) -> HtmlPage | Redirect:
    """Change a webhook, or preview what it would send after the change."""
    # The form is read against the stored secrets and body, so they are locked until it is saved.
    existing = webhooks.lock(request.db, uuid)
    if existing is None:
        raise NotFound
    return _save_or_preview(request, existing)


def _save_or_preview(request: Request, existing: Webhook | None) -> HtmlPage | Redirect:
    try:
        draft = forms.read(
            request.form,
            existing,
            settings=request.settings,
            explain_missing=partial(explain_missing, request.db),
        )
        if request.form.has("preview"):
            return _preview_draft(request, draft, existing)
        saved = _save(request, draft, existing)
    except Invalid as error:
        return _render_form(request, forms.restore_fields(request.form, error.problems), existing, status=error.status)
    except Forbidden as error:
        problem = Problem(("request", "url"), str(error))
        return _render_form(request, forms.restore_fields(request.form, [problem]), existing, status=403)
    return redirect(request, urls.WEBHOOK.fill(uuid=saved.uuid), done="saved" if existing else "created")


def _save(request: Request, draft: WebhookDraft, existing: Webhook | None) -> Webhook:
    vault = get_vault(request.settings)
    with approving_secrets(request) as can_manage_secrets:
        if existing is None:
            return webhook_actions.create_webhook(
                request.db, draft, vault=vault, now=request.now, can_manage_secrets=can_manage_secrets
            )
        changed, _ = webhook_actions.put_webhook(
            request.db, existing.uuid, draft, vault=vault, now=request.now, can_manage_secrets=can_manage_secrets
        )
        return changed


def _preview_draft(request: Request, draft: WebhookDraft, existing: Webhook | None) -> HtmlPage:
    vault = get_vault(request.settings)
    webhook = webhook_actions.build_webhook(
        draft,
        existing,
        uuid=existing.uuid if existing else webhook_actions.new_uuid(),
        vault=vault,
        now=request.now,
    )
    find_used(request.db, webhook.request, vault)
    is_approved = request.has_permission(Permission.MANAGE_SECRET)
    preview = _build_preview(request, webhook, request.form.raw("example"), is_approved=is_approved)
    return _render_form(request, forms.restore_fields(request.form), existing, preview=preview)


def _render_form(
    request: Request,
    fields: WebhookFields,
    existing: Webhook | None,
    *,
    preview: "_Preview | None" = None,
    status: int = 200,
) -> HtmlPage:
    environments = [environment.name for environment in deployments.list_in_pipeline(request.db)]
    context = {
        "fields": fields,
        "existing": existing,
        "preview": preview,
        "event_types": list_form_event_types(fields.events),
        "event_types_by_name": EVENT_TYPES_BY_NAME,
        "parameters": PARAMETERS,
        "presets": presets.PRESETS,
        "preset": presets.find_preset(request.option("template")),
        "methods": _list_methods(request, fields.method),
        # A filter may name an environment that has been deleted since. Saving the form must not drop it.
        "environments": [*environments, *(name for name in fields.environments if name not in environments)],
        "names": overview.list_names_like(request.db, "", SUGGESTED_NAMES).items,
        "labels": labels.list_names(request.db, SUGGESTED_NAMES).items,
    }
    return HtmlPage("webhook_form.html", context, status)


def _list_methods(request: Request, chosen: str) -> list[str]:
    """List the allowed methods, and the chosen one even if the settings no longer allow it."""
    allowed = [method.upper() for method in request.settings.webhook_http_method_whitelist] or sorted(METHODS)
    return allowed if chosen in allowed or not chosen else [*allowed, chosen]


@router.page(urls.DELETE_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def ask_before_removing(request: Request, uuid: str) -> HtmlPage:
    """Ask for confirmation before deleting a webhook."""
    webhook = get_shown(request, uuid)
    return HtmlPage("webhook_delete.html", {"webhook": webhook, "request": request_state(webhook.request)})


@router.form(urls.DELETE_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def remove_webhook(request: Request, uuid: str) -> Redirect:
    """Delete a webhook."""
    webhook_actions.remove_webhook(request.db, uuid)
    return redirect(request, urls.WEBHOOKS.fill(), done="deleted")


# Previews and tests


@dataclass(frozen=True, kw_only=True, slots=True)
class _Preview:
    """The request that a webhook would send for a past event."""

    events: list[PreviewEvent]
    """All past events to choose from."""
    chosen: PreviewEvent | None
    """None if there is no such event yet. The request is then about the latest matching pact, or about placeholders."""
    request: OutgoingRequest | None
    reason: str
    """Why no request can be built."""
    is_match: bool
    """Whether the event passes the webhook's filters."""

    @property
    def body(self) -> str:
        return self.request.body.decode("utf-8", "replace") if self.request else ""

    @property
    def is_broken_json(self) -> bool:
        """Whether the content type is JSON and the body is not."""
        if self.request is None or "json" not in self.request.headers.get("content-type", ""):
            return False
        try:
            json.loads(self.body)
        except (ValueError, RecursionError):
            return True
        return False


def _build_preview(request: Request, webhook: Webhook, key: str, *, is_approved: bool = False) -> _Preview:
    """Preview a webhook for the past event with this key, else for the latest one.

    With `is_approved`, saving it would approve its server for the secrets that it uses.
    """
    events, chosen = _choose_event(request.db, webhook, key)
    test = _prepare_test(request, webhook, chosen)
    if is_approved:
        test = approve_server(test)
    outgoing_request, reason = None, ""
    try:
        outgoing_request = preview_request(
            test, settings=request.settings, parameter_urls=PARAMETER_URLS, now=request.now
        )
    except (WrongKey, ValueError) as error:
        reason = str(error)
    return _Preview(
        events=events,
        chosen=chosen,
        request=outgoing_request,
        reason=reason,
        is_match=chosen is None or is_matching(request.db, webhook.filters, chosen.name, _event_context(chosen, test)),
    )


def _choose_event(db: Connection, webhook: Webhook, key: str) -> tuple[list[PreviewEvent], PreviewEvent | None]:
    events = previews.list_preview_events(preview_events.list_latest(db, webhook), webhook.events)
    chosen = next((event for event in events if event.key == key), None)
    return events, chosen or next(iter(events), None)


def _prepare_test(request: Request, webhook: Webhook, chosen: PreviewEvent | None) -> WebhookTest:
    if chosen is None:
        return prepare_test(request.db, webhook, base_url=request.base_url)
    return prepare_past_event_test(request.db, webhook, chosen, base_url=request.base_url)


def _event_context(chosen: PreviewEvent, test: WebhookTest) -> EventContext:
    result = chosen.result
    return EventContext(
        consumer=chosen.pact.consumer,
        consumer_version=chosen.pact.consumer_version,
        provider=chosen.pact.provider,
        provider_version=result.provider_version if result else test.context.get("provider_version_number"),
    )


@router.page(urls.TEST_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def show_trying_webhook(request: Request, uuid: str) -> HtmlPage:
    """Preview a saved webhook for a past event."""
    return _render_test(request, get_existing(request, uuid), request.option("example") or "")


@router.form(urls.TEST_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def try_webhook(request: Request, uuid: str) -> AfterCommit:
    """Send a webhook's request for a past event, and show the response. The test is not stored as a delivery."""
    webhook, key = get_existing(request, uuid), request.form.raw("example")
    test = _prepare_test(request, webhook, _choose_event(request.db, webhook, key)[1])
    page = _render_test(request, webhook, key)
    record_test(request.db, webhook)

    def work() -> HtmlPage:
        result = send_test(test, settings=request.settings, parameter_urls=PARAMETER_URLS, send=outgoing.send)
        return HtmlPage(page.template, {**page.context, "result": result})

    # Sending takes seconds; the transaction must not stay open for so long.
    return AfterCommit(work)


def _render_test(request: Request, webhook: Webhook, key: str) -> HtmlPage:
    context = {
        "webhook": webhook,
        "preview": _build_preview(request, webhook, key),
        "result": None,
        "event_types_by_name": EVENT_TYPES_BY_NAME,
    }
    return HtmlPage("webhook_try.html", context)
