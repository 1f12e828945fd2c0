"""Webhooks: requests that are sent when something happens to a pact."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NotRequired
from urllib.parse import urlsplit

from typing_extensions import TypedDict

from treaty import outgoing
from treaty.actions.webhooks import deliveries
from treaty.actions.webhooks import webhooks as webhook_actions
from treaty.actions.webhooks.deliveries import WebhookTestResult
from treaty.actions.webhooks.webhooks import WebhookDraft
from treaty.errors import NotFound
from treaty.model.webhooks.deliveries import NoResponse, WebhookResponse, decode_body, redact_header, redact_secrets
from treaty.model.webhooks.parameters import DeliveryFacts, ParameterUrls
from treaty.model.webhooks.webhooks import MASK, EncryptedText, PacticipantMatcher, Webhook, WebhookRequest
from treaty.store.engine.vault import get_vault
from treaty.store.pacticipants import pacticipants
from treaty.store.webhooks import webhooks
from treaty.web import urls
from treaty.web.api.webhooks import bodies
from treaty.web.api.webhooks.bodies import WebhookBody
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import JsonObject, NameOnly, Omittable, Times
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import Permission

router = Router()


@dataclass(frozen=True, slots=True)
class Webhooks:
    """A list of webhooks."""

    title: str
    webhooks: Sequence[Webhook]


# What came of trying one out


@dataclass(frozen=True, slots=True)
class WebhookTestReport:
    """A trial of a webhook, which may be a saved one."""

    test_result: WebhookTestResult
    is_saved: bool


class WebhookSide(TypedDict):
    name: NotRequired[str]
    label: NotRequired[str]


class WebhookRequestDocument(TypedDict):
    method: str
    url: str
    headers: NotRequired[Mapping[str, str]]
    body: NotRequired[Any]
    username: NotRequired[str]
    password: NotRequired[str]


class WebhookState(Times):
    uuid: str
    description: str
    consumer: Omittable[WebhookSide]
    provider: Omittable[WebhookSide]
    enabled: bool
    request: WebhookRequestDocument
    events: list[NameOnly]
    consumerBranches: Omittable[list[str]]
    providerBranches: Omittable[list[str]]
    tags: Omittable[list[str]]
    environments: Omittable[list[str]]
    mainBranchOnly: Omittable[bool]
    secret: Omittable[str]
    failing: Omittable[bool]
    failingSince: Omittable[datetime]
    pauseWhenFailing: Omittable[bool]
    paused: Omittable[bool]


WebhookLinks = TypedDict(
    "WebhookLinks",
    {
        "self": Link,
        "pb:execute": NotRequired[Link],  # hidden from callers who may not use it
        "pb:consumer": NotRequired[Link],
        "pb:consumers": NotRequired[Link],
        "pb:provider": NotRequired[Link],
        "pb:providers": NotRequired[Link],
        "pb:pact-webhooks": Omittable[Link],
        "pb:webhooks": Link,
    },
)


class WebhookDocument(WebhookState):
    _links: WebhookLinks


WebhooksLinks = TypedDict(
    "WebhooksLinks", {"self": Link, "pb:create": NotRequired[Link], "pb:webhooks": list[Link], "curies": list[Link]}
)


class WebhooksDocument(TypedDict):
    _links: WebhooksLinks


class ErrorMessage(TypedDict):
    message: str


class WebhookResponseDocument(TypedDict):
    status: int
    headers: JsonObject
    body: Any


WebhookTestLinks = TypedDict("WebhookTestLinks", {"webhook": Omittable[Link], "try-again": Link})


class WebhookTrialDocument(TypedDict):
    error: Omittable[ErrorMessage]
    request: JsonObject
    response: Omittable[WebhookResponseDocument]
    message: Omittable[str]
    logs: str
    success: bool
    _links: WebhookTestLinks


@router.get(urls.WEBHOOKS, permission=Permission.READ, response=WebhooksDocument)
def list_webhooks(call: Request) -> Webhooks:
    """List all webhooks."""
    return Webhooks("Webhooks", webhooks.list_all(call.db))


@router.post(
    urls.WEBHOOKS,
    permission=Permission.MANAGE_WEBHOOK,
    body=WebhookBody,
    response=WebhookDocument,
    links=link_to({"uuid": "$response.body#/uuid"}, "get_webhook", "put_webhook", "delete_webhook"),
)
def create_webhook(call: Request) -> Created:
    """Create a webhook for the pacts that its body names."""
    return _create(call)


@router.get(urls.PAIR_WEBHOOKS, permission=Permission.READ, response=WebhooksDocument)
def list_webhooks_of_pair(call: Request, provider: str, consumer: str) -> Webhooks:
    """List the webhooks for a consumer and a provider."""
    return Webhooks("Webhooks", _of_pair(call, provider, consumer))


@router.post(urls.PAIR_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookDocument)
def create_webhook_of_pair(call: Request, provider: str, consumer: str) -> Created:
    """Create a webhook for a consumer and a provider."""
    return _create(call, consumer=consumer, provider=provider)


@router.get(urls.PACT_WEBHOOKS, permission=Permission.READ, response=WebhooksDocument)
def list_webhooks_of_pact(call: Request, provider: str, consumer: str) -> Webhooks:
    """List the webhooks for a pact, whatever its version."""
    return Webhooks("Pact webhooks", _of_pair(call, provider, consumer))


@router.post(urls.PACT_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookDocument)
def create_webhook_of_pact(call: Request, provider: str, consumer: str) -> Created:
    """Create a webhook for a pact, whatever its version."""
    return _create(call, consumer=consumer, provider=provider)


@router.get(urls.PROVIDER_WEBHOOKS, permission=Permission.READ, response=WebhooksDocument)
def list_webhooks_of_provider(call: Request, provider: str) -> Webhooks:
    """List the webhooks for all pacts with a provider."""
    pacticipants.get(call.db, provider, "provider")
    return Webhooks("Webhooks", webhooks.list_of_sides(call.db, consumer=None, provider=provider))


@router.post(urls.PROVIDER_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookDocument)
def create_webhook_of_provider(call: Request, provider: str) -> Created:
    """Create a webhook for all pacts with a provider."""
    return _create(call, provider=provider)


@router.get(urls.CONSUMER_WEBHOOKS, permission=Permission.READ, response=WebhooksDocument)
def list_webhooks_of_consumer(call: Request, consumer: str) -> Webhooks:
    """List the webhooks for all pacts of a consumer."""
    pacticipants.get(call.db, consumer, "consumer")
    return Webhooks("Webhooks", webhooks.list_of_sides(call.db, consumer=consumer, provider=None))


@router.post(urls.CONSUMER_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookDocument)
def create_webhook_of_consumer(call: Request, consumer: str) -> Created:
    """Create a webhook for all pacts of a consumer."""
    return _create(call, consumer=consumer)


def _of_pair(call: Request, provider: str, consumer: str) -> list[Webhook]:
    _there(call, consumer=consumer, provider=provider)
    return webhooks.list_of_sides(call.db, consumer=consumer, provider=provider)


def _there(call: Request, **sides: str) -> None:
    for role, name in sides.items():
        pacticipants.get(call.db, name, role)


def _create(call: Request, **sides: str) -> Created:
    new = webhook_actions.create_webhook(call.db, read_draft(call, sides), vault=get_vault(call.settings), now=call.now)
    return Created(new, urls.WEBHOOK.fill(uuid=new.uuid))


def read_draft(call: Request, sides: Mapping[str, str], uuid: str | None = None) -> WebhookDraft:
    """Read the webhook in a body. Raises NotFound for a missing pacticipant of the path, and Invalid."""
    given = call.body(dict)
    _there(call, **sides)
    return bodies.read(
        given,
        sides=sides,
        uuid=uuid,
        settings=call.settings,
        exists=lambda name: pacticipants.find(call.db, name) is not None,
    )


@router.get(urls.WEBHOOK, permission=Permission.READ, response=WebhookDocument)
def get_webhook(call: Request, uuid: str) -> Webhook:
    """Read a webhook, without its secrets."""
    return _get(call, uuid)


def _get(call: Request, uuid: str) -> Webhook:
    found = webhooks.find(call.db, uuid)
    if found is None:
        raise NotFound
    return found


@router.put(urls.WEBHOOK, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookDocument)
def put_webhook(call: Request, uuid: str) -> Created | Updated:
    """Replace a webhook, or create one with an uuid of one's own. Secrets that are not sent along are kept."""
    draft = read_draft(call, {}, uuid)
    put, is_new = webhook_actions.put_webhook(call.db, uuid, draft, vault=get_vault(call.settings), now=call.now)
    return Created(put) if is_new else Updated(put)


