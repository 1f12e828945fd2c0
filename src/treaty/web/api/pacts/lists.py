"""Lists of pacts: of a pair and of a provider, by tag and by branch; and taking pacts away."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NotRequired

from typing_extensions import TypedDict

from treaty.actions.pacts import removal
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
from treaty.web.security.permissions import Permission

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
_OF_PROVIDER: Final[Mapping[str, Any]] = {"query": PAGE_PARAMETERS, "response": PactsOfProviderDocument}


@router.get(urls.PACTS, permission=Permission.READ, **_OF_PAIR)
def get_pacts(call: Request, provider: str, consumer: str) -> PactsOfPair:
    """List all pacts of a pair, newest first."""
    return _of_pair(call, provider, consumer, None)


@router.get(urls.TAGGED_PACTS, permission=Permission.READ, **_OF_PAIR)
def get_tagged_pacts(call: Request, provider: str, consumer: str, tag: str) -> PactsOfPair:
    """List the pacts whose consumer versions have a tag, newest first."""
    return _of_pair(call, provider, consumer, PactsWithTag(name=tag))


@router.get(urls.BRANCH_PACTS, permission=Permission.READ, **_OF_PAIR)
def get_branch_pacts(call: Request, provider: str, consumer: str, branch: str) -> PactsOfPair:
    """List the pacts whose consumer versions are on a branch, oldest first."""
    return _of_pair(call, provider, consumer, PactsOnBranch(name=branch))


@router.get(urls.MAIN_BRANCH_PACTS, permission=Permission.READ, **_OF_PAIR)
def get_main_branch_pacts(call: Request, provider: str, consumer: str) -> PactsOfPair:
    """List the pacts of the consumer's main branch, oldest first."""
    return _of_pair(call, provider, consumer, PactsOnBranch(name=None))


@router.get(urls.LATEST_BRANCH_PACTS, permission=Permission.READ, **_OF_PAIR)
def get_pacts_of_branch_head(call: Request, provider: str, consumer: str, branch: str) -> PactsOfPair:
    """List the pact of a branch's head, if it has one."""
    return _of_pair(call, provider, consumer, PactsOnBranch(name=branch, is_head=True))


@router.get(urls.LATEST_MAIN_BRANCH_PACTS, permission=Permission.READ, **_OF_PAIR)
def get_pacts_of_main_branch_head(call: Request, provider: str, consumer: str) -> PactsOfPair:
    """List the pact of the main branch's head, if it has one."""
    return _of_pair(call, provider, consumer, PactsOnBranch(name=None, is_head=True))


def _of_pair(call: Request, provider: str, consumer: str, pact_filter: PactFilter) -> PactsOfPair:
    pacticipants.get(call.db, consumer, "consumer")
    pacticipants.get(call.db, provider, "provider")
    found = lists.list_of_pair(
        call.db, consumer=consumer, provider=provider, pact_filter=pact_filter, page=read_page(call)
    )
    return PactsOfPair(consumer=consumer, provider=provider, pact_filter=pact_filter, pacts=found)


@router.delete(urls.PACTS, permission=Permission.DELETE_PACT)
def delete_pacts(call: Request, provider: str, consumer: str) -> Deleted:
    """Delete all pacts of a pair."""
    removal.unpublish_pacts(call.db, consumer=consumer, provider=provider, pact_filter=None)
    return Deleted()


@router.delete(urls.TAGGED_PACTS, permission=Permission.DELETE_PACT, response=DeletedPactsDocument)
def delete_tagged_pacts(call: Request, provider: str, consumer: str, tag: str) -> RemainingPacts:
    """Delete the pacts whose consumer versions have a tag."""
    return removal.unpublish_pacts(call.db, consumer=consumer, provider=provider, pact_filter=PactsWithTag(name=tag))


@router.delete(
    urls.BRANCH_PACTS,
    permission=Permission.DELETE_PACT,
    aliases=[urls.LATEST_BRANCH_PACTS],
    response=DeletedPactsDocument,
)
def delete_branch_pacts(call: Request, provider: str, consumer: str, branch: str) -> RemainingPacts:
    """Delete the pacts whose consumer versions are on a branch: all of them, under either URL."""
    return removal.unpublish_pacts(
        call.db, consumer=consumer, provider=provider, pact_filter=PactsOnBranch(name=branch)
    )


@router.delete(
    urls.MAIN_BRANCH_PACTS,
    permission=Permission.DELETE_PACT,
    aliases=[urls.LATEST_MAIN_BRANCH_PACTS],
    response=DeletedPactsDocument,
    errors=("409",),
)
def delete_main_branch_pacts(call: Request, provider: str, consumer: str) -> RemainingPacts:
    """Delete the pacts of the consumer's main branch: all of them, under either URL."""
    return removal.unpublish_pacts(call.db, consumer=consumer, provider=provider, pact_filter=PactsOnBranch(name=None))


