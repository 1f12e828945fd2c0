"""Lists of pacts, under the relations and titles that clients know them by."""

from collections.abc import Sequence

from treaty.model.pacts.lists import Among, LatestPacts, OnBranch, PactsOfPair, PactsOfProvider, Tagged, Unpublished
from treaty.model.pacts.pacts import Pact
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link, Links, curies
from treaty.web.hal.paging import page_links, page_state


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
    links = {**_links_of_pair(listed), **page_links(listed.pacts, urls.HERE)}
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
    if isinstance(listed.among, Tagged):
        title, prefix, item = f"{title} with tag {listed.among.name}", "pb:", "Pact version"
    return {
        "self": Link(urls.HERE, title),
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
            "self": Link(urls.HERE, _title(listed)),
            "pb:provider": Link(path, name=provider),
            "pb:pacts": _pact_links(listed.pacts.items),
            "provider": Link(path, provider, name="DEPRECATED - please use the pb:provider relation"),
            "pacts": _pact_links(listed.pacts.items, "DEPRECATED - please use the pb:pacts relation. "),
            **page_links(listed.pacts, urls.HERE),
        },
    )


def _title(listed: PactsOfProvider) -> str:
    scope = "Latest" if listed.is_latest else "All"
    return f"{scope} pact versions for the provider {listed.provider}{_which(listed.among)}"


def _which(among: Among) -> str:
    match among:
        case Tagged(name=name):
            return f" with consumer version tag '{name}'"
        case OnBranch(name=str(name)):
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
            "self": Link(urls.HERE),
            "pb:pacts": _latest_links(listed.pacts.items),
            "pacts": _latest_links(listed.pacts.items, "DEPRECATED - please use the pb:pacts relation"),
            **page_links(listed.pacts, urls.HERE),
            "curies": curies("pacts"),
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
def unpublished(left: Unpublished) -> Hal:
    latest = urls.LATEST_PACT.fill(provider=left.provider, consumer=left.consumer)
    return Hal(
        links={
            "index": Link(""),
            "pb:latest-pact-version": Link(latest, "Latest pact") if left.has_pacts else None,
        }
    )
