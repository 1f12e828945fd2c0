"""Webhooks: requests that Treaty sends when an event happens."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NotRequired
from urllib.parse import urlsplit

from typing_extensions import TypedDict

from treaty import outgoing
from treaty.actions.webhooks import webhooks as webhook_actions
from treaty.actions.webhooks.deliveries import WebhookTestResult, prepare_test, record_test, send_test
from treaty.actions.webhooks.named_secrets import approve_use
from treaty.actions.webhooks.webhooks import WebhookDraft
from treaty.errors import NotFound
from treaty.model.webhooks.deliveries import NoResponse, WebhookResponse, decode_body, mask_headers, redact_secrets
from treaty.model.webhooks.secrecy import hide_request, is_secret, is_secret_header, remove_user
from treaty.model.webhooks.webhooks import MASK, PacticipantMatcher, Webhook, WebhookRequest
from treaty.store.engine.vault import get_vault
from treaty.store.pacticipants import pacticipants
from treaty.store.webhooks import webhooks
from treaty.web import urls
from treaty.web.api.timestamps import timestamps
from treaty.web.api.webhooks import bodies
from treaty.web.api.webhooks.bodies import WebhookBody
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import JsonObject, NameOnly, Omittable, Times
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, Created, Deleted, Updated
from treaty.web.http.router import Router, link_to
from treaty.web.parameter_urls import PARAMETER_URLS
from treaty.web.security.authorization import approving_secrets
from treaty.web.security.permissions import Permission

router = Router()


@dataclass(frozen=True, slots=True)
class Webhooks:
    """A list of webhooks with its title."""

    title: str
    webhooks: Sequence[Webhook]


@dataclass(frozen=True, slots=True)
class WebhookTestReport:
    """Result of testing a webhook, which may be saved or not."""

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


class WebhookDigest(TypedDict):
    every: str


class AdditionalWebhookState(TypedDict):
    consumers: Omittable[list[WebhookSide]]
    providers: Omittable[list[WebhookSide]]
    digest: Omittable[WebhookDigest]
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


class WebhookState(AdditionalWebhookState, Times):
    uuid: str
    description: str
    consumer: Omittable[WebhookSide]
    provider: Omittable[WebhookSide]
    enabled: bool
    request: WebhookRequestDocument
    events: list[NameOnly]


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


class ListedWebhooks(TypedDict):
    webhooks: list[WebhookDocument]


class WebhooksDocument(TypedDict):
    _embedded: ListedWebhooks
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


@router.get(
    urls.WEBHOOKS,
    permission=Permission.READ_WEBHOOK,
    query=(
        QueryParameter("consumer", "The name of a consumer: only webhooks that name it."),
        QueryParameter("provider", "The name of a provider: only webhooks that name it."),
    ),
    response=WebhooksDocument,
)
def list_webhooks(request: Request) -> Webhooks:
    """List all webhooks, or those that name a consumer, a provider, or both."""
    consumer, provider = request.name_parameter("consumer"), request.name_parameter("provider")
    return _list(request, webhooks.list_all(request.db, consumer=consumer, provider=provider))


@router.post(
    urls.WEBHOOKS,
    permission=Permission.MANAGE_WEBHOOK,
    body=WebhookBody,
    response=WebhookDocument,
    links=link_to({"uuid": "$response.body#/uuid"}, "get_webhook", "put_webhook", "delete_webhook"),
)
def create_webhook(request: Request) -> Created:
    """Create a webhook for the pacts that its body names."""
    return _create(request)


@router.get(urls.PAIR_WEBHOOKS, permission=Permission.READ_WEBHOOK, response=WebhooksDocument)
def list_webhooks_of_pair(request: Request, provider: str, consumer: str) -> Webhooks:
    """List the webhooks for a consumer and a provider."""
    return _list(request, _list_of_pair(request, provider, consumer))


@router.post(urls.PAIR_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookDocument)
def create_webhook_of_pair(request: Request, provider: str, consumer: str) -> Created:
    """Create a webhook for a consumer and a provider."""
    return _create(request, consumer=consumer, provider=provider)


@router.get(urls.PACT_WEBHOOKS, permission=Permission.READ_WEBHOOK, response=WebhooksDocument)
def list_webhooks_of_pact(request: Request, provider: str, consumer: str) -> Webhooks:
    """List the webhooks for a pact, whatever its version."""
    return _list(request, _list_of_pair(request, provider, consumer), title="Pact webhooks")


@router.post(urls.PACT_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookDocument)
def create_webhook_of_pact(request: Request, provider: str, consumer: str) -> Created:
    """Create a webhook for a pact, whatever its version."""
    return _create(request, consumer=consumer, provider=provider)


@router.get(urls.PROVIDER_WEBHOOKS, permission=Permission.READ_WEBHOOK, response=WebhooksDocument)
def list_webhooks_of_provider(request: Request, provider: str) -> Webhooks:
    """List the webhooks for all pacts with a provider."""
    pacticipants.get(request.db, provider, "provider")
    return _list(request, webhooks.list_of_sides(request.db, consumer=None, provider=provider))


@router.post(urls.PROVIDER_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookDocument)
def create_webhook_of_provider(request: Request, provider: str) -> Created:
    """Create a webhook for all pacts with a provider."""
    return _create(request, provider=provider)


@router.get(urls.CONSUMER_WEBHOOKS, permission=Permission.READ_WEBHOOK, response=WebhooksDocument)
def list_webhooks_of_consumer(request: Request, consumer: str) -> Webhooks:
    """List the webhooks for all pacts of a consumer."""
    pacticipants.get(request.db, consumer, "consumer")
    return _list(request, webhooks.list_of_sides(request.db, consumer=consumer, provider=None))


@router.post(urls.CONSUMER_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookDocument)
def create_webhook_of_consumer(request: Request, consumer: str) -> Created:
    """Create a webhook for all pacts of a consumer."""
    return _create(request, consumer=consumer)


def _list(request: Request, listed: Sequence[Webhook], *, title: str = "Webhooks") -> Webhooks:
    return Webhooks(title, [_as_shown(request, webhook) for webhook in listed])


def _list_of_pair(request: Request, provider: str, consumer: str) -> list[Webhook]:
    _check_sides(request, {"consumer": consumer, "provider": provider})
    return webhooks.list_of_sides(request.db, consumer=consumer, provider=provider)


def _check_sides(request: Request, sides: Mapping[str, str]) -> None:
    """Raise NotFound for a pacticipant that does not exist."""
    for role, name in sides.items():
        pacticipants.get(request.db, name, role)


def _create(request: Request, **sides: str) -> Created:
    draft = read_draft(request, sides)
    vault = get_vault(request.settings)
    with approving_secrets(request) as can_manage_secrets:
        webhook = webhook_actions.create_webhook(
            request.db, draft, vault=vault, now=request.now, can_manage_secrets=can_manage_secrets
        )
    return Created(webhook, urls.WEBHOOK.fill(uuid=webhook.uuid))


def read_draft(request: Request, sides: Mapping[str, str], uuid: str | None = None) -> WebhookDraft:
    """Read the webhook in a body. Raises NotFound for a missing pacticipant of the path, and Invalid."""
    # The original broker parses the body before it looks the path's pacticipants up.
    body = request.body(dict)
    _check_sides(request, sides)
    return bodies.read(
        body,
        sides=sides,
        uuid=uuid,
        settings=request.settings,
        explain_missing=partial(bodies.explain_missing, request.db),
    )


@router.get(urls.WEBHOOK, permission=Permission.READ_WEBHOOK, response=WebhookDocument)
def get_webhook(request: Request, uuid: str) -> Webhook:
    """Read a webhook, without its secrets. Path and body of its request are shown to those who may manage webhooks."""
    return get_shown(request, uuid)


def get_shown(request: Request, uuid: str) -> Webhook:
    """Load a webhook as the caller may see it. Raises NotFound."""
    return _as_shown(request, get_existing(request, uuid))


def _as_shown(request: Request, webhook: Webhook) -> Webhook:
    return webhook if request.has_permission(Permission.MANAGE_WEBHOOK) else hide_request(webhook)


def get_existing(request: Request, uuid: str) -> Webhook:
    """Load a webhook. Raises NotFound."""
    existing = webhooks.find(request.db, uuid)
    if existing is None:
        raise NotFound
    return existing


@router.put(urls.WEBHOOK, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookDocument)
def put_webhook(request: Request, uuid: str) -> Created | Updated:
    """Replace a webhook, or create one with a chosen UUID. Secrets that the body omits are kept."""
    draft = read_draft(request, {}, uuid)
    vault = get_vault(request.settings)
    with approving_secrets(request) as can_manage_secrets:
        webhook, is_new = webhook_actions.put_webhook(
            request.db, uuid, draft, vault=vault, now=request.now, can_manage_secrets=can_manage_secrets
        )
    return Created(webhook) if is_new else Updated(webhook)


@router.delete(urls.WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def delete_webhook(request: Request, uuid: str) -> Deleted:
    """Delete a webhook. Logs of its past deliveries stay readable."""
    webhook_actions.remove_webhook(request.db, uuid)
    return Deleted()


@router.post(
    urls.EXECUTE_UNSAVED_WEBHOOK, permission=Permission.MANAGE_WEBHOOK, body=WebhookBody, response=WebhookTrialDocument
)
def execute_unsaved_webhook(request: Request) -> AfterCommit:
    """Test a webhook without saving it."""
    vault = get_vault(request.settings)
    webhook = webhook_actions.build_webhook(
        read_draft(request, {}), None, uuid=webhook_actions.new_uuid(), vault=vault, now=request.now
    )
    with approving_secrets(request) as can_manage_secrets:
        approve_use(request.db, webhook.request, vault=vault, now=request.now, can_manage_secrets=can_manage_secrets)
    return _execute(request, webhook, is_saved=False)


@router.post(urls.EXECUTE_WEBHOOK, permission=Permission.MANAGE_WEBHOOK, consumes=None, response=WebhookTrialDocument)
def execute_webhook(request: Request, uuid: str) -> AfterCommit:
    """Test a webhook with the latest pact that it matches."""
    return _execute(request, get_existing(request, uuid), is_saved=True)


def _execute(request: Request, webhook: Webhook, *, is_saved: bool) -> AfterCommit:
    record_test(request.db, webhook)
    test = prepare_test(request.db, webhook, base_url=request.base_url)

    def work() -> WebhookTestReport:
        result = send_test(test, settings=request.settings, parameter_urls=PARAMETER_URLS, send=outgoing.send)
        return WebhookTestReport(result, is_saved)

    # Sending takes seconds; the transaction must not stay open for so long.
    return AfterCommit(work)


# Representation


@represent.register
def single_webhook(webhook: Webhook) -> Hal:
    state: WebhookState = {
        "uuid": webhook.uuid,
        "description": webhook.title,
        "consumer": _side(webhook.consumer),
        "provider": _side(webhook.provider),
        "enabled": webhook.is_enabled,
        "request": request_state(webhook.request),
        "events": [{"name": name} for name in webhook.events],
        **_additional_state(webhook),
        **timestamps(webhook),
    }
    return Hal(
        state=state,
        links=_links(webhook),
    )


def _side(side: PacticipantMatcher | None) -> WebhookSide | None:
    return None if side is None else _matcher_state(side)


def _matcher_state(side: PacticipantMatcher) -> WebhookSide:
    return {"name": side.name} if side.name is not None else {"label": side.label or ""}


def _members_state(members: Sequence[PacticipantMatcher] | None) -> list[WebhookSide] | None:
    return None if members is None else [_matcher_state(member) for member in members]


def request_state(request: WebhookRequest) -> WebhookRequestDocument:
    """Show a request with its secrets masked."""
    state: WebhookRequestDocument = {"method": request.method, "url": remove_user(request.url)[0]}
    if request.headers:
        state["headers"] = {
            name: MASK if not isinstance(value, str) or is_secret_header(name, value) else value
            for name, value in request.headers.items()
        }
    if request.body is not None:
        state["body"] = request.body
    if request.username is not None:
        state["username"] = request.username
    if request.password is not None:
        password = request.password
        state["password"] = MASK if not isinstance(password, str) or is_secret(password) else password
    return state


def _additional_state(webhook: Webhook) -> AdditionalWebhookState:
    """Show the properties that the original broker's webhooks do not have."""
    filters = webhook.filters
    return {
        "consumers": _members_state(webhook.consumers),
        "providers": _members_state(webhook.providers),
        "digest": {"every": webhook.digest} if webhook.digest else None,
        "consumerBranches": _list_or_none(filters.consumer_branches),
        "providerBranches": _list_or_none(filters.provider_branches),
        "tags": _list_or_none(filters.tags),
        "environments": _list_or_none(filters.environments),
        "mainBranchOnly": filters.main_branch_only or None,
        "secret": MASK if webhook.secret else None,
        "failing": True if webhook.failing_since else None,
        "failingSince": webhook.failing_since,
        "pauseWhenFailing": webhook.pauses or None,
        "paused": webhook.is_paused or None,
    }


