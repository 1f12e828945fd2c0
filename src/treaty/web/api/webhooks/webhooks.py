"""Webhooks: requests that are sent when something happens to a pact."""

from collections.abc import Mapping

from treaty import outgoing
from treaty.actions.webhooks import deliveries
from treaty.actions.webhooks import webhooks as webhook_actions
from treaty.actions.webhooks.webhooks import Draft
from treaty.errors import NotFound
from treaty.model.webhooks.webhooks import Webhook
from treaty.store.engine.vault import vault_of
from treaty.store.pacticipants import pacticipants
from treaty.store.webhooks import webhooks
from treaty.web import urls
from treaty.web.api.webhooks import bodies
from treaty.web.api.webhooks.webhooks_representation import ADDRESSES, Trial, Webhooks
from treaty.web.routing import Afterwards, Call, Created, Deleted, Permission, Router, Updated

router = Router()


@router.get(urls.WEBHOOKS, permission=Permission.READ)
def list_webhooks(call: Call) -> Webhooks:
    """List all webhooks."""
    return Webhooks("Webhooks", webhooks.every(call.db))


@router.post(urls.WEBHOOKS, permission=Permission.MANAGE_WEBHOOK)
def create_webhook(call: Call) -> Created:
    """Create a webhook for the pacts that its body names."""
    return _create(call)


@router.get(urls.PAIR_WEBHOOKS, permission=Permission.READ)
def list_webhooks_of_pair(call: Call, provider: str, consumer: str) -> Webhooks:
    """List the webhooks for a consumer and a provider."""
    return Webhooks("Webhooks", _of_pair(call, provider, consumer))


@router.post(urls.PAIR_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK)
def create_webhook_of_pair(call: Call, provider: str, consumer: str) -> Created:
    """Create a webhook for a consumer and a provider."""
    return _create(call, consumer=consumer, provider=provider)


@router.get(urls.PACT_WEBHOOKS, permission=Permission.READ)
def list_webhooks_of_pact(call: Call, provider: str, consumer: str) -> Webhooks:
    """List the webhooks for a pact, whatever its version."""
    return Webhooks("Pact webhooks", _of_pair(call, provider, consumer))


@router.post(urls.PACT_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK)
def create_webhook_of_pact(call: Call, provider: str, consumer: str) -> Created:
    """Create a webhook for a pact, whatever its version."""
    return _create(call, consumer=consumer, provider=provider)


@router.get(urls.PROVIDER_WEBHOOKS, permission=Permission.READ)
def list_webhooks_of_provider(call: Call, provider: str) -> Webhooks:
    """List the webhooks for all pacts with a provider."""
    pacticipants.get(call.db, provider, "provider")
    return Webhooks("Webhooks", webhooks.of_sides(call.db, consumer=None, provider=provider))


@router.post(urls.PROVIDER_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK)
def create_webhook_of_provider(call: Call, provider: str) -> Created:
    """Create a webhook for all pacts with a provider."""
    return _create(call, provider=provider)


@router.get(urls.CONSUMER_WEBHOOKS, permission=Permission.READ)
def list_webhooks_of_consumer(call: Call, consumer: str) -> Webhooks:
    """List the webhooks for all pacts of a consumer."""
    pacticipants.get(call.db, consumer, "consumer")
    return Webhooks("Webhooks", webhooks.of_sides(call.db, consumer=consumer, provider=None))


@router.post(urls.CONSUMER_WEBHOOKS, permission=Permission.MANAGE_WEBHOOK)
def create_webhook_of_consumer(call: Call, consumer: str) -> Created:
    """Create a webhook for all pacts of a consumer."""
    return _create(call, consumer=consumer)


def _of_pair(call: Call, provider: str, consumer: str) -> list[Webhook]:
    _there(call, consumer=consumer, provider=provider)
    return webhooks.of_sides(call.db, consumer=consumer, provider=provider)


def _there(call: Call, **sides: str) -> None:
    for role, name in sides.items():
        pacticipants.get(call.db, name, role)


def _create(call: Call, **sides: str) -> Created:
    new = webhook_actions.create(call.db, read_draft(call, sides), vault=vault_of(call.settings), now=call.now)
    return Created(new, urls.WEBHOOK.fill(uuid=new.uuid))


def read_draft(call: Call, sides: Mapping[str, str], uuid: str | None = None) -> Draft:
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


@router.get(urls.WEBHOOK, permission=Permission.READ)
def get_webhook(call: Call, uuid: str) -> Webhook:
    """Read a webhook, without its secrets."""
    return _get(call, uuid)


def _get(call: Call, uuid: str) -> Webhook:
    found = webhooks.find(call.db, uuid)
    if found is None:
        raise NotFound
    return found


@router.put(urls.WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def put_webhook(call: Call, uuid: str) -> Created | Updated:
    """Replace a webhook, or create one with an uuid of one's own. Secrets that are not sent along are kept."""
    draft = read_draft(call, {}, uuid)
    put, is_new = webhook_actions.put(call.db, uuid, draft, vault=vault_of(call.settings), now=call.now)
    return Created(put) if is_new else Updated(put)


@router.delete(urls.WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def delete_webhook(call: Call, uuid: str) -> Deleted:
    """Remove a webhook. What was sent to it stays readable."""
    webhook_actions.remove(call.db, uuid)
    return Deleted()


@router.post(urls.EXECUTE_UNSAVED_WEBHOOK, permission=Permission.MANAGE_WEBHOOK)
def execute_unsaved_webhook(call: Call) -> Afterwards:
    """Try out a webhook that is not saved."""
    draft = read_draft(call, {})
    tried = webhook_actions.made(
        draft, None, uuid=webhook_actions.new_uuid(), vault=vault_of(call.settings), now=call.now
    )
    return _try_out(call, tried, is_saved=False)


@router.post(urls.EXECUTE_WEBHOOK, permission=Permission.MANAGE_WEBHOOK, consumes=None)
def execute_webhook(call: Call, uuid: str) -> Afterwards:
    """Try out a webhook with the latest pact that it could be about."""
    return _try_out(call, _get(call, uuid), is_saved=True)


def _try_out(call: Call, webhook: Webhook, *, is_saved: bool) -> Afterwards:
    deliveries.note_trial(call.db, webhook)
    prepared = deliveries.prepare_trial(call.db, webhook, base_url=call.base_url)

    def work() -> Trial:
        tried = deliveries.try_out(prepared, settings=call.settings, addresses=ADDRESSES, send=outgoing.send)
        return Trial(tried, is_saved)

    return Afterwards(work)
