"""How pacticipants and their labels look."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from treaty.model.deployments import DeployedVersion
from treaty.model.pacticipants.pacticipants import Label, ListedPacticipant, Pacticipant, PacticipantInFull
from treaty.model.paging import Paged
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Item, Link, Links, Long, View, curies, item, part
from treaty.web.hal.paging import page_links, page_state
from treaty.web.hal.patterns import Pattern, blank, with_state, words


@dataclass(frozen=True, slots=True)
class Pacticipants:
    """A list of pacticipants. That of all of them has each twice, as old clients expect."""

    paged: Paged[ListedPacticipant]
    path: str
    has_each_twice: bool = False


@dataclass(frozen=True, slots=True)
class Labels:
    """A list of labels, by name."""

    paged: Paged[str]


@represent.register
def pacticipant(full: PacticipantInFull) -> Hal:
    name = full.pacticipant.name
    labels = [_label(name, label) for label in full.labels]
    return Hal(_state(full.pacticipant), _embedded(name, full.latest_version, labels), _links(name, full.running))


def _state(one: Pacticipant | ListedPacticipant, title: str | None = None) -> dict[str, object]:
    return {
        "name": one.name,
        "displayName": one.display_name,
        "repositoryUrl": one.repository_url,
        "repositoryName": one.repository_name,
        "repositoryNamespace": one.repository_namespace,
        "mainBranch": one.main_branch,
        "updatedAt": one.updated_at if one.updated_at != one.created_at else None,
        "createdAt": one.created_at,
        "title": title,
    }


def _embedded(name: str, latest_version: str | None, labels: object) -> Mapping[str, object]:
    if latest_version is None:
        return {"labels": labels}
    return {
        "latestVersion": _latest_version(name, latest_version, {}),
        "labels": labels,
        "latest-version": _latest_version(name, latest_version, _DEPRECATED),
    }


def _label(pacticipant: str, name: str) -> Hal:
    return Hal({"name": name}, links={"self": _label_link(pacticipant, name)})


_DEPRECATED: Final[Mapping[str, str]] = dict.fromkeys(("title", "name"), "DEPRECATED - please use latestVersion")


def _latest_version(name: str, number: str, more: Mapping[str, str]) -> Hal:
    link = Link(urls.VERSION.fill(pacticipant=name, version=number), "Version", name=number)
    return Hal({"number": number, **more}, links={"self": link})


def _links(name: str, running: Iterable[DeployedVersion] | None) -> Links:
    versions = urls.VERSIONS.fill(pacticipant=name)
    return {
        "self": Link(urls.PACTICIPANT.fill(pacticipant=name)),
        "pb:versions": Link(versions),
        "pb:branches": Link(urls.BRANCHES.fill(pacticipant=name)),
        "pb:deployed-environments": None if running is None else [_running(one) for one in running],
        "pb:version": Link(urls.VERSION.fill(pacticipant=name), "Get, create or delete a pacticipant version"),
        "pb:version-tag": Link(
            urls.VERSION_TAG.fill(pacticipant=name), f"Get, create or delete a tag for a version of {name}"
        ),
        "pb:branch-version": Link(
            urls.BRANCH_VERSION.fill(pacticipant=name), f"Get or add/create a version for a branch of {name}"
        ),
        "pb:label": Link(urls.PACTICIPANT_LABEL.fill(pacticipant=name), f"Get, create or delete a label for {name}"),
        "versions": Link(versions, "Deprecated - use pb:versions"),
        "pb:can-i-deploy-badge": Link(urls.CAN_I_DEPLOY_TAG_BADGE.fill(pacticipant=name), f"Can I Deploy {name} badge"),
        "pb:can-i-deploy-branch-to-environment-badge": Link(
            urls.CAN_I_DEPLOY_BRANCH_BADGE.fill(pacticipant=name),
            f"Can I Deploy {name} from branch to environment badge",
        ),
        "curies": curies("pacticipant"),
    }


def _running(deployed: DeployedVersion) -> Link:
    name = deployed.environment.display_name
    path = urls.DEPLOYED_VERSION.fill(uuid=deployed.uuid)
    return Link(path, f"Version deployed to {name}", name=name, extra={"currently_deployed": deployed.is_current})


_TITLE: Final = "DEPRECATED - Please use the embedded pacticipants collection"


@represent.register
def pacticipants(listed: Pacticipants) -> Hal:
    return Long(
        state={**page_state(listed.paged), "pacticipants": part("titled") if listed.has_each_twice else None},
        embedded={"pacticipants": part("pacticipants")},
        links={
            **page_links(listed.paged, listed.path),
            "self": Link(urls.PACTICIPANTS.fill()),
            "pb:pacticipants-with-label": Link(urls.PACTICIPANTS_WITH_LABEL.fill(), "Find pacticipants by label"),
            "pb:pacticipants": part("links"),
            "pacticipants": part("deprecated"),
        },
        lists=("pacticipants", "titled", "links", "deprecated"),
        write=lambda view: [_item(one, view) for one in listed.paged.items],
    )


@lru_cache(maxsize=2048)
def _item(one: ListedPacticipant, view: View) -> Item:
    """Show a pacticipant as one of many. It is remembered: few change from one reading of the list to the next."""
    names = words(pacticipant=one.name, version=one.latest_version or "")
    labels = ",".join(Pattern(_label(one.name, label), view).filled({}) for label in one.labels)
    rest = _pattern_of_rest(view, has_version=one.latest_version is not None).filled({**names, "labels": f"[{labels}]"})
    patterns = _patterns_of_links(view)
    return item(
        with_state(_state(one), rest),
        with_state(_state(one, _TITLE), rest),
        *(pattern.filled(names).encode() for pattern in patterns),
    )


_NAME: Final = blank("pacticipant")


@lru_cache(maxsize=128)
def _pattern_of_rest(view: View, *, has_version: bool) -> Pattern:
    """Make the pattern of all but the properties."""
    embedded = _embedded(_NAME, blank("version") if has_version else None, part("labels"))
    return Pattern(Hal(embedded=embedded, links=_links(_NAME, None)), view)


@lru_cache(maxsize=64)
def _patterns_of_links(view: View) -> tuple[Pattern, Pattern]:
    """Make the patterns of the link to a pacticipant, and of the deprecated one."""
    deprecated = Link(urls.PACTICIPANT.fill(pacticipant=_NAME), _NAME, name="DEPRECATED - please use pb:pacticipants")
    return Pattern(_pacticipant_link(_NAME), view), Pattern(deprecated, view)


def _pacticipant_link(name: str) -> Link:
    return Link(urls.PACTICIPANT.fill(pacticipant=name), "Pacticipant", name=name)


def _label_link(pacticipant: str, name: str) -> Link:
    return Link(urls.PACTICIPANT_LABEL.fill(pacticipant=pacticipant, label=name), "Label", name=name)


@represent.register
def label(one: Label) -> Hal:
    return Hal(
        state={
            "name": one.name,
            "updatedAt": one.updated_at if one.updated_at != one.created_at else None,
            "createdAt": one.created_at,
        },
        links={"self": _label_link(one.pacticipant, one.name), "pacticipant": _pacticipant_link(one.pacticipant)},
    )


@represent.register
def labels(listed: Labels) -> Hal:
    return Hal(
        state=page_state(listed.paged),
        embedded={"labels": [{"name": name} for name in listed.paged.items]},
        links={"self": Link(urls.HERE, "Labels"), **page_links(listed.paged, urls.LABELS.fill())},
    )
