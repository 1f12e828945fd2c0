"""The page of a verification result: provider version, pact, time, and the result of each interaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from treaty.model.pacts import documents
from treaty.model.pacts.interactions import Interaction, format_json, read_interactions
from treaty.model.verifications.interaction_results import (
    InteractionResult,
    group_failures,
    match_results,
    parse_results,
)
from treaty.model.verifications.verifications import Verification
from treaty.store import verifications
from treaty.store.pacts import pacts
from treaty.store.provider_contracts import results
from treaty.web import pages, urls
from treaty.web.api.verifications import LATEST_GETTERS, GetLatest, get_verification_by_number
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages.pacts.pacts import PAGE_SIZE
from treaty.web.security.permissions import Permission
from treaty.web.urls import Url

router = Router()

MAX_RESULTS_LENGTH: Final = 200_000
"""Characters shown of the test results."""


@router.page(urls.VERIFICATION, permission=Permission.READ, is_original=False)
def show_verification(request: Request, provider: str, consumer: str, sha: str, number: str) -> HtmlPage | Redirect:
    """Show a result."""
    return _render(request, get_verification_by_number(request, provider, consumer, sha, number))


@router.page(urls.VERIFICATION_WITH_METADATA, permission=Permission.READ, is_original=False)
def show_verification_as_said(
    request: Request, provider: str, consumer: str, sha: str, _segment: str, number: str
) -> HtmlPage | Redirect:
    """Show a result."""
    return _render(request, get_verification_by_number(request, provider, consumer, sha, number))


def _add_latest_page(url: Url, find: GetLatest) -> None:
    @router.page(url, permission=Permission.READ, is_original=False)
    def show_latest(request: Request, *names: str) -> HtmlPage | Redirect:
        return _render(request, find(request, *names))


for _url, _find in LATEST_GETTERS.items():
    _add_latest_page(_url, _find)


def _render(request: Request, result: Verification) -> HtmlPage | Redirect:
    if results.is_of_comparison(request.db, result.number):
        names = {"provider": result.provider, "consumer": result.consumer, "sha": result.sha}
        return pages.redirect(request, urls.COMPARISON.fill(version=result.provider_version, **names))
    tests = parse_results(result.test_results)
    context = {
        "result": result,
        "tags": verifications.list_tags(request.db, result),
        "verified_by": _read_verifier(result.verified_by),
        "tests": tests,
        "links": _link_interactions(request, result, tests),
        "failures": group_failures(tests),
        "failed_count": sum(not test.success for test in tests),
        "test_results": _format_test_results(result.test_results),
        "was_cut": len(result.test_results or "") > MAX_RESULTS_LENGTH,
    }
    return HtmlPage("verification.html", context)


@dataclass(frozen=True, slots=True)
class _InteractionLink:
    """An interaction, and the number of the page that shows it among the pages of its pact."""

    interaction: Interaction
    page: int


def _link_interactions(
    request: Request, result: Verification, tests: Sequence[InteractionResult]
) -> dict[InteractionResult, _InteractionLink]:
    """Find the interactions of the pact to which the results belong."""
    pact = pacts.find_by_sha(request.db, result.consumer, result.provider, result.sha) if tests else None
    interactions = (read_interactions(documents.parse_document(pact.body)) if pact else None) or []
    tests_by_id = match_results(interactions, tests)
    return {
        tests_by_id[interaction.id]: _InteractionLink(interaction, index // PAGE_SIZE + 1)
        for index, interaction in enumerate(interactions)
        if interaction.id in tests_by_id
    }


def _read_verifier(text: str | None) -> list[tuple[str, str]]:
    verifier: Any = json.loads(text) if text else {}
    return [(str(name), str(value)) for name, value in verifier.items()] if isinstance(verifier, dict) else []


def _format_test_results(text: str | None) -> str | None:
    """Format test results for reading. Very long ones are truncated, and not parsed."""
    if not text:
        return None
    if len(text) > MAX_RESULTS_LENGTH:
        return text[:MAX_RESULTS_LENGTH]
    try:
        return format_json(json.loads(text))
    except (ValueError, RecursionError):  # too many digits, or nested too deeply
        return text