def _list_or_none(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def _links(webhook: Webhook) -> dict[str, Link | None]:
    consumer, provider = webhook.consumer, webhook.provider
    return {
        "self": Link(urls.WEBHOOK.fill(uuid=webhook.uuid), webhook.title),
        "pb:execute": Link(
            urls.EXECUTE_WEBHOOK.fill(uuid=webhook.uuid),
            "Test the execution of the webhook with the latest matching pact or verification by sending a POST request"
            " to this URL",
        ),
        **_side_links(consumer, "consumer"),
        **_side_links(provider, "provider"),
        "pb:pact-webhooks": _pair_link(consumer, provider) if consumer and provider else None,
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


def _pair_link(consumer: PacticipantMatcher, provider: PacticipantMatcher) -> Link:
    names = {"consumer": consumer.name or "", "provider": provider.name or ""}
    title = f"All webhooks for consumer {names['consumer']} and provider {names['provider']}"
    return Link(urls.PAIR_WEBHOOKS.fill(**names), title)


@represent.register
def webhook_list(page: Webhooks) -> Hal:
    links = [Link(urls.WEBHOOK.fill(uuid=webhook.uuid), webhook.scope, name=webhook.title) for webhook in page.webhooks]
    return Hal(
        embedded={"webhooks": [single_webhook(webhook) for webhook in page.webhooks]},
        links={
            "self": Link(urls.URL_PLACEHOLDER, page.title),
            "pb:create": Link(urls.URL_PLACEHOLDER, "POST to create a webhook"),
            "pb:webhooks": links,
            "curies": [Link("/doc/webhooks-{rel}", name="pb", templated=True)],
        },
    )


@represent.register
def webhook_test_report(report: WebhookTestReport) -> Hal:
    result = report.test_result
    outcome, request = result.attempt.outcome, result.attempt.request
    can_show_response = result.log_formatter.can_show_response
    # If no request could be built, the reason reveals nothing about the network.
    can_show_reason = can_show_response or request is None
    secrets = request.secrets if request else frozenset[str]()
    return Hal(
        state={
            "error": {"message": redact_secrets(outcome.reason, secrets)}
            if isinstance(outcome, NoResponse) and can_show_reason
            else None,
            "request": _sent_request_state(result),
            "response": _response_state(outcome, secrets)
            if isinstance(outcome, WebhookResponse) and can_show_response
            else None,
            "message": None if can_show_response else result.log_formatter.redaction_notice,
            "logs": result.logs,
            "success": result.success,
        },
        links={
            "webhook": Link(urls.WEBHOOK.fill(uuid=result.webhook_test.webhook.uuid)) if report.is_saved else None,
            "try-again": Link(urls.URL_PLACEHOLDER, "Execute the webhook again"),
        },
    )


def _sent_request_state(test_result: WebhookTestResult) -> dict[str, object]:
    request = test_result.attempt.request
    if request is None:
        return {}
    split = urlsplit(request.url)
    # As in the original broker, the URL is shown without the host.
    target = f"{split.path or '/'}?{split.query}" if split.query else split.path or "/"
    body = redact_secrets(request.body.decode("utf-8", "replace"), request.secrets)
    state = {
        "headers": {name: redact_secrets(value, request.secrets) for name, value in mask_headers(request).items()},
        "body": _parse_if_json(body) if request.body else None,
        "url": redact_secrets(target, request.secrets),
    }
    return {name: value for name, value in state.items() if value is not None}


def _response_state(response: WebhookResponse, secrets: frozenset[str]) -> dict[str, object]:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        redacted = redact_secrets(value, secrets)
        headers[name] = f"{headers[name]}, {redacted}" if name in headers else redacted
    return {
        "status": response.status,
        "headers": headers,
        "body": _parse_if_json(redact_secrets(decode_body(response)[0], secrets)),
    }


def _parse_if_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
