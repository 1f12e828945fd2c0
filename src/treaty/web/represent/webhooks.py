"""How webhooks look: one, and lists of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from treaty.model.webhook import STARS, Request, Sealed, Side, Webhook
from treaty.web import represent, urls
from treaty.web.hal import Hal, Link


@dataclass(frozen=True, slots=True)
class Webhooks:
    """A list of webhooks."""

    title: str
    webhooks: Sequence[Webhook]


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


def _side(side: Side | None) -> dict[str, str] | None:
    if side is None:
        return None
    return {"name": side.name} if side.name is not None else {"label": side.label or ""}


def request_state(request: Request) -> dict[str, object]:
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


def _shown(value: str | Sealed) -> str:
    return STARS if isinstance(value, Sealed) else value


def _additional(one: Webhook) -> dict[str, object]:
    """Show what the original broker's webhooks do not have."""
    given = one.filters
    return {
        "consumerBranches": _listed(given.consumer_branches),
        "providerBranches": _listed(given.provider_branches),
        "tags": _listed(given.tags),
        "environments": _listed(given.environments),
        "mainBranchOnly": given.main_branch_only or None,
        "secret": STARS if one.secret else None,
        "failing": True if one.failing_since else None,
        "failingSince": one.failing_since,
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


def _side_links(side: Side | None, role: str) -> dict[str, Link | None]:
    if side is None:
        return {}
    if side.name is not None:
        path = urls.PACTICIPANT.fill(pacticipant=side.name)
        return {f"pb:{role}": Link(path, role.capitalize(), name=side.name)}
    path = urls.PACTICIPANTS_WITH_LABEL.fill(label=side.label or "")
    return {f"pb:{role}s": Link(path, f"{role.capitalize()}s by label", name=side.label)}


def _pair(consumer: Side, provider: Side) -> Link:
    names = {"consumer": consumer.name or "", "provider": provider.name or ""}
    title = f"All webhooks for consumer {names['consumer']} and provider {names['provider']}"
    return Link(urls.PAIR_WEBHOOKS.fill(**names), title)


@represent.register
def webhooks(page: Webhooks) -> Hal:
    found = [Link(urls.WEBHOOK.fill(uuid=one.uuid), one.scope, name=one.title) for one in page.webhooks]
    return Hal(
        links={
            "self": Link(urls.HERE, page.title),
            "pb:create": Link(urls.HERE, "POST to create a webhook"),
            "pb:webhooks": found,
            "curies": [Link("/doc/webhooks-{rel}", name="pb", templated=True)],
        }
    )
