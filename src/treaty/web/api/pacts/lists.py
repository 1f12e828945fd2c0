"""Lists of the pacts of a pair and of a provider, by tag and branch, and their removal."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NotRequired

from typing_extensions import TypedDict

from treaty.actions.pacts.removal import unpublish_pacts
from treaty.model.pacts.lists import (
    LatestPacts,
    PactFilter,
    PactsOfPair,
    PactsOfProvider,
    PactsOnBranch,
    PactsWithTag,
    RemainingPacts,
)
from treaty.model.pacts.pacts import Pact
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import lists
from treaty.web import urls
from treaty.web.api.pacts.pacts import DeletedPactsDocument
from treaty.web.api.paging import PAGE_PARAMETERS, PageState, page_links, page_state, read_page
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link, Links, build_curies
from treaty.web.hal.shapes import Named, Numbered, SelfLinked
from treaty.web.http.request import Request
from treaty.web.http.results import Deleted
from treaty.web.http.router import Router
from treaty.web.security.permissions import VERIFICATION_READS, Permission

router = Router()


class ListedPactParts(TypedDict):
    consumerVersion: Numbered


class ListedPact(SelfLinked):
    createdAt: datetime
    revision: int
    _embedded: ListedPactParts


class ListedPacts(TypedDict):
    pacts: list[ListedPact]


PactsOfPairLinks = TypedDict(
    "PactsOfPairLinks",
    {
        "self": Link,
        "next": NotRequired[Link],
        "previous": NotRequired[Link],
        "consumer": NotRequired[Link],
        "provider": NotRequired[Link],
        "pact-versions": NotRequired[list[Link]],
        "pb:consumer": NotRequired[Link],
        "pb:provider": NotRequired[Link],
        "pb:pact-versions": NotRequired[list[Link]],
    },
)


class PactsOfPairDocument(PageState):
    """Pacts of a pair. Relations have the prefix `pb:` only in the list of pacts with a tag."""

    _embedded: ListedPacts
    _links: PactsOfPairLinks


PactsOfProviderLinks = TypedDict(
    "PactsOfProviderLinks",
    {
        "self": Link,
        "next": NotRequired[Link],
        "previous": NotRequired[Link],
        "pb:provider": Link,
        "pb:pacts": list[Link],
        "provider": Link,
        "pacts": list[Link],
    },
)


class PactsOfProviderDocument(PageState):
    _links: PactsOfProviderLinks


class LatestPactConsumerParts(TypedDict):
    version: Numbered


class LatestPactConsumer(Named):
    _embedded: LatestPactConsumerParts


class LatestPactParts(TypedDict):
    consumer: LatestPactConsumer
    provider: Named


class LatestPactLinks(TypedDict):
    self: list[Link]


class LatestPact(TypedDict):
    createdAt: datetime
    _embedded: LatestPactParts
    _links: LatestPactLinks


LatestPactsLinks = TypedDict(
    "LatestPactsLinks",
    {
        "self": Link,
        "next": NotRequired[Link],
        "previous": NotRequired[Link],
        "pb:pacts": list[Link],
        "pacts": list[Link],
        "curies": list[Link],
    },
)


class LatestPactsDocument(PageState):
    pacts: list[LatestPact]
    _links: LatestPactsLinks


_OF_PAIR: Final[Mapping[str, Any]] = {"query": PAGE_PARAMETERS, "response": PactsOfPairDocument}

_OF_PROVIDER: Final[Mapping[str, Any]] = {
    "query": PAGE_PARAMETERS,
    "response": PactsOfProviderDocument,
    "scopes": VERIFICATION_READS,
}


@router.get(urls.PACTS, permission=Permission.READ, **_OF_PAIR)
def get_pacts(request: Request, provider: str, consumer: str) -> PactsOfPair:
    """List all pacts of a pair, newest first."""
    return _list_of_pair(request, provider, consumer, None)


@router.get(urls.TAGGED_PACTS, permission=Permission.READ, **_OF_PAIR)
def get_tagged_pacts(request: Request, provider: str, consumer: str, tag: str) -> PactsOfPair:
    """List the pacts whose consumer versions have a tag, newest first."""
    return _list_of_pair(request, provider, consumer, PactsWithTag(name=tag))


@router.get(urls.BRANCH_PACTS, permission=Permission.READ, **_OF_PAIR)
def get_branch_pacts(request: Request, provider: str, consumer: str, branch: str) -> PactsOfPair:
    """List the pacts whose consumer versions are on a branch, oldest first."""
    return _list_of_pair(request, provider, consumer, PactsOnBranch(name=branch))


@router.get(urls.MAIN_BRANCH_PACTS, permission=Permission.READ, **_OF_PAIR)
def get_main_branch_pacts(request: Request, provider: str, consumer: str) -> PactsOfPair:
    """List the pacts of the consumer's main branch, oldest first."""
    return _list_of_pair(request, provider, consumer, PactsOnBranch(name=None))


