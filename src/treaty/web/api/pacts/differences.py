"""Differences between the pacts of a pair, for people who look for what broke."""

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from treaty.errors import NotFound, TimeLimitExceeded
from treaty.model.pacts.pacts import Pact, PactKey
from treaty.model.pacts.text_diff import Comparison, diff_contents, format_duration
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import PactWithBody
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import RenderContext
from treaty.web.http.media_types import TEXT
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

T = TypeVar("T")

router = Router()


@router.get(urls.DIFF_WITH_PREVIOUS, permission=Permission.READ, produces=(TEXT,), is_slow=True)
def compare_with_previous(call: Request, provider: str, consumer: str, version: str) -> Comparison | AfterCommit:
    """Compare a pact with the closest earlier one that has other content."""
    found = _there(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))
    return _compared(call, found, pacts.find_previous_distinct(call.db, found.pact))


@router.get(urls.DIFF_WITH_VERSION, permission=Permission.READ, produces=(TEXT,), is_slow=True)
def compare_with_version(
    call: Request, provider: str, consumer: str, version: str, comparison: str
) -> Comparison | AfterCommit:
    """Compare a pact with that of another version."""
    found = _there(pacts.find(call.db, PactKey(consumer=consumer, version=version, provider=provider)))
    other = pacts.find(call.db, PactKey(consumer=consumer, version=comparison, provider=provider))
    return _compared(call, found, other)


@router.get(urls.DIFF_WITH_PACT_VERSION, permission=Permission.READ, produces=(TEXT,), is_slow=True)
def compare_with_content(
    call: Request, provider: str, consumer: str, sha: str, comparison: str
) -> Comparison | AfterCommit:
    """Compare content with other content of the same pair."""
    found = _there(pacts.find_by_sha(call.db, consumer, provider, sha))
    return _compared(call, found, pacts.find_by_sha(call.db, consumer, provider, comparison))


def _there(found: PactWithBody | None) -> PactWithBody:
    if found is None:
        raise NotFound
    return found


def _compared(call: Request, found: PactWithBody, other: PactWithBody | None) -> Comparison | AfterCommit:
    if other is None:
        return Comparison(pact=found.pact, other=None, changed_at=call.now, now=call.now, text="")
    changed_at = pacts.find_next_published_at(call.db, other.pact) or found.pact.created_at

    def compare() -> Comparison:
        text = diff_contents(
            other.body, found.body, check_deadline=start_deadline(call.settings.pact_content_diff_timeout)
        )
        return Comparison(pact=found.pact, other=other.pact, changed_at=changed_at, now=call.now, text=text)

    return defer_if_large(compare, found.body, other.body)


LARGE_PACT_BYTES: Final = 1_000_000
"""Bytes of pacts that take about a tenth of a second to read."""


def defer_if_large(work: Callable[[], T], *bodies: bytes) -> T | AfterCommit:
    """Do the work, or leave it for later, with few others at a time, if it is about large pacts."""
    return work() if sum(map(len, bodies)) < LARGE_PACT_BYTES else AfterCommit(work, is_heavy=True)


def start_deadline(limit: timedelta) -> Callable[[], None]:
    """Return a function that raises TimeLimitExceeded once the time limit has passed."""
    end = time.monotonic() + limit.total_seconds()

    def go_on() -> None:
        if time.monotonic() > end:
            raise TimeLimitExceeded(f"The difference was not found within {limit.total_seconds():g} seconds.")

    return go_on


@represent.register_text
def comparison(found: Comparison, place: RenderContext) -> str:
    pact, other = found.pact, found.other
    if other is None:
        return f"No previous distinct version was found for {pact.title}"
    between = f"between {pact.consumer} and {pact.provider}"
    ago = format_duration((found.now - found.changed_at).total_seconds())
    return "\n".join(
        [
            f"# Diff between versions {other.version} and {pact.version} of the pact {between}",
            "",
            f"The following changes were made {ago} ago ({_date(found.changed_at)})",
            "",
            found.text,
            "",
            "## Links",
            "",
            *_link("pact-version", pact, place),
            *_link("comparison-pact-version", other, place),
            "",
        ]
    )


def _date(time: datetime) -> str:
    hour = time.hour % 12 or 12
    return f"{time:%a} {time.day} {time:%b %Y}, {hour}:{time:%M%p} +00:00".replace("AM", "am").replace("PM", "pm")


def _link(relation: str, pact: Pact, place: RenderContext) -> list[str]:
    path = urls.PACT.fill(provider=pact.provider, consumer=pact.consumer, version=pact.version)
    return [f"{relation}:", "  title: Pact", f"  name: {_scalar(pact.title)}", f"  href: {place.href(path)}"]


def _scalar(text: str) -> str:
    """Write a text as YAML, in quotes where it would be read as something else."""
    is_plain = text.isprintable() and ": " not in text and " #" not in text and not text.endswith((":", " "))
    return text if is_plain else json.dumps(text, ensure_ascii=False)
