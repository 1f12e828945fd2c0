"""Pacts for verification: what a provider's build fetches."""

from typing import Any

from treaty.store import consumer_selectors, verifiables
from treaty.web import urls, verifiable_requests
from treaty.web.represent.verifiables import PactsForVerification
from treaty.web.routing import Call, Permission, Router

router = Router()


@router.get(urls.PACTS_FOR_VERIFICATION, permission=Permission.READ, is_kept=True)
def list_pacts_for_verification(call: Call, provider: str) -> PactsForVerification:
    """List the pacts that a provider is to verify, as older clients ask for them."""
    wanted = verifiable_requests.of_query(call.query)
    found = verifiables.of_provider(call.db, provider, wanted, today=call.today, settings=call.settings)
    return PactsForVerification(verifiables=found, base_url=call.base_url, is_deprecated=True)


@router.post(urls.PACTS_FOR_VERIFICATION, permission=Permission.READ, is_reading=True, is_kept=True)
def select_pacts_for_verification(call: Call, provider: str) -> PactsForVerification:
    """List the pacts that a provider is to verify."""
    body: dict[str, Any] = call.body(dict)
    known = consumer_selectors.environments_of(call.db, verifiable_requests.environments_in(body))
    wanted = verifiable_requests.of_body(call.raw_body, body, known)
    found = verifiables.of_provider(call.db, provider, wanted, today=call.today, settings=call.settings)
    return PactsForVerification(verifiables=found, base_url=call.base_url)