@router.get(urls.LATEST_BRANCH_PACTS, permission=Permission.READ, **_OF_PAIR)
def get_pacts_of_branch_head(request: Request, provider: str, consumer: str, branch: str) -> PactsOfPair:
    """List the pact of a branch's head, if it has one."""
    return _list_of_pair(request, provider, consumer, PactsOnBranch(name=branch, is_head=True))


@router.get(urls.LATEST_MAIN_BRANCH_PACTS, permission=Permission.READ, **_OF_PAIR)
def get_pacts_of_main_branch_head(request: Request, provider: str, consumer: str) -> PactsOfPair:
    """List the pact of the main branch's head, if it has one."""
    return _list_of_pair(request, provider, consumer, PactsOnBranch(name=None, is_head=True))


def _list_of_pair(request: Request, provider: str, consumer: str, pact_filter: PactFilter) -> PactsOfPair:
    pacticipants.get(request.db, consumer, "consumer")
    pacticipants.get(request.db, provider, "provider")
    pacts = lists.list_of_pair(
        request.db, consumer=consumer, provider=provider, pact_filter=pact_filter, page=read_page(request)
    )
    return PactsOfPair(consumer=consumer, provider=provider, pact_filter=pact_filter, pacts=pacts)


@router.delete(urls.PACTS, permission=Permission.DELETE_PACT)
def delete_pacts(request: Request, provider: str, consumer: str) -> Deleted:
    """Delete all pacts of a pair."""
    unpublish_pacts(request.db, consumer=consumer, provider=provider, pact_filter=None)
    return Deleted()


@router.delete(urls.TAGGED_PACTS, permission=Permission.DELETE_PACT, response=DeletedPactsDocument)
def delete_tagged_pacts(request: Request, provider: str, consumer: str, tag: str) -> RemainingPacts:
    """Delete the pacts whose consumer versions have a tag."""
    return unpublish_pacts(request.db, consumer=consumer, provider=provider, pact_filter=PactsWithTag(name=tag))


@router.delete(
    urls.BRANCH_PACTS,
    permission=Permission.DELETE_PACT,
    aliases=[urls.LATEST_BRANCH_PACTS],
    response=DeletedPactsDocument,
)
def delete_branch_pacts(request: Request, provider: str, consumer: str, branch: str) -> RemainingPacts:
    """Delete the pacts whose consumer versions are on a branch, whether or not they are the latest."""
    return unpublish_pacts(request.db, consumer=consumer, provider=provider, pact_filter=PactsOnBranch(name=branch))


@router.delete(
    urls.MAIN_BRANCH_PACTS,
    permission=Permission.DELETE_PACT,
    aliases=[urls.LATEST_MAIN_BRANCH_PACTS],
    response=DeletedPactsDocument,
    errors=("409",),
)
def delete_main_branch_pacts(request: Request, provider: str, consumer: str) -> RemainingPacts:
    """Delete the pacts of the consumer's main branch, whether or not they are the latest."""
    return unpublish_pacts(request.db, consumer=consumer, provider=provider, pact_filter=PactsOnBranch(name=None))


@router.get(urls.PROVIDER_PACTS, permission=Permission.READ, is_slow=True, **_OF_PROVIDER)
def get_provider_pacts(request: Request, provider: str) -> PactsOfProvider:
    """List all pacts of a provider's consumers."""
    return _list_of_provider(request, provider, None)


@router.get(urls.PROVIDER_PACTS_WITH_TAG, permission=Permission.READ, is_slow=True, **_OF_PROVIDER)
def get_provider_pacts_with_tag(request: Request, provider: str, tag: str) -> PactsOfProvider:
    """List the pacts of a provider whose consumer versions have a tag."""
    return _list_of_provider(request, provider, PactsWithTag(name=tag))


