"""The overview: who depends on whom, and how that stands."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from treaty.model.overview import Filter, Sorting, State
from treaty.model.page import Page as Part
from treaty.store import environments, labels, overview, webhooks
from treaty.web import urls
from treaty.web.page_queries import choice, part_of
from treaty.web.routing import Call, Page, Permission, Router

router = Router()

SIZE: Final = 50
MOST_WARNINGS: Final = 4
"""How many of a kind need attention at once."""
MOST_LABELS: Final = Part(1, 500)


@router.page(urls.INDEX, permission=Permission.READ, other_urls=[urls.RELATIONSHIPS_PAGE])
def show_overview(call: Call) -> Page:
    """Show all integrations that a filter leaves, or how to begin where there are none."""
    wanted = _filter(call)
    counts = overview.count(call.db, wanted)
    if wanted.is_empty and not any(counts.values()):
        return Page("first_run.html", {"address": call.base_url})
    page = part_of(call, SIZE)
    sort = call.option("sort") or ""
    sorting, is_reversed = choice(Sorting, sort.removeprefix("-")) or Sorting.CONSUMER, sort.startswith("-")
    facts = {
        "wanted": wanted,
        "counts": {state: counts.get(state, 0) for state in State},
        "everything": sum((counts if wanted.is_empty else overview.count(call.db, Filter())).values()),
        "total": counts.get(wanted.state, 0) if wanted.state else sum(counts.values()),
        "rows": overview.listed(call.db, wanted, page, sorting, is_reversed=is_reversed),
        "page": page,
        "sorting": sorting,
        "is_reversed": is_reversed,
        "environments": environments.every(call.db),
        "labels": labels.every_name(call.db, MOST_LABELS).items,
    }
    shows_attention = wanted.is_empty and page.number == 1
    return Page("overview.html", {**facts, **(_attention(call.db) if shows_attention else {"attention": False})})


def _filter(call: Call) -> Filter:
    return Filter(
        words=tuple((call.option("q") or call.option("search") or "").split()[: overview.MOST_WORDS]),
        label=call.option("label"),
        environment=call.option("environment"),
        branch=call.option("branch"),
        state=choice(State, call.option("state")),
    )


def _attention(db: Connection) -> dict[str, object]:
    """Find what runs unproven, what broke last, and which webhooks fail."""
    broken = Filter(state=State.FAILED)
    found: dict[str, Sequence[object]] = {
        "together": [*overview.unproven(db, most=MOST_WARNINGS)],
        "failed": [*overview.listed(db, broken, Part(1, MOST_WARNINGS), Sorting.VERIFIED)],
        "webhooks": [*(one for one in webhooks.every(db) if one.failing_since)][:MOST_WARNINGS],
    }
    return {**found, "attention": any(found.values())}
