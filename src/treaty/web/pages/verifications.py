"""The page of a verification result: who verified what, when, and what the tests said."""

import json
from dataclasses import dataclass
from typing import Any, Final

from treaty.model.pacts import content
from treaty.model.pacts.interactions import Interaction, format_json, read_interactions
from treaty.model.verifications import interaction_results
from treaty.model.verifications.interaction_results import InteractionResult
from treaty.model.verifications.verifications import Verification
from treaty.store import verifications
from treaty.store.pacts import pacts
from treaty.web import urls
from treaty.web.api.verifications import LATEST_GETTERS, GetLatest, get_verification_by_number
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages.pacts.pacts import PAGE_SIZE
from treaty.web.security.permissions import Permission
from treaty.web.urls import Url

router = Router()

MAX_RESULTS_LENGTH: Final = 200_000
"""Characters of the test results that are shown."""


@router.page(urls.VERIFICATION, permission=Permission.READ, is_original=False)
def show_verification(call: Request, provider: str, consumer: str, sha: str, number: str) -> HtmlPage:
    """Show a result."""
    return _page(call, get_verification_by_number(call, provider, consumer, sha, number))


@router.page(urls.VERIFICATION_WITH_METADATA, permission=Permission.READ, is_original=False)
def show_verification_as_said(
    call: Request, provider: str, consumer: str, sha: str, _segment: str, number: str
) -> HtmlPage:
    """Show a result."""
    return _page(call, get_verification_by_number(call, provider, consumer, sha, number))


def _declare(url: Url, find: GetLatest) -> None:
    @router.page(url, permission=Permission.READ, is_original=False)
    def show_latest(call: Request, *names: str) -> HtmlPage:
        return _page(call, find(call, *names))


for _url, _find in LATEST_GETTERS.items():
    _declare(_url, _find)


def _page(call: Request, found: Verification) -> HtmlPage:
    facts = {
        "one": found,
        "tags": verifications.list_tags(call.db, found),
        "verified_by": _fields(found.verified_by),
        "tests": _tests(call, found),
        "results": _results(found.test_results),
        "was_cut": len(found.test_results or "") > MAX_RESULTS_LENGTH,
    }
    return HtmlPage("verification.html", facts)


@dataclass(frozen=True, slots=True)
class _Interaction:
    """An interaction of the pact, and the page of the pact's page that it is on."""

    interaction: Interaction
    page: int


def _tests(call: Request, found: Verification) -> list[tuple[InteractionResult, _Interaction | None]]:
    """Read what was said about each interaction, failures first, with the interaction where the pact has it."""
    results = sorted(interaction_results.parse_results(found.test_results), key=lambda one: one.success)
    pact = pacts.find_by_sha(call.db, found.consumer, found.provider, found.sha) if results else None
    known = (read_interactions(content.parse_document(pact.body)) if pact else None) or []
    said = interaction_results.match_results(known, results)
    about = {said[one.id]: _Interaction(one, at // PAGE_SIZE + 1) for at, one in enumerate(known) if one.id in said}
    return [(one, about.get(one)) for one in results]


def _fields(text: str | None) -> list[tuple[str, str]]:
    said: Any = json.loads(text) if text else {}
    return [(str(name), str(value)) for name, value in said.items()] if isinstance(said, dict) else []


def _results(text: str | None) -> str | None:
    """Write what the verifier sent for people; what is too long as it came, up to a point."""
    if not text:
        return None
    if len(text) > MAX_RESULTS_LENGTH:
        return text[:MAX_RESULTS_LENGTH]
    try:
        return format_json(json.loads(text))
    except (ValueError, RecursionError):  # numbers too long, lists too deep
        return text
