"""How pacticipants and their labels look."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import orjson

from treaty.model.environment import DeployedVersion
from treaty.model.pacticipant import Label, PacticipantInFull
from treaty.model.page import Paged
from treaty.web import represent, urls
from treaty.web.hal import Hal, Link, Links, curies, written
from treaty.web.paging import page_links, page_state


@dataclass(frozen=True, slots=True)
class Pacticipants:
    """A list of pacticipants. That of all of them has each twice, as old clients expect."""

    paged: Paged[PacticipantInFull]
    path: str
    has_each_twice: bool = False


@dataclass(frozen=True, slots=True)
class Labels:
    """A list of labels, by name."""

    paged: Paged[str]


@represent.register
def pacticipant(full: PacticipantInFull) -> Hal:
    return _pacticipant(full)


@lru_cache(maxsize=2048)
def _in_list(full: PacticipantInFull, title: str | None = None) -> orjson.Fragment:
    """Show a pacticipant as one of many. It is remembered: few change from one reading of the list to the next."""
    return written(_pacticipant(full, title))


def _pacticipant(full: PacticipantInFull, title: str | None = None) -> Hal:
    one = full.pacticipant
    return Hal(
        state={
            "name": one.name,
            "displayName": one.display_name,
            "repositoryUrl": one.repository_url,
            "repositoryName": one.repository_name,
            "repositoryNamespace": one.repository_namespace,
            "mainBranch": one.main_branch,
            "updatedAt": one.updated_at if one.updated_at != one.created_at else None,
            "createdAt": one.created_at,
            "title": title,
        },
        embedded=_embedded(full),
        links=_links(one.name, full.running),
    )


def _embedded(full: PacticipantInFull) -> Mapping[str, object]:
    name = full.pacticipant.name
    labels = [Hal({"name": label}, links={"self": _label_link(name, label)}) for label in full.labels]
    if full.latest_version is None:
        return {"labels": labels}
    return {
        "latestVersion": _latest_version(name, full.latest_version, {}),
        "labels": labels,
        "latest-version": _latest_version(name, full.latest_version, _DEPRECATED),
    }


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
    items = listed.paged.items
    names = [one.pacticipant.name for one in items]
    return Hal(
        state={
            **page_state(listed.paged),
            "pacticipants": [_in_list(one, _TITLE) for one in items] if listed.has_each_twice else None,
        },
        embedded={"pacticipants": [_in_list(one) for one in items]},
        links={
            **page_links(listed.paged, listed.path),
            "self": Link(urls.PACTICIPANTS.fill()),
            "pb:pacticipants-with-label": Link(urls.PACTICIPANTS_WITH_LABEL.fill(), "Find pacticipants by label"),
            "pb:pacticipants": [_pacticipant_link(name) for name in names],
            "pacticipants": [
                Link(urls.PACTICIPANT.fill(pacticipant=name), name, name="DEPRECATED - please use pb:pacticipants")
                for name in names
            ],
        },
    )


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
