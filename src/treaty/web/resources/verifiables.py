"""Pacts for verification: what a provider's build fetches."""

from typing import Any, Final

from treaty.store import consumer_selectors, verifiables
from treaty.web import bodies, urls, verifiable_requests
from treaty.web.represent.verifiables import PactsForVerification
from treaty.web.routing import MAX_QUICK_ITEMS, Call, Permission, Router

router = Router()


@router.get(urls.PACTS_FOR_VERIFICATION, permission=Permission.READ, is_cached=True)
def list_pacts_for_verification(call: Call, provider: str) -> PactsForVerification:
    """List the pacts that a provider is to verify, as older clients ask for them."""
    wanted = verifiable_requests.of_query(call.query)
    found = verifiables.of_provider(call.db, provider, wanted, today=call.today, settings=call.settings)
    return PactsForVerification(verifiables=found, base_url=call.base_url, is_deprecated=True)


MAX_SELECTORS: Final = 500
MAX_TAGS: Final = 100
"""Limits of a request. Each element takes a part of a query."""


@router.post(
    urls.PACTS_FOR_VERIFICATION,
    permission=Permission.READ,
    is_reading=True,
    is_cached=True,
    max_quick_items=MAX_QUICK_ITEMS,
)
def select_pacts_for_verification(call: Call, provider: str) -> PactsForVerification:
    """List the pacts that a provider is to verify."""
    body: dict[str, Any] = call.body(dict)
    bodies.check_sizes(body, {"consumerVersionSelectors": MAX_SELECTORS, "providerVersionTags": MAX_TAGS})
    known = consumer_selectors.environments_of(call.db, verifiable_requests.environments_in(body))
    wanted = verifiable_requests.of_body(call.raw_body, body, known)
    found = verifiables.of_provider(call.db, provider, wanted, today=call.today, settings=call.settings)
    return PactsForVerification(verifiables=found, base_url=call.base_url)
