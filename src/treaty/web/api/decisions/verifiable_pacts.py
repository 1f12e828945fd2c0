"""Pacts for verification, which the build of a provider fetches."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, NamedTuple, NotRequired

import orjson
from pydantic import Field, with_config
from typing_extensions import TypedDict

from treaty.model.decisions import metadata
from treaty.model.decisions.consumer_selectors import describe_briefly
from treaty.model.decisions.verifiable_notices import (
    BEFORE_VERIFICATION,
    DEPRECATION_NOTICE,
    build_notices,
    explain_missing_wip,
)
from treaty.model.decisions.verifiable_pacts import VerifiablePact, VerifiablePacts, VerifiablePactsQuery
from treaty.store.decisions import consumer_selectors
from treaty.store.decisions.verifiable_pacts import list_of_provider
from treaty.web import urls
from treaty.web.api.decisions import verifiable_pact_requests
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link, RenderContext, render
from treaty.web.hal.shapes import OPEN_OBJECT, Omittable, SelfLinked
from treaty.web.http import bodies
from treaty.web.http.bodies import with_example
from treaty.web.http.queries import FlagText, QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.router import MAX_QUICK_ITEMS, Router
from treaty.web.security.permissions import VERIFICATION_READS, Permission

router = Router()


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsForVerification:
    """The pacts that a provider has to verify, with the properties of the request that the response depends on."""

    verifiable_pacts: VerifiablePacts
    base_url: str
    """Notices contain URLs as text, into which rendering does not insert the base URL."""
    is_deprecated: bool = False
    """Whether the client uses the beta version of the API, whose notices say so."""
    misspelt: tuple[str, ...] = ()
    """Sentences about misspelt members of the request. Verifiers print notices, but no other part of the response."""


class _PactContext(NamedTuple):
    """The parts of a request on which the rendering of a pact depends: with the pact, the key of its cache."""

    provider: str
    query: VerifiablePactsQuery
    base_url: str
    is_deprecated: bool
    misspelt: tuple[str, ...]


class VerificationNotice(TypedDict):
    when: str
    text: str


class VerificationProperties(TypedDict):
    pending: NotRequired[bool]
    wip: NotRequired[bool]
    notices: list[VerificationNotice]


class PactForVerification(SelfLinked):
    shortDescription: str
    verificationProperties: VerificationProperties


class SelectedPacts(TypedDict):
    pacts: list[PactForVerification]


class PactsForVerificationDocument(SelfLinked):
    notices: Omittable[list[VerificationNotice]]
    _embedded: SelectedPacts


FilledText = Annotated[str, Field(min_length=1)]


@with_config(OPEN_OBJECT)
class ConsumerVersionSelector(TypedDict, total=False):
    mainBranch: Literal[True]
    matchingBranch: Literal[True]
    branch: FilledText | Literal[True]
    fallbackBranch: FilledText
    tag: FilledText
    fallbackTag: FilledText
    latest: bool
    consumer: FilledText
    deployed: Literal[True]
    released: Literal[True]
    deployedOrReleased: Literal[True]
    environment: FilledText


@with_config(
    with_example(
        {
            "providerVersionBranch": "main",
            "includePendingStatus": True,
            "includeWipPactsSince": "2024-01-01",
            "consumerVersionSelectors": [{"mainBranch": True}, {"matchingBranch": True}, {"deployedOrReleased": True}],
        }
    )
)
class PactsForVerificationBody(TypedDict, total=False):
    providerVersionBranch: str | None
    providerVersionTags: list[str] | None
    includePendingStatus: bool
    includeWipPactsSince: Annotated[str, Field(description="A date, or a date and time.")]
    consumerVersionSelectors: list[ConsumerVersionSelector]


_QUERY: Final = (
    QueryParameter("provider_version_branch", "The branch of the verifying version."),
    QueryParameter("provider_version_tags[]", "The tags of the verifying version.", list[str]),
    QueryParameter("consumer_version_selectors[][tag]", "The tag of a selector; each begins a selector.", list[str]),
    QueryParameter("consumer_version_selectors[][latest]", "Whether only the latest version counts.", list[FlagText]),
    QueryParameter("consumer_version_selectors[][consumer]", "The name of the consumer.", list[str]),
    QueryParameter("include_pending_status", "Whether to show which pacts are pending.", FlagText),
    QueryParameter("include_wip_pacts_since", "Include work-in-progress pacts since this date."),
)


@router.get(
    urls.PACTS_FOR_VERIFICATION,
    permission=Permission.READ,
    scopes=VERIFICATION_READS,
    is_cacheable=True,
    query=_QUERY,
    response=PactsForVerificationDocument,
)
def list_pacts_for_verification(request: Request, provider: str) -> PactsForVerification:
    """List the pacts that a provider has to verify, for clients that use the beta version of the API."""
    query = verifiable_pact_requests.parse_query(request.query)
    return _list_pacts(request, provider, query, is_deprecated=True)


MAX_SELECTORS: Final = 500
MAX_TAGS: Final = 100
"""Limits of a request: each selector and each tag executes a statement of its own."""


@router.post(
    urls.PACTS_FOR_VERIFICATION,
    permission=Permission.READ,
    scopes=VERIFICATION_READS,
    is_read_only=True,
    is_cacheable=True,
    max_quick_items=MAX_QUICK_ITEMS,
    body=PactsForVerificationBody,
    response=PactsForVerificationDocument,
)
def select_pacts_for_verification(request: Request, provider: str) -> PactsForVerification:
    """List the pacts that a provider has to verify."""
    body: dict[str, Any] = request.body(dict)
    bodies.check_sizes(body, {"consumerVersionSelectors": MAX_SELECTORS, "providerVersionTags": MAX_TAGS})
    names = verifiable_pact_requests.list_environments(body)
    environments = consumer_selectors.find_existing_environments(request.db, names)
    query = verifiable_pact_requests.parse_body(request.raw_body, body, environments)
    misspelt = verifiable_pact_requests.list_misspelt(body)
    return _list_pacts(request, provider, query, misspelt=misspelt)


def _list_pacts(
    request: Request,
    provider: str,
    query: VerifiablePactsQuery,
    *,
    is_deprecated: bool = False,
    misspelt: tuple[str, ...] = (),
) -> PactsForVerification:
    pacts = list_of_provider(request.db, provider, query, today=request.today, settings=request.settings)
    return PactsForVerification(
        verifiable_pacts=pacts, base_url=request.base_url, is_deprecated=is_deprecated, misspelt=misspelt
    )


@represent.register
def pacts_for_verification(result: PactsForVerification) -> Hal:
    provider, query = result.verifiable_pacts.provider, result.verifiable_pacts.query
    context = _PactContext(provider, query, result.base_url, result.is_deprecated, result.misspelt)
    texts = [*result.misspelt, *filter(None, [explain_missing_wip(query)])]
    return Hal(
        state={"notices": [{"when": BEFORE_VERIFICATION, "text": text} for text in texts] or None},
        embedded={"pacts": [_render_pact(pact, context) for pact in result.verifiable_pacts.pacts]},
        links={"self": Link(urls.PACTS_FOR_VERIFICATION.fill(provider=provider), "Pacts to be verified")},
    )


@lru_cache(maxsize=1024)
def _render_pact(pact: VerifiablePact, context: _PactContext) -> orjson.Fragment:
    """Render a pact as JSON, which is cached: few pacts change from one build of a provider to the next."""
    path = urls.PACT_VERSION_WITH_METADATA.fill(
        provider=context.provider, consumer=pact.consumer, sha=pact.sha, metadata=metadata.encode(pact.metadata)
    )
    resource = Hal(
        state={
            "shortDescription": ", ".join(map(describe_briefly, pact.selections)),
            "verificationProperties": _render_properties(pact, context),
        },
        links={"self": Link(path, name=f"Pact between {pact.consumer} ({pact.version}) and {context.provider}")},
    )
    return orjson.Fragment(render(resource, RenderContext(context.base_url)))


def _render_properties(pact: VerifiablePact, context: _PactContext) -> dict[str, object]:
    url = context.base_url + _find_notice_path(pact, context.provider)
    notices = build_notices(pact, context.provider, context.query, url)
    if context.is_deprecated:
        notices = [DEPRECATION_NOTICE, *notices]
    notices = [*((BEFORE_VERIFICATION, f"WARN: {text}") for text in context.misspelt), *notices]
    return {
        **({"pending": pact.is_pending} if context.query.includes_pending else {}),
        **({"wip": True} if pact.is_wip else {}),
        "notices": [{"when": when, "text": text} for when, text in notices],
    }


_WIP_METADATA: Final = "d2lwPXRydWU"
"""`wip=true` in Base64. The original has it in the URL of the notices, and `w=true` in that of the links."""


def _find_notice_path(pact: VerifiablePact, provider: str) -> str:
    if pact.is_wip:
        return urls.PACT_VERSION_WITH_METADATA.fill(
            provider=provider, consumer=pact.consumer, sha=pact.sha, metadata=_WIP_METADATA
        )
    return urls.PACT_VERSION.fill(provider=provider, consumer=pact.consumer, sha=pact.sha)
