"""The versions of a pacticipant that were deployed or released, with the times.

The resource is that of a later version of the original broker.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, cast

from typing_extensions import TypedDict

from treaty.model.paging import Paged
from treaty.model.versions import EnvironmentPeriod, RecordedVersion
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import details
from treaty.web import urls
from treaty.web.api.paging import PAGE_PARAMETERS, PageState, page_links, page_state, read_page
from treaty.web.api.versions.versions import (
    VersionLinks,
    VersionParts,
    VersionState,
    deployed_link,
    released_link,
    represent_version,
    version_path,
)
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link, Links
from treaty.web.hal.shapes import Omittable, SelfLinked
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


@dataclass(frozen=True, slots=True)
class RecordedVersions:
    """A list of versions of a pacticipant that were deployed or released."""

    pacticipant: str
    paged: Paged[RecordedVersion]


class VersionPeriods(TypedDict):
    """The times of the last deployment and the last release. The ends are absent where the version is still live."""

    deployedAt: Omittable[datetime]
    undeployedAt: Omittable[datetime]
    releasedAt: Omittable[datetime]
    supportEndedAt: Omittable[datetime]


class EnvironmentReference(SelfLinked):
    uuid: str
    name: str
    production: bool


class PeriodParts(TypedDict):
    environment: EnvironmentReference


class RecordedDeploymentDocument(SelfLinked):
    uuid: str
    currentlyDeployed: bool
    applicationInstance: Omittable[str]
    deployedAt: datetime
    undeployedAt: Omittable[datetime]
    _embedded: PeriodParts


class RecordedReleaseDocument(SelfLinked):
    uuid: str
    currentlySupported: bool
    releasedAt: datetime
    supportEndedAt: Omittable[datetime]
    _embedded: PeriodParts


class RecordedVersionParts(VersionParts):
    deployedVersions: list[RecordedDeploymentDocument]
    releasedVersions: list[RecordedReleaseDocument]


class RecordedVersionDocument(VersionState, VersionPeriods):
    _embedded: RecordedVersionParts
    _links: VersionLinks


class ListedRecordedVersions(TypedDict):
    versions: list[RecordedVersionDocument]


RecordedVersionsLinks = TypedDict(
    "RecordedVersionsLinks",
    {"self": Link, "next": NotRequired[Link], "previous": NotRequired[Link], "pb:pacticipant": Link},
)


class RecordedVersionsDocument(PageState):
    _embedded: ListedRecordedVersions
    _links: RecordedVersionsLinks


@router.get(
    urls.DEPLOYED_OR_RELEASED_VERSIONS,
    permission=Permission.READ,
    is_cacheable=True,
    query=PAGE_PARAMETERS,
    response=RecordedVersionsDocument,
)
def list_deployed_or_released_versions(request: Request, pacticipant: str) -> RecordedVersions:
    """List the versions that were ever deployed or released, newest first, with their deployments and releases."""
    page = read_page(request)
    pacticipants.get(request.db, pacticipant)
    return RecordedVersions(pacticipant, details.list_deployed_or_released(request.db, pacticipant, page))


@represent.register
def recorded_version_list(versions: RecordedVersions) -> Hal:
    name = versions.pacticipant
    path = urls.DEPLOYED_OR_RELEASED_VERSIONS.fill(pacticipant=name)
    return Hal(
        state=page_state(versions.paged),
        embedded={"versions": [_recorded_version(version) for version in versions.paged.items]},
        links={
            "self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, f"Versions of {name} that have been deployed or released"),
            **page_links(versions.paged, path),
            "pb:pacticipant": Link(urls.PACTICIPANT.fill(pacticipant=name), name),
        },
    )


def _recorded_version(recorded: RecordedVersion) -> Hal:
    version = recorded.details
    document = represent_version(
        version,
        self_path=version_path(version),
        deployed=[deployed_link(deployed) for deployed in version.deployed] or None,
        released=[released_link(released) for released in version.released] or None,
        recording_links={},
    )
    periods = {
        **_last_period(recorded.deployments, "deployedAt", "undeployedAt"),
        **_last_period(recorded.releases, "releasedAt", "supportEndedAt"),
    }
    embedded = {
        **cast("Mapping[str, object]", document["_embedded"]),
        "deployedVersions": [_recorded_deployment(period) for period in recorded.deployments],
        "releasedVersions": [_recorded_release(period) for period in recorded.releases],
    }
    state = {name: value for name, value in document.items() if not name.startswith("_")}
    return Hal(state={**state, **periods}, embedded=embedded, links=cast("Links", document["_links"]))


def _last_period(periods: Sequence[EnvironmentPeriod], beginning: str, end: str) -> dict[str, datetime]:
    """Return when a version last began to be live, and when it ceased to be live in the last place."""
    if not periods:
        return {}
    ends = [period.ended_at for period in periods if period.ended_at is not None]
    return {beginning: periods[-1].began_at, **({end: max(ends)} if len(ends) == len(periods) else {})}


def _recorded_deployment(period: EnvironmentPeriod) -> Hal:
    return Hal(
        state={
            "uuid": period.uuid,
            "currentlyDeployed": period.ended_at is None,
            "applicationInstance": period.application_instance,
            "deployedAt": period.began_at,
            "undeployedAt": period.ended_at,
        },
        embedded={"environment": _environment(period)},
        links={"self": Link(urls.DEPLOYED_VERSION.fill(uuid=period.uuid))},
    )


def _recorded_release(period: EnvironmentPeriod) -> Hal:
    return Hal(
        state={
            "uuid": period.uuid,
            "currentlySupported": period.ended_at is None,
            "releasedAt": period.began_at,
            "supportEndedAt": period.ended_at,
        },
        embedded={"environment": _environment(period)},
        links={"self": Link(urls.RELEASED_VERSION.fill(uuid=period.uuid))},
    )


def _environment(period: EnvironmentPeriod) -> Hal:
    path = urls.ENVIRONMENT.fill(uuid=period.environment_uuid)
    return Hal(
        state={"uuid": period.environment_uuid, "name": period.environment, "production": period.is_production},
        links={"self": Link(path)},
    )
