"""Pacts for verification: what was selected, whether it is pending, and what is in progress besides."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from operator import itemgetter
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
    group_by_content,
    group_wip,
    mark_pending,
)
from treaty.settings import Settings
from treaty.store.decisions import consumer_selectors, verified_contents
from treaty.store.decisions.consumer_selectors import BRANCH_HEADS, TAG_HEADS
from treaty.store.engine.database import fetch_scalar
from treaty.store.tables import pacticipant

_PROVIDER: Final = select(pacticipant.c.id).where(pacticipant.c.name == bindparam("name"))


def list_of_provider(
    db: Connection, provider: str, wanted: VerifiablePactsQuery, *, today: datetime, settings: Settings
) -> VerifiablePacts:
    """List the pacts that a provider is to verify. Raises NotFound."""
    provider_id = fetch_scalar(db, _PROVIDER, {"name": provider})
    if provider_id is None:
        raise NotFound.named("provider", provider)
    pacts = group_by_content(consumer_selectors.list_selected_pacts(db, wanted.selectors, provider_id))
    if wanted.includes_pending:
        contents = [pact.content_id for pact in pacts]
        pacts = mark_pending(pacts, verified_contents.find_verified(db, contents, provider_id, wanted))
    if wanted.has_wip:
        since = _since(db, provider_id, wanted, today=today, settings=settings)
        long_ago = today - settings.verified_by_other_branch_lookback_days
        explicit = {pact.content_id for pact in pacts}
        candidates = _in_progress(db, provider_id, wanted, explicit, since=since, long_ago=long_ago)
        pacts += group_wip(candidates, pacts)
    return VerifiablePacts(provider=provider, query=wanted, pacts=pacts)


# Work in progress: the pacts of the heads of branches and tags, but for those whose content has succeeded


def _in_progress(
    db: Connection,
    provider_id: int,
    wanted: VerifiablePactsQuery,
    explicit: Collection[int],
    *,
    since: datetime | None,
    long_ago: datetime,
) -> Iterator[WipCandidate]:
    """List candidates, besides what was selected.

    Many heads have the same content, so successes are looked for content by content.
    """
    params = {"provider": provider_id, "since": since}
    branches = _heads(db, BRANCH_HEADS, _of_branch, params)
    tags = _heads(db, TAG_HEADS, _of_tag, params)
    contents = {one.content_id for one in (*branches, *tags)}.difference(explicit)
    ended = verified_contents.find_ended(db, sorted(contents), provider_id, wanted, long_ago=long_ago)
    for heads in (branches, tags) if wanted.branch is not None else (tags, branches):
        for name, done in ended.items():
            yield from ((name, one) for one in heads if one.content_id not in done)


def _of_branch(name: str) -> ConsumerVersionSelector:
    return LatestFromBranch(branch=name)


def _of_tag(name: str) -> ConsumerVersionSelector:
    return LatestWithTag(tag=name)


def _heads(
    db: Connection,
    statement: Select[Any],
    selector: Callable[[str], ConsumerVersionSelector],
    params: Mapping[str, object],
) -> list[SelectedPact]:
    heads = sorted(consumer_selectors.fetch_dicts(db, statement, params), key=itemgetter("position", "name"))
    return [SelectedPact(selector=selector(row.pop("name")), **row) for row in heads]


def _since(
    db: Connection, provider_id: int, wanted: VerifiablePactsQuery, *, today: datetime, settings: Settings
) -> datetime | None:
    """Say from when on work in progress counts; a setting puts a window of its own in place of what is asked for."""
    if not settings.dynamic_wip_window:
        return wanted.wip_since
    most = settings.max_wip_lookback_days
    published = verified_contents.list_unverified_published_at(db, provider_id, today - most)
    return today - compute_wip_window(
        [today.date() - time.date() for time in published],
        least=settings.min_wip_window_days,
        most=most,
        default=settings.default_wip_window_days,
    )
