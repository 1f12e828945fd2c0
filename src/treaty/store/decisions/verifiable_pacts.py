"""Pacts for verification: the selected pacts, their pending status, and the work in progress."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, select

from treaty.errors import NotFound
from treaty.model.decisions.consumer_selectors import (
    ConsumerVersionSelector,
    LatestFromBranch,
    LatestWithTag,
    SelectedPact,
)
from treaty.model.decisions.verifiable_pacts import (
    VerifiablePacts,
    VerifiablePactsQuery,
    WipCandidate,
    compute_wip_window,
    enforce_live,
    group_by_content,
    group_wip,
    mark_pending,
)
from treaty.settings import Settings
from treaty.store.decisions import consumer_selectors, verified_contents
from treaty.store.decisions.consumer_selectors import BRANCH_HEADS, TAG_HEADS
from treaty.store.engine.database import fetch_rows, fetch_scalar
from treaty.store.pacticipants import former_names
from treaty.store.tables import pacticipant

_PROVIDER: Final = select(pacticipant.c.id).where(pacticipant.c.name == bindparam("name"))


def list_of_provider(
    db: Connection, provider: str, query: VerifiablePactsQuery, *, today: datetime, settings: Settings
) -> VerifiablePacts:
    """List the pacts that a provider is to verify. Raises NotFound."""
    provider_id = fetch_scalar(db, _PROVIDER, {"name": provider})
    if provider_id is None:
        raise NotFound.named("provider", provider)
    query = _follow_renaming(db, query)
    pacts = group_by_content(consumer_selectors.list_selected_pacts(db, query.selectors, provider_id))
    if query.includes_pending:
        contents = [pact.content_id for pact in pacts]
        pacts = mark_pending(pacts, verified_contents.find_verified(db, contents, provider_id, query))
        if not settings.deployed_pacts_are_pending:
            pacts = enforce_live(pacts)
    if query.has_wip:
        since = _find_wip_start(db, provider_id, query, today=today, settings=settings)
        # Older successes do not end work in progress, as in the original, which has the same setting.
        long_ago = today - settings.verified_by_other_branch_lookback_days
        explicit_ids = {pact.content_id for pact in pacts}
        candidates = _list_wip_candidates(db, provider_id, query, explicit_ids, since=since, long_ago=long_ago)
        pacts += group_wip(candidates, pacts)
    return VerifiablePacts(provider=provider, query=query, pacts=pacts)


def _follow_renaming(db: Connection, query: VerifiablePactsQuery) -> VerifiablePactsQuery:
    """Replace former names of consumers. Their selectors would select nothing, and the build succeed without them."""
    consumers = {selector.consumer for selector in query.selectors if selector.consumer is not None}
    current_names = former_names.find_current_names(db, consumers)
    if not current_names:
        return query
    selectors = (
        replace(selector, consumer=current_names.get(selector.consumer or "", selector.consumer))
        for selector in query.selectors
    )
    return replace(query, selectors=tuple(selectors))


def _list_wip_candidates(
    db: Connection,
    provider_id: int,
    query: VerifiablePactsQuery,
    explicit_ids: Collection[int],
    *,
    since: datetime | None,
    long_ago: datetime,
) -> Iterator[WipCandidate]:
    """Yield the pacts at the heads of branches and tags whose content has no success yet.

    Many heads have the same content, so successes are looked up by content, once for each.
    """
    params = {"provider": provider_id, "since": since}
    branch_heads = _list_heads(db, BRANCH_HEADS, lambda name: LatestFromBranch(branch=name), params)
    tag_heads = _list_heads(db, TAG_HEADS, lambda name: LatestWithTag(tag=name), params)
    contents = {head.content_id for head in (*branch_heads, *tag_heads)}.difference(explicit_ids)
    ended = verified_contents.find_ended(db, sorted(contents), provider_id, query, long_ago=long_ago)
    # The order is the original's, and shows in the notices.
    for heads in (branch_heads, tag_heads) if query.branch is not None else (tag_heads, branch_heads):
        for tag, ended_ids in ended.items():
            yield from ((tag, head) for head in heads if head.content_id not in ended_ids)


def _list_heads(
    db: Connection,
    statement: Select[Any],
    build_selector: Callable[[str], ConsumerVersionSelector],
    params: Mapping[str, object],
) -> list[SelectedPact]:
    heads = sorted(fetch_rows(db, statement, params), key=attrgetter("position", "name"))
    return [SelectedPact(build_selector(row.name), *row[:-1]) for row in heads]


def _find_wip_start(
    db: Connection, provider_id: int, query: VerifiablePactsQuery, *, today: datetime, settings: Settings
) -> datetime | None:
    """Return the time from which publications may be work in progress.

    With the setting `dynamic_wip_window`, the window is computed, and the date in the request is ignored.
    """
    if not settings.dynamic_wip_window:
        return query.wip_since
    max_window = settings.max_wip_lookback_days
    published_at = verified_contents.list_unverified_published_at(db, provider_id, today - max_window)
    return today - compute_wip_window(
        [today.date() - time.date() for time in published_at],
        least=settings.min_wip_window_days,
        most=max_window,
        default=settings.default_wip_window_days,
    )