@router.get(urls.PROVIDER_PACTS, permission=Permission.READ, is_slow=True, **_OF_PROVIDER)
def get_provider_pacts(call: Request, provider: str) -> PactsOfProvider:
    """List all pacts of a provider's consumers."""
    return _of_provider(call, provider, None)


@router.get(urls.PROVIDER_PACTS_WITH_TAG, permission=Permission.READ, is_slow=True, **_OF_PROVIDER)
def get_provider_pacts_with_tag(call: Request, provider: str, tag: str) -> PactsOfProvider:
    """List the pacts of a provider whose consumer versions have a tag."""
    return _of_provider(call, provider, PactsWithTag(name=tag))


@router.get(urls.BRANCH_PROVIDER_PACTS, permission=Permission.READ, is_slow=True, **_OF_PROVIDER)
def get_branch_provider_pacts(call: Request, provider: str, branch: str) -> PactsOfProvider:
    """List the pacts of a provider whose consumer versions are on branches of a name."""
    return _of_provider(call, provider, PactsOnBranch(name=branch))


@router.get(urls.MAIN_BRANCH_PROVIDER_PACTS, permission=Permission.READ, is_slow=True, **_OF_PROVIDER)
def get_main_branch_provider_pacts(call: Request, provider: str) -> PactsOfProvider:
    """List the pacts of each consumer's main branch."""
    return _of_provider(call, provider, PactsOnBranch(name=None))


@router.get(urls.LATEST_BRANCH_PROVIDER_PACTS, permission=Permission.READ, **_OF_PROVIDER)
def get_latest_branch_provider_pacts(call: Request, provider: str, branch: str) -> PactsOfProvider:
    """List the pacts of the heads of branches of a name."""
    return _of_provider(call, provider, PactsOnBranch(name=branch, is_head=True))


@router.get(urls.LATEST_MAIN_BRANCH_PROVIDER_PACTS, permission=Permission.READ, **_OF_PROVIDER)
def get_latest_main_branch_provider_pacts(call: Request, provider: str) -> PactsOfProvider:
    """List the pacts of the heads of the consumers' main branches."""
    return _of_provider(call, provider, PactsOnBranch(name=None, is_head=True))


def _of_provider(call: Request, provider: str, pact_filter: PactFilter) -> PactsOfProvider:
    pacticipants.get(call.db, provider, "provider")
    found = lists.list_of_provider(call.db, provider, pact_filter, read_page(call))
    is_latest = isinstance(pact_filter, PactsOnBranch) and pact_filter.is_head
    return PactsOfProvider(provider=provider, pact_filter=pact_filter, is_latest=is_latest, pacts=found)


@router.get(urls.LATEST_PROVIDER_PACTS, permission=Permission.READ, **_OF_PROVIDER)
def get_latest_provider_pacts(call: Request, provider: str) -> PactsOfProvider:
    """List the latest pact of each consumer of a provider."""
    pacticipants.get(call.db, provider, "provider")
    found = lists.list_latest_of_provider(call.db, provider, read_page(call))
    return PactsOfProvider(provider=provider, pact_filter=None, is_latest=True, pacts=found)


@router.get(urls.LATEST_PROVIDER_PACTS_WITH_TAG, permission=Permission.READ, **_OF_PROVIDER)
def get_latest_provider_pacts_with_tag(call: Request, provider: str, tag: str) -> PactsOfProvider:
    """List the latest pact with a tag of each consumer of a provider."""
    pacticipants.get(call.db, provider, "provider")
    found = lists.list_latest_of_provider(call.db, provider, read_page(call), tag=tag)
    return PactsOfProvider(provider=provider, pact_filter=PactsWithTag(name=tag), is_latest=True, pacts=found)


@router.get(urls.LATEST_PACTS, permission=Permission.READ, query=PAGE_PARAMETERS, response=LatestPactsDocument)
def get_latest_pacts(call: Request) -> LatestPacts:
    """List the latest pact of each pair."""
    return LatestPacts(lists.list_latest_of_pairs(call.db, read_page(call)))


def _path(pact: Pact) -> str:
    return urls.PACT.fill(provider=pact.provider, consumer=pact.consumer, version=pact.version)


def _latest_path(pact: Pact) -> str:
    return urls.LATEST_PACT.fill(provider=pact.provider, consumer=pact.consumer)


def _pacticipant(name: str) -> str:
    return urls.PACTICIPANT.fill(pacticipant=name)


