"""What has happened lately to the pacts that a webhook is about, saved or not."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, select

from treaty.model.webhooks.events import CONTRACT_REQUIRING_VERIFICATION_PUBLISHED
from treaty.model.webhooks.previews import PreviewEvent, PreviewPact, PreviewResult
from treaty.model.webhooks.webhooks import PacticipantMatcher, Webhook
from treaty.store.engine.database import fetch_first, fetch_rows, fetch_scalar
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.pacts.publications import CURRENT_PUBLICATION_ID
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
"""How many pacts are looked at."""
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


def list_latest(db: Connection, one: Webhook) -> list[PreviewPact]:
    """List the latest pacts that a webhook is about: of a pair its latest, of several pairs the latest of each."""
    consumer, provider = one.consumer or PacticipantMatcher(), one.provider or PacticipantMatcher()
    names = {"consumer": consumer.name, "provider": provider.name}
    if consumer.name is not None and provider.name is not None:
        return _pacts(db, _OF_PAIR, names)
    labels = {"consumer_label": consumer.label, "provider_label": provider.label}
    return _pacts(db, _of_sides(_kind(consumer), _kind(provider)), {**names, **labels})


def _kind(side: PacticipantMatcher) -> str:
    return "name" if side.name is not None else "label" if side.label is not None else "any"


@lru_cache(maxsize=16)
def _of_sides(consumer: str, provider: str) -> Select[*tuple[Any, ...]]:
    heads = _PACTS.join(integration, integration.c.latest_publication_id == publication.c.id)
    conditions = _is("consumer", consumer, integration.c.consumer_id) + _is(
        "provider", provider, integration.c.provider_id
    )
    return heads.where(*conditions).order_by(publication.c.id.desc())


def _is(role: str, kind: str, owner: Any) -> list[Any]:
    if kind == "name":
        return [owner == select_pacticipant_id(role)]
    if kind == "label":
        return [owner.in_(select(label.c.pacticipant_id).where(label.c.name == bindparam(f"{role}_label")))]
    return []


def _pacts(db: Connection, statement: Select[*tuple[Any, ...]], params: Mapping[str, Any]) -> list[PreviewPact]:
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


# What was known of them

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
    """Find which publication a pact is."""
    names = {"consumer": pact.consumer, "consumer_version": pact.consumer_version, "provider": pact.provider}
    number: int = fetch_scalar(db, CURRENT_PUBLICATION_ID, names)
    return number


def load_context(db: Connection, one: PreviewEvent, publication_id: int) -> dict[str, Any]:
    """Find what webhooks were told of an event besides the pact; where none was, what they would have been told."""
    params = {"publication": publication_id, "event": one.name}
    number = one.result.number if one.result else None
    recorded = (
        fetch_first(db, _RECORDED_RESULT, {**params, "verification": number})
        if number
        else fetch_first(db, _RECORDED, params)
    )
    if recorded:
        context: dict[str, Any] = json.loads(recorded.context)
        return {name: value for name, value in context.items() if name not in {"traceparent", "tracestate"}}
    if number:
        build_url = fetch_scalar(db, _BUILD, {"verification": number})
        known = {"build_url": build_url} if build_url is not None else {}
        return {**known, "consumer_version_number": one.pact.consumer_version}
    return _of_main(db, one.pact) if one.name == CONTRACT_REQUIRING_VERIFICATION_PUBLISHED else {}


def _of_main(db: Connection, pact: PreviewPact) -> dict[str, Any]:
    main = fetch_first(db, _MAIN, {"provider": pact.provider})
    if main is None:
        return {}
    return {
        "provider_version_number": main.number,
        "provider_version_branch": main.name,
        "provider_version_descriptions": ["latest from main branch"],
    }