@router.get(urls.BRANCH_PROVIDER_PACTS, permission=Permission.READ, is_slow=True, **_OF_PROVIDER)
def get_branch_provider_pacts(request: Request, provider: str, branch: str) -> PactsOfProvider:
    """List the pacts of a provider whose consumer versions are on a branch with this name."""
    return _list_of_provider(request, provider, PactsOnBranch(name=branch))


@router.get(urls.MAIN_BRANCH_PROVIDER_PACTS, permission=Permission.READ, is_slow=True, **_OF_PROVIDER)
def get_main_branch_provider_pacts(request: Request, provider: str) -> PactsOfProvider:
    """List the pacts of each consumer's main branch."""
    return _list_of_provider(request, provider, PactsOnBranch(name=None))


@router.get(urls.LATEST_BRANCH_PROVIDER_PACTS, permission=Permission.READ, **_OF_PROVIDER)
def get_latest_branch_provider_pacts(request: Request, provider: str, branch: str) -> PactsOfProvider:
    """List the pacts of the heads of the consumers' branches with this name."""
    return _list_of_provider(request, provider, PactsOnBranch(name=branch, is_head=True))


@router.get(urls.LATEST_MAIN_BRANCH_PROVIDER_PACTS, permission=Permission.READ, **_OF_PROVIDER)
def get_latest_main_branch_provider_pacts(request: Request, provider: str) -> PactsOfProvider:
    """List the pacts of the heads of the consumers' main branches."""
    return _list_of_provider(request, provider, PactsOnBranch(name=None, is_head=True))


def _list_of_provider(request: Request, provider: str, pact_filter: PactFilter) -> PactsOfProvider:
    pacticipants.get(request.db, provider, "provider")
    pacts = lists.list_of_provider(request.db, provider, pact_filter, read_page(request))
    is_latest = isinstance(pact_filter, PactsOnBranch) and pact_filter.is_head
    return PactsOfProvider(provider=provider, pact_filter=pact_filter, is_latest=is_latest, pacts=pacts)


@router.get(urls.LATEST_PROVIDER_PACTS, permission=Permission.READ, **_OF_PROVIDER)
def get_latest_provider_pacts(request: Request, provider: str) -> PactsOfProvider:
    """List the latest pact of each consumer of a provider."""
    pacticipants.get(request.db, provider, "provider")
    pacts = lists.list_latest_of_provider(request.db, provider, read_page(request))
    return PactsOfProvider(provider=provider, pact_filter=None, is_latest=True, pacts=pacts)


@router.get(urls.LATEST_PROVIDER_PACTS_WITH_TAG, permission=Permission.READ, **_OF_PROVIDER)
def get_latest_provider_pacts_with_tag(request: Request, provider: str, tag: str) -> PactsOfProvider:
    """List the latest pact with a tag of each consumer of a provider."""
    pacticipants.get(request.db, provider, "provider")
    pacts = lists.list_latest_of_provider(request.db, provider, read_page(request), tag=tag)
    return PactsOfProvider(provider=provider, pact_filter=PactsWithTag(name=tag), is_latest=True, pacts=pacts)


@router.get(urls.LATEST_PACTS, permission=Permission.READ, query=PAGE_PARAMETERS, response=LatestPactsDocument)
def get_latest_pacts(request: Request) -> LatestPacts:
    """List the latest pact of each pair."""
    return LatestPacts(lists.list_latest_of_pairs(request.db, read_page(request)))


def _pact_path(pact: Pact) -> str:
    return urls.PACT.fill(provider=pact.provider, consumer=pact.consumer, version=pact.version)


def _latest_path(pact: Pact) -> str:
    return urls.LATEST_PACT.fill(provider=pact.provider, consumer=pact.consumer)


def _pacticipant_path(name: str) -> str:
    return urls.PACTICIPANT.fill(pacticipant=name)


def _represent_consumer_version(pact: Pact) -> Hal:
    path = urls.VERSION.fill(pacticipant=pact.consumer, version=pact.version)
    return Hal({"number": pact.version}, links={"self": Link(path, "Version", name=pact.version)})


