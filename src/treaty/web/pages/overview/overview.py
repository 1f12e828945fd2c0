"""The overview: who depends on whom, and how that stands."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from treaty.model.overview.overview import Filter, Sorting, State, Survey
from treaty.model.paging import Page as Part
from treaty.store import deployments
from treaty.store.overview import overview
from treaty.store.pacticipants import labels
from treaty.store.webhooks import webhooks
from treaty.web import urls
from treaty.web.http.page_queries import choice, part_of
from treaty.web.http.request import Call
from treaty.web.http.results import Page
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

SIZE: Final = 50
SIZE_BY_TAG: Final = 30
MOST_WARNINGS: Final = 4
"""How many of a kind need attention at once."""
PATIENCE: Final = timedelta(days=1)
"""How long a pact may have changed without being verified."""
MOST_LABELS: Final = Part(1, 500)


@router.page(urls.INDEX, permission=Permission.READ, other_urls=[urls.RELATIONSHIPS_PAGE])
def show_overview(call: Call) -> Page:
    """Show all integrations that a filter leaves, or how to begin where there are none."""
    tags = call.query.get("tags")
    if tags == "true" or isinstance(tags, list):
        return _show_by_tag(call, [one for one in tags if isinstance(one, str) and one] if tags != "true" else [])
    wanted, page = _filter(call), part_of(call, SIZE)
    sort = call.option("sort") or ""
    sorting, is_reversed = choice(Sorting, sort.removeprefix("-")) or Sorting.CONSUMER, sort.startswith("-")
    needs_attention = wanted.is_empty and page.number == 1
    survey = overview.survey(
        call.db,
        wanted,
        page,
        sorting,
        is_reversed=is_reversed,
        most=MOST_WARNINGS if needs_attention else 0,
        overdue_since=call.now - PATIENCE,
    )
    if wanted.is_empty and not survey.counts:
        return Page("first_run.html", {"address": call.base_url})
    facts = {
        "wanted": wanted,
        "counts": {state: survey.counts.get(state, 0) for state in State},
        "everything": overview.number(call.db),
        "total": survey.listed.total,
        "rows": survey.listed.items,
        "page": page,
        "sorting": sorting,
        "is_reversed": is_reversed,
        "environments": deployments.every(call.db),
        "labels": labels.every_name(call.db, MOST_LABELS).items,
    }
    shown = _attention(call.db, survey) if needs_attention else {"attention": False}
    return Page("overview.html", {**facts, **shown})


def _show_by_tag(call: Call, tags: Sequence[str]) -> Page:
    """Show the latest pact of each pair, the latest with each tag (or with some tags), and those that run anywhere."""
    wanted, page = _filter(call), part_of(call, SIZE_BY_TAG)
    tags = [*tags, *([tag] if (tag := call.option("tag")) else [])]
    return Page(
        "overview_by_tag.html",
        {
            "wanted": wanted,
            "tags": tags,
            "found": overview.by_tag(call.db, wanted, tags, page),
            "page": page,
            "labels": labels.every_name(call.db, MOST_LABELS).items,
        },
    )


def _filter(call: Call) -> Filter:
    return Filter(
        words=tuple((call.option("q") or call.option("search") or "").split()[: overview.MOST_WORDS]),
        label=call.option("label"),
        environment=call.option("environment"),
        branch=call.option("branch"),
        state=choice(State, call.option("state")),
    )


def _attention(db: Connection, survey: Survey) -> dict[str, object]:
    """Find what runs unproven, what broke last, what waits for long, and which webhooks fail."""
    found: dict[str, Sequence[object]] = {
        "together": overview.unproven(db, most=MOST_WARNINGS),
        "failed": survey.failed,
        "overdue": survey.overdue,
        "webhooks": [one for one in webhooks.every(db) if one.failing_since][:MOST_WARNINGS],
    }
    return {**found, "attention": any(found.values())}
