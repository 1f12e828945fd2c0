"""Webhooks as pages: what there is and how it fares, and each delivery with its requests and responses."""

from typing import Final

from treaty.errors import NotFound
from treaty.store import triggered_webhooks, webhooks
from treaty.web import urls
from treaty.web.page_queries import part_of
from treaty.web.routing import Call, Page, Permission, Router

router = Router()

SIZE: Final = 50


@router.page(urls.WEBHOOKS, permission=Permission.READ, is_original=False)
def show_webhooks(call: Call) -> Page:
    """List all webhooks with their health."""
    facts = {"webhooks": webhooks.every(call.db), "latest": triggered_webhooks.latest_of_each(call.db)}
    return Page("webhooks.html", facts)


@router.page(urls.WEBHOOK, permission=Permission.READ, is_original=False)
def show_webhook(call: Call, uuid: str) -> Page:
    """Show a webhook and a page of its deliveries."""
    found = webhooks.find(call.db, uuid)
    if found is None:
        raise NotFound
    page = part_of(call, SIZE)
    return Page(
        "webhook.html", {"one": found, "page": page, "found": triggered_webhooks.of_webhook(call.db, uuid, page)}
    )


@router.page(urls.TRIGGERED_WEBHOOK_LOGS, permission=Permission.READ, is_original=False)
def show_delivery(call: Call, uuid: str) -> Page:
    """Show what was sent in each attempt, and what came back."""
    found = triggered_webhooks.find(call.db, uuid)
    if found is None:
        raise NotFound
    facts = {
        "one": found,
        "executions": triggered_webhooks.executions(call.db, uuid),
        "remaining": found.attempts_remaining(call.settings.webhook_retry_schedule),
    }
    return Page("delivery.html", facts)