def _consumer_version(pact: Pact) -> Hal:
    path = urls.VERSION.fill(pacticipant=pact.consumer, version=pact.version)
    return Hal({"number": pact.version}, links={"self": Link(path, "Version", name=pact.version)})


@represent.register
def pacts_of_pair(listed: PactsOfPair) -> Hal:
    items = [_item(pact) for pact in listed.pacts.items]
    links = {**_links_of_pair(listed), **page_links(listed.pacts, urls.URL_PLACEHOLDER)}
    return Hal(page_state(listed.pacts), {"pacts": items}, links)


def _item(pact: Pact) -> Hal:
    return Hal(
        {"createdAt": pact.created_at, "revision": pact.revision},
        {"consumerVersion": _consumer_version(pact)},
        {"self": Link(_path(pact), pact.title)},
    )


def _links_of_pair(listed: PactsOfPair) -> Links:
    title = f"All versions of the pact between {listed.consumer} and {listed.provider}"
    prefix, item = "", "Pact"
    if isinstance(listed.pact_filter, PactsWithTag):
        title, prefix, item = f"{title} with tag {listed.pact_filter.name}", "pb:", "Pact version"
    return {
        "self": Link(urls.URL_PLACEHOLDER, title),
        f"{prefix}consumer": Link(_pacticipant(listed.consumer), "Consumer", name=listed.consumer),
        f"{prefix}provider": Link(_pacticipant(listed.provider), "Provider", name=listed.provider),
        f"{prefix}pact-versions": [
            Link(_path(pact), item, name=f"Version {pact.version} - {pact.created_at:%d/%m/%Y}")
            for pact in listed.pacts.items
        ],
    }


@represent.register
def pacts_of_provider(listed: PactsOfProvider) -> Hal:
    provider = listed.provider
    path = _pacticipant(provider)
    return Hal(
        page_state(listed.pacts),
        links={
            "self": Link(urls.URL_PLACEHOLDER, _title(listed)),
            "pb:provider": Link(path, name=provider),
            "pb:pacts": _pact_links(listed.pacts.items),
            "provider": Link(path, provider, name="DEPRECATED - please use the pb:provider relation"),
            "pacts": _pact_links(listed.pacts.items, "DEPRECATED - please use the pb:pacts relation. "),
            **page_links(listed.pacts, urls.URL_PLACEHOLDER),
        },
    )


def _title(listed: PactsOfProvider) -> str:
    scope = "Latest" if listed.is_latest else "All"
    return f"{scope} pact versions for the provider {listed.provider}{_which(listed.pact_filter)}"


def _which(pact_filter: PactFilter) -> str:
    match pact_filter:
        case PactsWithTag(name=name):
            return f" with consumer version tag '{name}'"
        case PactsOnBranch(name=str(name)):
            return f" with consumer version branch '{name}'"
        case _:
            return ""


def _pact_links(pacts: Sequence[Pact], prefix: str = "") -> list[Link]:
    return [Link(_path(pact), prefix + pact.title, name=pact.consumer) for pact in pacts]


@represent.register
def latest_pacts(listed: LatestPacts) -> Hal:
    return Hal(
        {"pacts": [_latest_item(pact) for pact in listed.pacts.items], **page_state(listed.pacts)},
        links={
            "self": Link(urls.URL_PLACEHOLDER),
            "pb:pacts": _latest_links(listed.pacts.items),
            "pacts": _latest_links(listed.pacts.items, "DEPRECATED - please use the pb:pacts relation"),
            **page_links(listed.pacts, urls.URL_PLACEHOLDER),
            "curies": build_curies("pacts"),
        },
    )


def _latest_item(pact: Pact) -> Hal:
    consumer = Hal(
        {"name": pact.consumer},
        {"version": _consumer_version(pact)},
        {"self": Link(_pacticipant(pact.consumer))},
    )
    provider = Hal({"name": pact.provider}, links={"self": Link(_pacticipant(pact.provider))})
    return Hal(
        {"createdAt": pact.created_at},
        {"consumer": consumer, "provider": provider},
        {"self": [Link(_latest_path(pact)), Link(_path(pact))]},
    )


def _latest_links(pacts: Sequence[Pact], name: str | None = None) -> list[Link]:
    title = "Latest pact between {} and {}"
    return [Link(_latest_path(pact), title.format(pact.consumer, pact.provider), name=name) for pact in pacts]


@represent.register
def unpublished(left: RemainingPacts) -> Hal:
    latest = urls.LATEST_PACT.fill(provider=left.provider, consumer=left.consumer)
    return Hal(
        links={
            "index": Link(""),
            "pb:latest-pact-version": Link(latest, "Latest pact") if left.has_pacts else None,
        }
    )
