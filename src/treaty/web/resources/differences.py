"""Differences between the pacts of a pair, for people who look for what broke."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeVar

from treaty.errors import NotFound, TooSlow
from treaty.model.difference import Comparison, difference
from treaty.model.pact import PactKey
from treaty.store import pacts
from treaty.store.pacts import Found
from treaty.web import urls
from treaty.web.media import TEXT
from treaty.web.represent import differences as _represent  # noqa: F401 - registers how differences are represented
from treaty.web.routing import Afterwards, Call, Permission, Router

T = TypeVar("T")

router = Router()


@router.get(urls.DIFF_WITH_PREVIOUS, permission=Permission.READ, produces=(TEXT,), is_slow=True)
def compare_with_previous(call: Call, provider: str, consumer: str, version: str) -> Comparison | Afterwards:
    """Compare a pact with the closest earlier one that has other content."""
    found = _there(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))
    return _compared(call, found, pacts.find_previous_distinct(call.db, found.pact))


@router.get(urls.DIFF_WITH_VERSION, permission=Permission.READ, produces=(TEXT,), is_slow=True)
def compare_with_version(
    call: Call, provider: str, consumer: str, version: str, comparison: str
) -> Comparison | Afterwards:
    """Compare a pact with that of another version."""
    found = _there(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))
    other = pacts.find(call.db, PactKey(consumer=consumer, version=comparison, provider=provider))
    return _compared(call, found, other)


@router.get(urls.DIFF_WITH_PACT_VERSION, permission=Permission.READ, produces=(TEXT,), is_slow=True)
def compare_with_content(
    call: Call, provider: str, consumer: str, sha: str, comparison: str
) -> Comparison | Afterwards:
    """Compare content with other content of the same pair."""
    found = _there(pacts.find_by_sha(call.db, consumer, provider, sha))
    return _compared(call, found, pacts.find_by_sha(call.db, consumer, provider, comparison))


def _there(found: Found | None) -> Found:
    if found is None:
        raise NotFound
    return found


def _compared(call: Call, found: Found, other: Found | None) -> Comparison | Afterwards:
    if other is None:
        return Comparison(pact=found.pact, other=None, changed_at=call.now, now=call.now, text="")
    changed_at = pacts.changed_at(call.db, other.pact) or found.pact.created_at

    def compare() -> Comparison:
        text = difference(other.body, found.body, go_on=within(call.settings.pact_content_diff_timeout))
        return Comparison(pact=found.pact, other=other.pact, changed_at=changed_at, now=call.now, text=text)

    return heavy_if_large(compare, found.body, other.body)


LARGE: Final = 1_000_000
"""Bytes of pacts that take about a tenth of a second to read."""


def heavy_if_large(work: Callable[[], T], *bodies: bytes) -> T | Afterwards:
    """Do the work, or leave it for later, with few others at a time, if it is about large pacts."""
    return work() if sum(map(len, bodies)) < LARGE else Afterwards(work, is_heavy=True)


def within(limit: timedelta) -> Callable[[], None]:
    """Return a function that raises TooSlow once the time limit is exceeded."""
    end = time.monotonic() + limit.total_seconds()

    def go_on() -> None:
        if time.monotonic() > end:
            raise TooSlow(f"The difference was not found within {limit.total_seconds():g} seconds.")

    return go_on