@represent.register
def pacts_of_pair(listed: PactsOfPair) -> Hal:
    items = [_represent_item(pact) for pact in listed.pacts.items]
    links = {**_links_of_pair(listed), **page_links(listed.pacts, urls.URL_PLACEHOLDER)}
    return Hal(page_state(listed.pacts), {"pacts": items}, links)


def _represent_item(pact: Pact) -> Hal:
    return Hal(
        {"createdAt": pact.created_at, "revision": pact.revision},
        {"consumerVersion": _represent_consumer_version(pact)},
        {"self": Link(_pact_path(pact), pact.title)},
    )


def _links_of_pair(listed: PactsOfPair) -> Links:
    title = f"All versions of the pact between {listed.consumer} and {listed.provider}"
    relation_prefix, item_title = "", "Pact"
    if isinstance(listed.pact_filter, PactsWithTag):
        # The original's relations and titles differ between the two lists.
        title = f"{title} with tag {listed.pact_filter.name}"
        relation_prefix, item_title = "pb:", "Pact version"
    return {
        "self": Link(urls.URL_PLACEHOLDER, title),
        f"{relation_prefix}consumer": Link(_pacticipant_path(listed.consumer), "Consumer", name=listed.consumer),
        f"{relation_prefix}provider": Link(_pacticipant_path(listed.provider), "Provider", name=listed.provider),
        f"{relation_prefix}pact-versions": [
            Link(_pact_path(pact), item_title, name=f"Version {pact.version} - {pact.created_at:%d/%m/%Y}")
            for pact in listed.pacts.items
        ],
    }


@represent.register
def pacts_of_provider(listed: PactsOfProvider) -> Hal:
    provider = listed.provider
    path = _pacticipant_path(provider)
    return Hal(
        page_state(listed.pacts),
        links={
            "self": Link(urls.URL_PLACEHOLDER, _provider_title(listed)),
            "pb:provider": Link(path, name=provider),
            "pb:pacts": _pact_links(listed.pacts.items),
            "provider": Link(path, provider, name="DEPRECATED - please use the pb:provider relation"),
            "pacts": _pact_links(listed.pacts.items, "DEPRECATED - please use the pb:pacts relation. "),
            **page_links(listed.pacts, urls.URL_PLACEHOLDER),
        },
    )


def _provider_title(listed: PactsOfProvider) -> str:
    scope = "Latest" if listed.is_latest else "All"
    title = f"{scope} pact versions for the provider {listed.provider}"
    match listed.pact_filter:
        case PactsWithTag(name=name):
            return f"{title} with consumer version tag '{name}'"
        case PactsOnBranch(name=str(name)):
            return f"{title} with consumer version branch '{name}'"
        case _:
            return title


def _pact_links(pacts: Sequence[Pact], title_prefix: str = "") -> list[Link]:
    return [Link(_pact_path(pact), title_prefix + pact.title, name=pact.consumer) for pact in pacts]


@represent.register
def latest_pacts(listed: LatestPacts) -> Hal:
    return Hal(
        {"pacts": [_represent_latest(pact) for pact in listed.pacts.items], **page_state(listed.pacts)},
        links={
            "self": Link(urls.URL_PLACEHOLDER),
            "pb:pacts": _latest_links(listed.pacts.items),
            "pacts": _latest_links(listed.pacts.items, "DEPRECATED - please use the pb:pacts relation"),
            **page_links(listed.pacts, urls.URL_PLACEHOLDER),
            "curies": build_curies("pacts"),
        },
    )


def _represent_latest(pact: Pact) -> Hal:
    consumer = Hal(
        {"name": pact.consumer},
        {"version": _represent_consumer_version(pact)},
        {"self": Link(_pacticipant_path(pact.consumer))},
    )
    provider = Hal({"name": pact.provider}, links={"self": Link(_pacticipant_path(pact.provider))})
    return Hal(
        {"createdAt": pact.created_at},
        {"consumer": consumer, "provider": provider},
        {"self": [Link(_latest_path(pact)), Link(_pact_path(pact))]},
    )


def _latest_links(pacts: Sequence[Pact], name: str | None = None) -> list[Link]:
    title = "Latest pact between {} and {}"
    return [Link(_latest_path(pact), title.format(pact.consumer, pact.provider), name=name) for pact in pacts]