@router.delete(urls.WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def delete_webhook(call: Request, uuid: str) -> Deleted:
    """Remove a webhook. What was sent to it stays readable."""
    webhook_actions.remove_webhook(call.db, uuid)
    return Deleted()


@router.post(
    urls.EXECUTE_UNSAVED_WEBHOOK, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookTrialDocument
)
def execute_unsaved_webhook(call: Request) -> AfterCommit:
    """Try out a webhook that is not saved."""
    draft = read_draft(call, {})
    tried = webhook_actions.build_webhook(
        draft, None, uuid=webhook_actions.new_uuid(), vault=get_vault(call.settings), now=call.now
    )
    return _try_out(call, tried, is_saved=False)


@router.post(urls.EXECUTE_WEBHOOK, permission=Permission.MANAGE_WEBHOOK, consumes=None, response=WebhookTrialDocument)
def execute_webhook(call: Request, uuid: str) -> AfterCommit:
    """Try out a webhook with the latest pact that it could be about."""
    return _try_out(call, _get(call, uuid), is_saved=True)


def _try_out(call: Request, webhook: Webhook, *, is_saved: bool) -> AfterCommit:
    deliveries.record_test(call.db, webhook)
    prepared = deliveries.prepare_test(call.db, webhook, base_url=call.base_url)

    def work() -> WebhookTestReport:
        tried = deliveries.send_test(prepared, settings=call.settings, addresses=ADDRESSES, send=outgoing.send)
        return WebhookTestReport(tried, is_saved)

    return AfterCommit(work)


@represent.register
def webhook(one: Webhook) -> Hal:
    return Hal(
        state={
            "uuid": one.uuid,
            "description": one.title,
            "consumer": _side(one.consumer),
            "provider": _side(one.provider),
            "enabled": one.is_enabled,
            "request": request_state(one.request),
            "events": [{"name": name} for name in one.events],
            **_additional(one),
            "updatedAt": one.updated_at if one.updated_at != one.created_at else None,
            "createdAt": one.created_at,
        },
        links=_links(one),
    )


def _side(side: PacticipantMatcher | None) -> dict[str, str] | None:
    if side is None:
        return None
    return {"name": side.name} if side.name is not None else {"label": side.label or ""}


def request_state(request: WebhookRequest) -> dict[str, object]:
    """Show a request, without its secrets."""
    shown = {
        "method": request.method,
        "url": request.url,
        "headers": {name: _shown(value) for name, value in request.headers.items()} or None,
        "body": request.body,
        "username": request.username,
        "password": _shown(request.password) if request.password is not None else None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _shown(value: str | EncryptedText) -> str:
    return MASK if isinstance(value, EncryptedText) else value


def _additional(one: Webhook) -> dict[str, object]:
    """Show what the original broker's webhooks do not have."""
    given = one.filters
    return {
        "consumerBranches": _listed(given.consumer_branches),
        "providerBranches": _listed(given.provider_branches),
        "tags": _listed(given.tags),
        "environments": _listed(given.environments),
        "mainBranchOnly": given.main_branch_only or None,
        "secret": MASK if one.secret else None,
        "failing": True if one.failing_since else None,
        "failingSince": one.failing_since,
        "pauseWhenFailing": one.pauses or None,
        "paused": one.is_paused or None,
    }


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def _links(one: Webhook) -> dict[str, Link | None]:
    return {
        "self": Link(urls.WEBHOOK.fill(uuid=one.uuid), one.title),
        "pb:execute": Link(
            urls.EXECUTE_WEBHOOK.fill(uuid=one.uuid),
            "Test the execution of the webhook with the latest matching pact or verification by sending a POST request"
            " to this URL",
        ),
        **_side_links(one.consumer, "consumer"),
        **_side_links(one.provider, "provider"),
        "pb:pact-webhooks": _pair(one.consumer, one.provider) if one.consumer and one.provider else None,
        "pb:webhooks": Link(urls.WEBHOOKS.fill(), "All webhooks"),
    }


def _side_links(side: PacticipantMatcher | None, role: str) -> dict[str, Link | None]:
    if side is None:
        return {}
    if side.name is not None:
        path = urls.PACTICIPANT.fill(pacticipant=side.name)
        return {f"pb:{role}": Link(path, role.capitalize(), name=side.name)}
    path = urls.PACTICIPANTS_WITH_LABEL.fill(label=side.label or "")
    return {f"pb:{role}s": Link(path, f"{role.capitalize()}s by label", name=side.label)}


def _pair(consumer: PacticipantMatcher, provider: PacticipantMatcher) -> Link:
    names = {"consumer": consumer.name or "", "provider": provider.name or ""}
    title = f"All webhooks for consumer {names['consumer']} and provider {names['provider']}"
    return Link(urls.PAIR_WEBHOOKS.fill(**names), title)


@represent.register
def webhook_list(page: Webhooks) -> Hal:
    found = [Link(urls.WEBHOOK.fill(uuid=one.uuid), one.scope, name=one.title) for one in page.webhooks]
    return Hal(
        links={
            "self": Link(urls.URL_PLACEHOLDER, page.title),
            "pb:create": Link(urls.URL_PLACEHOLDER, "POST to create a webhook"),
            "pb:webhooks": found,
            "curies": [Link("/doc/webhooks-{rel}", name="pb", templated=True)],
        }
    )


@represent.register
def webhook_test_report(one: WebhookTestReport) -> Hal:
    tried = one.test_result
    outcome = tried.attempt.outcome
    shows = tried.log_formatter.can_show_response
    # Without a request, the reason reveals nothing about the network.
    is_shown = shows or tried.attempt.request is None
    secrets = tried.attempt.request.secrets if tried.attempt.request else frozenset[str]()
    return Hal(
        state={
            "error": {"message": redact_secrets(outcome.reason, secrets)}
            if isinstance(outcome, NoResponse) and is_shown
            else None,
            "request": _sent(tried),
            "response": _received(outcome, secrets) if isinstance(outcome, WebhookResponse) and shows else None,
            "message": None if shows else tried.log_formatter.redaction_notice,
            "logs": tried.logs,
            "success": tried.success,
        },
        links={
            "webhook": Link(urls.WEBHOOK.fill(uuid=tried.webhook_test.webhook.uuid)) if one.is_saved else None,
            "try-again": Link(urls.URL_PLACEHOLDER, "Execute the webhook again"),
        },
    )


def _sent(test_result: WebhookTestResult) -> dict[str, object]:
    request = test_result.attempt.request
    if request is None:
        return {}
    split = urlsplit(request.url)
    sent = {
        "headers": {name: redact_header(name, value) for name, value in request.headers.items()},
        "body": _parsed(redact_secrets(request.body.decode("utf-8", "replace"), request.secrets))
        if request.body
        else None,
        "url": redact_secrets(
            f"{split.path or '/'}?{split.query}" if split.query else split.path or "/", request.secrets
        ),
    }
    return {name: value for name, value in sent.items() if value is not None}


def _received(response: WebhookResponse, secrets: frozenset[str]) -> dict[str, object]:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        shown = redact_secrets(value, secrets)
        headers[name] = f"{headers[name]}, {shown}" if name in headers else shown
    return {
        "status": response.status,
        "headers": headers,
        "body": _parsed(redact_secrets(decode_body(response)[0], secrets)),
    }


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _pact(facts: DeliveryFacts, metadata: str) -> str:
    return urls.PACT_VERSION_WITH_METADATA.fill(
        provider=facts.provider, consumer=facts.consumer, sha=facts.sha, metadata=metadata
    )


def _result(facts: DeliveryFacts, number: int) -> str:
    return urls.VERIFICATION.fill(provider=facts.provider, consumer=facts.consumer, sha=facts.sha, number=str(number))


ADDRESSES: Final = ParameterUrls(pact=_pact, result=_result)


"""Where requests say that pacts and results are found."""
