"""Past events of the pacts that a webhook matches, for previews. The webhook may be unsaved."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, or_, select

from treaty.model.webhooks.events import EventSubject, get_subject
from treaty.model.webhooks.previews import PreviewEvent, PreviewPact, PreviewResult
from treaty.model.webhooks.webhooks import PacticipantMatcher, Webhook
from treaty.store.engine.database import fetch_first, fetch_rows, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.pacts.current_publications import CURRENT_PUBLICATION_ID
from treaty.store.tables import (
    branch,
    integration,
    label,
    pacticipant,
    publication,
    triggered_webhook,
    verification,
    version,
)
from treaty.store.verifications import select_newest_id
from treaty.store.webhooks.webhooks import CONSUMER, PROVIDER

MAX_PAST_PACTS: Final = 8
"""Latest pacts that a preview offers to choose from."""
_provider_version: Final = version.alias("provider_version")
_PACTS: Final = (
    select(
        CONSUMER.c.name.label("consumer"),
        version.c.number.label("consumer_version"),
        PROVIDER.c.name.label("provider"),
        publication.c.created_at,
        verification.c.id.label("number"),
        verification.c.success,
        verification.c.created_at.label("verified_at"),
        _provider_version.c.number.label("provider_version"),
    )
    .select_from(publication)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .join(CONSUMER, CONSUMER.c.id == publication.c.consumer_id)
    .join(PROVIDER, PROVIDER.c.id == publication.c.provider_id)
    .outerjoin(
        verification,
        verification.c.id == select_newest_id(publication.c.content_id),
    )
    .outerjoin(_provider_version, _provider_version.c.id == verification.c.provider_version_id)
    .limit(MAX_PAST_PACTS)
)
_OF_PAIR: Final = _PACTS.where(
    publication.c.consumer_id == select_pacticipant_id("consumer"),
    publication.c.provider_id == select_pacticipant_id("provider"),
    publication.c.is_current,
).order_by(publication.c.position.desc())


def list_latest(db: Connection, webhook: Webhook) -> list[PreviewPact]:
    """List the latest pacts that a webhook matches: several of one pair, or the latest of each of several pairs."""
    consumer, provider = webhook.consumer or PacticipantMatcher(), webhook.provider or PacticipantMatcher()
    names = {"consumer": consumer.name, "provider": provider.name}
    if consumer.name is not None and provider.name is not None:
        return _fetch(db, _OF_PAIR, names)
    params = {
        **names,
        "consumer_label": consumer.label,
        "provider_label": provider.label,
        **_list_params("consumer", webhook.consumers),
        **_list_params("provider", webhook.providers),
    }
    kinds = _get_kind(consumer, webhook.consumers), _get_kind(provider, webhook.providers)
    return _fetch(db, _build_statement(*kinds), params)


def _list_params(role: str, members: Sequence[PacticipantMatcher] | None) -> dict[str, list[str]]:
    return {
        f"{role}_names": [member.name for member in members or () if member.name is not None],
        f"{role}_labels": [member.label for member in members or () if member.label is not None],
    }


def _get_kind(side: PacticipantMatcher, members: Sequence[PacticipantMatcher] | None) -> str:
    if members is not None:
        return "list"
    return "name" if side.name is not None else "label" if side.label is not None else "any"


@lru_cache(maxsize=16)
def _build_statement(consumer: str, provider: str) -> Select[*tuple[Any, ...]]:
    latest = _PACTS.join(integration, integration.c.latest_publication_id == publication.c.id)
    conditions = [
        *_build_conditions("consumer", consumer, integration.c.consumer_id),
        *_build_conditions("provider", provider, integration.c.provider_id),
    ]
    return latest.where(*conditions).order_by(publication.c.id.desc())


def _build_conditions(role: str, kind: str, pacticipant_id: Any) -> list[Any]:
    if kind == "name":
        return [pacticipant_id == select_pacticipant_id(role)]
    if kind == "label":
        return [pacticipant_id.in_(select(label.c.pacticipant_id).where(label.c.name == bindparam(f"{role}_label")))]
    if kind == "list":
        named = select(pacticipant.c.id).where(pacticipant.c.name.in_(bindparam(f"{role}_names", expanding=True)))
        labeled = select(label.c.pacticipant_id).where(label.c.name.in_(bindparam(f"{role}_labels", expanding=True)))
        return [or_(pacticipant_id.in_(named), pacticipant_id.in_(labeled))]
    return []


def _fetch(db: Connection, statement: Select[*tuple[Any, ...]], params: Mapping[str, Any]) -> list[PreviewPact]:
    return [
        PreviewPact(
            consumer=row.consumer,
            consumer_version=row.consumer_version,
            provider=row.provider,
            at=row.created_at,
            result=_result(row),
        )
        for row in fetch_rows(db, statement, params)
    ]


def _result(row: Any) -> PreviewResult | None:
    if row.number is None:
        return None
    return PreviewResult(
        number=row.number, success=row.success, provider_version=row.provider_version, at=row.verified_at
    )


# Contexts. A context that was recorded with the event shows exactly what was sent then.

_RECORDED: Final = (
    select(triggered_webhook.c.context)
    .where(
        triggered_webhook.c.publication_id == bindparam("publication"), triggered_webhook.c.event == bindparam("event")
    )
    .order_by(triggered_webhook.c.id.desc())
    .limit(1)
)
_RECORDED_RESULT: Final = _RECORDED.where(triggered_webhook.c.verification_id == bindparam("verification"))
_MAIN: Final = (
    select(version.c.number, branch.c.name)
    .select_from(pacticipant)
    .join(branch, (branch.c.pacticipant_id == pacticipant.c.id) & (branch.c.name == pacticipant.c.main_branch))
    .join(version, version.c.id == branch.c.head_version_id)
    .where(pacticipant.c.name == bindparam("provider"))
)
_BUILD: Final = select(verification.c.build_url).where(verification.c.id == bindparam("verification"))


def get_publication_id(db: Connection, pact: PreviewPact) -> int:
    names = {"consumer": pact.consumer, "consumer_version": pact.consumer_version, "provider": pact.provider}
    publication_id: int = fetch_scalar(db, CURRENT_PUBLICATION_ID, names)
    return publication_id


def load_context(db: Connection, event: PreviewEvent, publication_id: int) -> dict[str, Any]:
    """Load the context that was recorded with a past event, or build it if the event triggered no webhook."""
    params = {"publication": publication_id, "event": event.name}
    number = event.result.number if event.result else None
    recorded = (
        fetch_first(db, _RECORDED_RESULT, {**params, "verification": number})
        if number
        else fetch_first(db, _RECORDED, params)
    )
    if recorded:
        context: dict[str, Any] = json.loads(recorded.context)
        # A preview is not part of the trace of the past event.
        return {name: value for name, value in context.items() if name not in {"traceparent", "tracestate"}}
    if number:
        build_url = fetch_scalar(db, _BUILD, {"verification": number})
        build = {"build_url": build_url} if build_url is not None else {}
        return {**build, "consumer_version_number": event.pact.consumer_version}
    is_required = get_subject(event.name) is EventSubject.REQUIRED_VERIFICATION
    return _load_main_version_context(db, event.pact) if is_required else {}


def _load_main_version_context(db: Connection, pact: PreviewPact) -> dict[str, Any]:
    """Build the context of the requirement that the head of the provider's main branch verifies a pact."""
    main = fetch_first(db, _MAIN, {"provider": pact.provider})
    if main is None:
        return {}
    return {
        "provider_version_number": main.number,
        "provider_version_branch": main.name,
        "provider_version_descriptions": ["latest from main branch"],
    }
