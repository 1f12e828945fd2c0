"""Differences between two pacts of a pair, as text."""

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from treaty.errors import TimeLimitExceeded
from treaty.model.pacts.pacts import Pact, PactKey
from treaty.model.pacts.text_diff import Comparison, diff_contents
from treaty.model.wording import format_duration
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import PactWithBody
from treaty.store.versions import aliases
from treaty.web import urls
from treaty.web.api.pacts.pacts import require
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
def compare_with_previous(request: Request, provider: str, consumer: str, version: str) -> Comparison | AfterCommit:
    """Compare a pact with the closest earlier one that has different content."""
    pact = require(pacts.find(request.db, PactKey(consumer=consumer, version=version, provider=provider)))
    return _compare(request, pact, pacts.find_previous_distinct(request.db, pact.pact))


@router.get(urls.DIFF_WITH_VERSION, permission=Permission.READ, produces=(TEXT,), is_slow=True)
def compare_with_version(
    request: Request, provider: str, consumer: str, version: str, comparison: str
) -> Comparison | AfterCommit:
    """Compare a pact with that of another version."""
    pact = require(pacts.find(request.db, PactKey(consumer=consumer, version=version, provider=provider)))
    other = pacts.find(request.db, PactKey(consumer=consumer, version=comparison, provider=provider))
    if other is None and (number := aliases.find_leading(request.db, consumer, comparison)):
        other = pacts.find(request.db, PactKey(consumer=consumer, version=number, provider=provider))
    return _compare(request, pact, other)


@router.get(urls.DIFF_WITH_PACT_VERSION, permission=Permission.READ, produces=(TEXT,), is_slow=True)
def compare_with_content(
    request: Request, provider: str, consumer: str, sha: str, comparison: str
) -> Comparison | AfterCommit:
    """Compare a content with another content of the same pair."""
    pact = require(pacts.find_by_sha(request.db, consumer, provider, sha))
    return _compare(request, pact, pacts.find_by_sha(request.db, consumer, provider, comparison))


def _compare(request: Request, pact: PactWithBody, other: PactWithBody | None) -> Comparison | AfterCommit:
    if other is None:
        return Comparison(pact=pact.pact, other=None, changed_at=request.now, now=request.now, text="")
    # The database is read here, because the deferred work runs after the transaction.
    changed_at = pacts.find_next_published_at(request.db, other.pact) or pact.pact.created_at

    def compare() -> Comparison:
        check_deadline = start_deadline(request.settings.pact_content_diff_timeout)
        text = diff_contents(other.body, pact.body, check_deadline=check_deadline)
        return Comparison(pact=pact.pact, other=other.pact, changed_at=changed_at, now=request.now, text=text)

    return defer_if_large(compare, pact.body, other.body)


LARGE_PACT_BYTES: Final = 1_000_000
"""Bytes of pacts that take about a tenth of a second to parse, during which the event loop would be blocked."""


def defer_if_large(work: Callable[[], T], *bodies: bytes) -> T | AfterCommit:
    """Run the work now, or, for large pacts, in a thread after the transaction; few threads do such work at a time."""
    return work() if sum(map(len, bodies)) < LARGE_PACT_BYTES else AfterCommit(work, is_heavy=True)


def start_deadline(limit: timedelta) -> Callable[[], None]:
    """Return a function that raises TimeLimitExceeded once the time limit has passed."""
    deadline = time.monotonic() + limit.total_seconds()

    def check_deadline() -> None:
        if time.monotonic() > deadline:
            raise TimeLimitExceeded(f"The difference was not found within {limit.total_seconds():g} seconds.")

    return check_deadline


@represent.register_text
def comparison(compared: Comparison, context: RenderContext) -> str:
    pact, other = compared.pact, compared.other
    if other is None:
        return f"No previous distinct version was found for {pact.title}"
    pair = f"between {pact.consumer} and {pact.provider}"
    ago = format_duration((compared.now - compared.changed_at).total_seconds())
    return "\n".join(
        [
            f"# Diff between versions {other.version} and {pact.version} of the pact {pair}",
            "",
            f"The following changes were made {ago} ago ({_format_time(compared.changed_at)})",
            "",
            compared.text,
            "",
            "## Links",
            "",
            *_format_link("pact-version", pact, context),
            *_format_link("comparison-pact-version", other, context),
            "",
        ]
    )


def _format_time(time: datetime) -> str:
    hour = time.hour % 12 or 12
    return f"{time:%a} {time.day} {time:%b %Y}, {hour}:{time:%M%p} +00:00".replace("AM", "am").replace("PM", "pm")


def _format_link(relation: str, pact: Pact, context: RenderContext) -> list[str]:
    path = urls.PACT.fill(provider=pact.provider, consumer=pact.consumer, version=pact.version)
    return [f"{relation}:", "  title: Pact", f"  name: {_quote_yaml(pact.title)}", f"  href: {context.href(path)}"]


def _quote_yaml(text: str) -> str:
    """Write a text as a YAML scalar, in quotes where YAML would misread it."""
    is_plain = text.isprintable() and ": " not in text and " #" not in text and not text.endswith((":", " "))
    return text if is_plain else json.dumps(text, ensure_ascii=False)
