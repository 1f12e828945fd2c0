"""Pacts for verification: what a provider's build fetches."""

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
from treaty.store.decisions import consumer_selectors, verifiable_pacts
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
from treaty.web.security.permissions import Permission

router = Router()


@dataclass(frozen=True, kw_only=True, slots=True)
class PactsForVerification:
    """What a provider is to verify, as it was asked for."""

    verifiables: VerifiablePacts
    base_url: str
    """The notices hold URLs, which are texts there and no links."""
    is_deprecated: bool = False


class _OnBehalf(NamedTuple):
    """For whom a pact is shown, and how."""

    provider: str
    wanted: VerifiablePactsQuery
    base_url: str
    is_deprecated: bool


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
    is_cacheable=True,
    query=_QUERY,
    response=PactsForVerificationDocument,
)
def list_pacts_for_verification(call: Request, provider: str) -> PactsForVerification:
    """List the pacts that a provider is to verify, as older clients ask for them."""
    wanted = verifiable_pact_requests.parse_query(call.query)
    found = verifiable_pacts.list_of_provider(call.db, provider, wanted, today=call.today, settings=call.settings)
    return PactsForVerification(verifiables=found, base_url=call.base_url, is_deprecated=True)


MAX_SELECTORS: Final = 500


MAX_TAGS: Final = 100


"""Limits of a request. Each element takes a part of a query."""


@router.post(
    urls.PACTS_FOR_VERIFICATION,
    permission=Permission.READ,
    is_read_only=True,
    is_cacheable=True,
    max_quick_items=MAX_QUICK_ITEMS,
    body=PactsForVerificationBody,
    response=PactsForVerificationDocument,
)
def select_pacts_for_verification(call: Request, provider: str) -> PactsForVerification:
    """List the pacts that a provider is to verify."""
    body: dict[str, Any] = call.body(dict)
    bodies.check_sizes(body, {"consumerVersionSelectors": MAX_SELECTORS, "providerVersionTags": MAX_TAGS})
    known = consumer_selectors.find_existing_environments(call.db, verifiable_pact_requests.list_environments(body))
    wanted = verifiable_pact_requests.parse_body(call.raw_body, body, known)
    found = verifiable_pacts.list_of_provider(call.db, provider, wanted, today=call.today, settings=call.settings)
    return PactsForVerification(verifiables=found, base_url=call.base_url)


@represent.register
def pacts_for_verification(asked: PactsForVerification) -> Hal:
    found = asked.verifiables
    on_behalf = _OnBehalf(found.provider, found.wanted, asked.base_url, is_deprecated=asked.is_deprecated)
    reason = explain_missing_wip(found.wanted)
    return Hal(
        state={"notices": None if reason is None else [{"when": BEFORE_VERIFICATION, "text": reason}]},
        embedded={"pacts": [_pact(pact, on_behalf) for pact in found.pacts]},
        links={"self": Link(urls.PACTS_FOR_VERIFICATION.fill(provider=found.provider), "Pacts to be verified")},
    )


@lru_cache(maxsize=1024)
def _pact(pact: VerifiablePact, asked: _OnBehalf) -> orjson.Fragment:
    """Show a pact. It is remembered, written out: from build to build few of them change."""
    path = urls.PACT_VERSION_WITH_METADATA.fill(
        provider=asked.provider, consumer=pact.consumer, sha=pact.sha, metadata=metadata.encode(pact.metadata)
    )
    shown = Hal(
        state={
            "shortDescription": ", ".join(map(describe_briefly, pact.selections)),
            "verificationProperties": _properties(pact, asked),
        },
        links={"self": Link(path, name=f"Pact between {pact.consumer} ({pact.version}) and {asked.provider}")},
    )
    return orjson.Fragment(render(shown, RenderContext(asked.base_url)))


def _properties(pact: VerifiablePact, asked: _OnBehalf) -> dict[str, object]:
    told = build_notices(pact, asked.provider, asked.wanted, asked.base_url + _path(pact, asked.provider))
    if asked.is_deprecated:
        told = [DEPRECATION_NOTICE, *told]
    return {
        **({"pending": pact.is_pending} if asked.wanted.includes_pending else {}),
        **({"wip": True} if pact.is_wip else {}),
        "notices": [{"when": when, "text": text} for when, text in told],
    }


_WIP: Final = "d2lwPXRydWU"


"""`wip=true`: what the original's notices have in the URL of a work in progress, which its links spell `w=true`."""


def _path(pact: VerifiablePact, provider: str) -> str:
    if pact.is_wip:
        return urls.PACT_VERSION_WITH_METADATA.fill(
            provider=provider, consumer=pact.consumer, sha=pact.sha, metadata=_WIP
        )
    return urls.PACT_VERSION.fill(provider=provider, consumer=pact.consumer, sha=pact.sha)
