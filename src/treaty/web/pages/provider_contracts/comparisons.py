"""The page of a comparison: its verdict, and each finding with the pact and the document next to each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from treaty.errors import NotFound
from treaty.model.compare.findings import Severity
from treaty.model.pacts import documents
from treaty.model.pacts.interactions import read_interactions
from treaty.model.pacts.pacts import PactKey
from treaty.model.paging import Page
from treaty.model.provider_contracts.comparisons import PairKey
from treaty.model.provider_contracts.findings import DocumentText, locate_findings, read_findings
from treaty.model.provider_contracts.results import ProviderVersionResults, VerifiedPair
from treaty.store.pacts import pacts
from treaty.store.provider_contracts import contracts, results
from treaty.store.provider_contracts.missing import note_missing
from treaty.web import urls
from treaty.web.api.pacts.differences import defer_if_large
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages.pacts.pacts import PAGE_SIZE as PACT_PAGE_SIZE
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
"""Findings on a page."""
MAX_NOTES: Final = 100
"""Remarks, notes and deprecated parts on a page, of each kind."""


@router.page(urls.COMPARISON, permission=Permission.READ, is_original=False)
def show_comparison(request: Request, provider: str, version: str, consumer: str, sha: str) -> HtmlPage | AfterCommit:
    """Show the comparison of a pact's content with the contract of a provider version."""
    return _show(request, results.load_of_content(request.db, PairKey(consumer, provider, sha, version)))


@router.page(urls.COMPARISON_OF_VERSIONS, permission=Permission.READ, is_original=False)
def show_comparison_of_versions(
    request: Request, provider: str, version: str, consumer: str, consumer_version: str
) -> HtmlPage | AfterCommit:
    """Show the comparison of a consumer version's pact with the contract of a provider version."""
    pact = PactKey(consumer=consumer, version=consumer_version, provider=provider)
    return _show(request, results.load_of_pair(request.db, provider, version, pact))


def _show(request: Request, loaded: ProviderVersionResults | None) -> HtmlPage | AfterCommit:
    if loaded is None:
        raise NotFound
    (pair,) = loaded.pairs
    pact = pacts.find_by_sha(request.db, pair.key.consumer, pair.key.provider, pair.key.sha)
    if pact is None:
        raise NotFound
    if pair.comparison is None:
        note_missing([pair.key])
    texts = _load_texts(request, loaded, pair)
    context = {
        "loaded": loaded,
        "pair": pair,
        "verdict": pair.combine(is_self_verified=loaded.is_self_verified),
        "verified": _find_result_path(pair),
    }
    page = read_rows_page(request, PAGE_SIZE)
    return defer_if_large(
        lambda: _render(pair, pact.body, texts, context, page), pact.body, *(text.source for text in texts.values())
    )


def _load_texts(request: Request, loaded: ProviderVersionResults, pair: VerifiedPair) -> Mapping[str, DocumentText]:
    """Load the documents, if there may be a finding about them."""
    if pair.comparison is None or not pair.comparison.content["findings"]:
        return {}
    bodies = {each.name: each.body for each in contracts.load_bodies(request.db, loaded.provider, loaded.version)}
    return {
        contract.name: DocumentText(source=contract.source, body=bodies[contract.name]) for contract in loaded.contracts
    }


def _find_result_path(pair: VerifiedPair) -> str | None:
    """Return the path of the latest result of a verifier."""
    if pair.verified_number is None:
        return None
    key = pair.key
    return urls.VERIFICATION.fill(
        provider=key.provider, consumer=key.consumer, sha=key.sha, number=str(pair.verified_number)
    )


@dataclass(frozen=True, slots=True)
class _InteractionLink:
    """The id of an interaction on the page of its pact, the number of that page, and its provider states."""

    id: str
    page: int
    states: Sequence[str]


def _render(
    pair: VerifiedPair, body: bytes, texts: Mapping[str, DocumentText], context: Mapping[str, object], page: Page
) -> HtmlPage:
    content: Mapping[str, Any] = pair.comparison.content if pair.comparison else {"findings": []}
    findings = read_findings(content)
    decisive = [finding for finding in findings if finding.severity is not Severity.INFO]
    remarks = [finding for finding in findings if finding.severity is Severity.INFO]
    document = documents.parse_document(body)
    shown = decisive[page.offset : page.offset + page.limit]
    groups = locate_findings(shown, document.tree, texts)
    return HtmlPage(
        "comparison.html",
        {
            **context,
            "content": content,
            "groups": groups,
            "error_count": sum(finding.severity is Severity.ERROR for finding in decisive),
            "warning_count": sum(finding.severity is Severity.WARNING for finding in decisive),
            "total": len(decisive),
            "page": page,
            "remarks": remarks[:MAX_NOTES],
            "notes": content.get("notes", ())[:MAX_NOTES],
            "deprecated": content.get("deprecated", ())[:MAX_NOTES],
            "more_count": _count_more(remarks, content.get("notes", ()), content.get("deprecated", ())),
            "links": _link_interactions(document) if groups else {},
        },
    )


def _count_more(*lists: Sequence[object]) -> int:
    return sum(max(0, len(items) - MAX_NOTES) for items in lists)


def _link_interactions(document: documents.Document) -> Mapping[tuple[str, int], _InteractionLink]:
    """Find each interaction on the pages of its pact, by its list and index."""
    links: dict[tuple[str, int], _InteractionLink] = {}
    counts: dict[str, int] = {}
    for number, interaction in enumerate(read_interactions(document) or []):
        index = counts.get(interaction.list_name, 0)
        counts[interaction.list_name] = index + 1
        states = [state.title for state in interaction.states]
        links[interaction.list_name, index] = _InteractionLink(interaction.id, number // PACT_PAGE_SIZE + 1, states)
    return links
