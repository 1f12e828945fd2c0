"""How versions look, alone and in lists."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import orjson

from treaty.model.environment import DeployedVersion, Environment, ReleasedVersion
from treaty.model.page import Paged
from treaty.model.version import BranchVersion, PactOfVersion, Tag, Version, VersionInFull
from treaty.web import represent, urls
from treaty.web.hal import Hal, Link, Links, curies, written
from treaty.web.paging import page_links, page_state


@dataclass(frozen=True, slots=True)
class Versions:
    """A list of versions of a pacticipant, for some reason."""

    pacticipant: str
    paged: Paged[VersionInFull]
    title: str
    path: str


_CURIES: Final = curies("version")


@represent.register
def version(full: VersionInFull) -> Hal:
    """Represent a version; alone it links to the path by which it was asked for."""
    one = full.version
    is_alone = full.environments is not None
    return Hal(
        state={
            "number": one.number,
            "buildUrl": one.build_url,
            "updatedAt": one.updated_at if one.updated_at != one.created_at else None,
            "createdAt": one.created_at,
        },
        embedded={
            "branchVersions": [_on_branch(place) for place in full.branches],
            "tags": [_tagged(tag) for tag in full.tags],
        },
        links={
            "self": Link(urls.HERE if is_alone else _path(one), "Version", name=one.number),
            **_links_of(one),
            "pb:pact-versions": [_pact(pact) for pact in full.pacts],
            **_environment_links(full),
            "curies": _CURIES,
        },
    )


@lru_cache(maxsize=2048)
def _in_list(full: VersionInFull) -> orjson.Fragment:
    """Show a version as one of many. It is remembered: from one reading of a list to the next few of them change."""
    return written(version(full))


def _path(one: Version) -> str:
    return urls.VERSION.fill(pacticipant=one.pacticipant, version=one.number)


def _on_branch(place: BranchVersion) -> Hal:
    path = urls.BRANCH_VERSION.fill(pacticipant=place.pacticipant, branch=place.branch, version=place.version)
    return Hal(
        {"name": place.branch, "latest": place.is_head},
        links={"self": Link(path, "Branch version", name=place.branch)},
    )


def _tagged(tag: Tag) -> Hal:
    path = urls.VERSION_TAG.fill(pacticipant=tag.pacticipant, version=tag.version, tag=tag.name)
    return Hal({"name": tag.name}, links={"self": Link(path, "Tag", name=tag.name)})


def _links_of(one: Version) -> Links:
    return {
        "pb:pacticipant": Link(urls.PACTICIPANT.fill(pacticipant=one.pacticipant), "Pacticipant", name=one.pacticipant),
        "pb:tag": Link(
            urls.VERSION_TAG.fill(pacticipant=one.pacticipant, version=one.number),
            "Get, create or delete a tag for this pacticipant version",
        ),
        "pb:latest-verification-results-where-pacticipant-is-consumer": Link(
            urls.VERIFICATIONS_OF_CONSUMER_VERSION.fill(consumer=one.pacticipant, version=one.number),
            "Latest verification results for consumer version",
        ),
    }


def _pact(pact: PactOfVersion) -> Link:
    path = urls.PACT.fill(provider=pact.provider, consumer=pact.consumer, version=pact.version)
    return Link(path, "Pact", name=f"Pact between {pact.consumer} ({pact.version}) and {pact.provider}")


def _environment_links(full: VersionInFull) -> Links:
    """Link to deployments and releases, and to where more can be recorded; lists leave out what is empty."""
    deployed = [_deployed(one) for one in full.deployed]
    released = [_released(one) for one in full.released]
    if full.environments is None:
        return {"pb:deployed-environments": deployed or None, "pb:released-environments": released or None}
    return {
        "pb:deployed-environments": deployed,
        "pb:released-environments": released,
        **_recording_links(full.version, full.environments),
    }


def _deployed(one: DeployedVersion) -> Link:
    name = one.environment.display_name
    extra: dict[str, object] = {"currently_deployed": one.is_current}
    if one.application_instance is not None:
        extra["application_instance"] = one.application_instance
    return Link(urls.DEPLOYED_VERSION.fill(uuid=one.uuid), f"Version deployed to {name}", name=name, extra=extra)


def _released(one: ReleasedVersion) -> Link:
    name = one.environment.display_name
    extra = {"currently_supported": one.is_supported}
    return Link(urls.RELEASED_VERSION.fill(uuid=one.uuid), f"Version released to {name}", name=name, extra=extra)


def _recording_links(one: Version, environments: Iterable[Environment]) -> Links:
    deployments, releases = [], []
    for environment in environments:
        names = {"pacticipant": one.pacticipant, "version": one.number, "environment": environment.uuid}
        to = environment.display_name
        deployments.append(Link(urls.DEPLOYMENTS.fill(**names), f"Record deployment to {to}", name=environment.name))
        releases.append(Link(urls.RELEASES.fill(**names), f"Record release to {to}", name=environment.name))
    return {"pb:record-deployment": deployments, "pb:record-release": releases}


@represent.register
def versions(listed: Versions) -> Hal:
    owner = urls.PACTICIPANT.fill(pacticipant=listed.pacticipant)
    found = [full.version for full in listed.paged.items]
    return Hal(
        state=page_state(listed.paged),
        embedded={"versions": [_in_list(full) for full in listed.paged.items]},
        links={
            "self": Link(urls.HERE_AND_QUERY, listed.title),
            **page_links(listed.paged, listed.path),
            "pb:pacticipant": Link(owner, listed.pacticipant),
            "pb:versions": [Link(_path(one), f"Version {one.number} - {one.updated_at:%d/%m/%Y}") for one in found],
            "pacticipant": Link(owner, "Deprecated - please use pb:pacticipant"),
            "versions": [Link(_path(one), "Deprecated - please use pb:versions") for one in found],
        },
    )
