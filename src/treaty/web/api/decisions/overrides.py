"""Overrides of negative decisions: handlers and representation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from typing_extensions import TypedDict

from treaty.actions.decisions.overrides import OverrideDraft, OverrideLimits, create_override, revoke_override
from treaty.errors import Invalid
from treaty.model.accounts.scopes import Scope
from treaty.model.decisions.overrides import Override
from treaty.model.paging import Paged
from treaty.model.versions import describe_alias
from treaty.settings import Settings
from treaty.store.decisions import overrides
from treaty.store.decisions.overrides import OverrideFilter
from treaty.web import urls
from treaty.web.api.paging import PAGE_PARAMETERS, PageLinks, PageState, page_links, page_state, read_page
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable
from treaty.web.http.bodies import Body, NotBlankName, RequiredNonBlankName, RequiredNonBlankText, with_example
from treaty.web.http.queries import FlagText, QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.results import Created, Deleted
from treaty.web.http.router import Router, link_to
from treaty.web.security.permissions import Permission

router: Final = Router()

DEFAULT_PAGE: Final = (1, 100)
_SCOPES: Final = frozenset({Scope.OVERRIDE_DECISIONS})


class OverrideBody(Body):
    """An override of the decisions about a version and an environment."""

    model_config = with_example(
        {
            "pacticipantName": "Example App",
            "pacticipantVersionNumber": "1.0.0",
            "environmentName": "production",
            "counterpart": "Example API",
            "reason": "Fixes the outage of today. Example API does not use the changed field (ticket OPS-17).",
        }
    )

    pacticipant_name: RequiredNonBlankName
    pacticipant_version_number: RequiredNonBlankName
    environment_name: NotBlankName = None
    environment_uuid: NotBlankName = None
    counterpart: NotBlankName = None
    reason: RequiredNonBlankText
    expires_at: str | None = None

    def draft(self) -> OverrideDraft:
        """Return the properties of the override. Raises Invalid."""
        if (self.environment_name is None) == (self.environment_uuid is None):
            raise Invalid.member("environmentName", "is missing. Give either environmentName or environmentUuid")
        return OverrideDraft(
            pacticipant=self.pacticipant_name,
            version=self.pacticipant_version_number,
            environment=self.environment_name,
            environment_uuid=self.environment_uuid,
            counterpart=self.counterpart,
            reason=self.reason,
            expires_at=None if self.expires_at is None else read_time(self.expires_at),
        )


def read_time(text: str) -> datetime:
    """Read a time with its offset from UTC. Raises Invalid."""
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Invalid.member("expiresAt", "must be a time such as 2030-01-31T18:00:00Z, with Z or an offset from UTC")


@dataclass(frozen=True, slots=True)
class Overrides:
    """A page of overrides, as they are at a time."""

    paged: Paged[Override]
    now: datetime


@dataclass(frozen=True, slots=True)
class OverrideAt:
    """An override, as it is at a time."""

    override: Override
    now: datetime


OverrideLinks = TypedDict(
    "OverrideLinks",
    {
        "self": Link,
        "pb:pacticipant": Link,
        "pb:pacticipant-version": Link,
        "pb:environment": Link,
        "pb:overrides": Link,
    },
)


class OverrideDocument(TypedDict):
    uuid: str
    pacticipantName: str
    pacticipantVersionNumber: str
    environmentName: str
    environmentUuid: str
    counterpart: str | None
    reason: str
    state: Literal["active", "expired", "revoked"]
    createdAt: datetime
    createdBy: str | None
    expiresAt: datetime
    revokedAt: Omittable[datetime]
    revokedBy: Omittable[str]
    _links: OverrideLinks


class ListedOverrides(TypedDict):
    overrides: list[OverrideDocument]


class OverridesLinks(PageLinks):
    self: Link


class OverridesDocument(PageState):
    _embedded: ListedOverrides
    _links: OverridesLinks


@router.get(
    urls.OVERRIDES,
    permission=Permission.READ,
    query=(
        QueryParameter("pacticipant", "The name of a pacticipant."),
        QueryParameter("version", "The number of a version."),
        QueryParameter("environment", "The name of an environment."),
        QueryParameter("active", "Only overrides that apply now, or only those that have ended.", FlagText),
        *PAGE_PARAMETERS,
    ),
    response=OverridesDocument,
)
def list_overrides(request: Request) -> Overrides:
    """List overrides, the latest first. Those that have expired or been revoked stay in the list."""
    return read_overrides(request, is_active=request.flag("active") if "active" in request.query else None)


def read_overrides(request: Request, *, is_active: bool | None) -> Overrides:
    """Read the page of overrides that the query of a request selects. Raises Invalid."""
    criteria = OverrideFilter(
        pacticipant=request.name_parameter("pacticipant"),
        version=request.name_parameter("version"),
        environment=request.name_parameter("environment"),
        is_active=is_active,
    )
    page = read_page(request, DEFAULT_PAGE)
    return Overrides(overrides.list_page(request.db, criteria, page, now=request.now), request.now)


@router.get(urls.OVERRIDE, permission=Permission.READ, response=OverrideDocument)
def show_override(request: Request, uuid: str) -> OverrideAt:
    """Show an override, whether or not it has ended."""
    return OverrideAt(overrides.get(request.db, uuid), request.now)


def _find_application(request: Request, _names: Sequence[str]) -> Sequence[str]:
    return [request.body(OverrideBody).pacticipant_name]


@router.post(
    urls.OVERRIDES,
    permission=Permission.OVERRIDE_DECISION,
    scopes=_SCOPES,
    application=_find_application,
    body=OverrideBody,
    response=OverrideDocument,
    links=link_to({"uuid": "$response.body#/uuid"}, "show_override", "remove_override"),
)
def add_override(request: Request) -> Created:
    """Override the decisions about a version and an environment until a time, with a reason that every answer shows.

    `GET /can-i-deploy`, the matrix with this environment, `POST /decisions`, pages and badges then answer yes, and list
    what is overridden. Other versions and environments are not affected.
    """
    new = save_override(request, request.body(OverrideBody).draft())
    return Created(OverrideAt(new, request.now), urls.OVERRIDE.fill(uuid=new.uuid))


def save_override(request: Request, draft: OverrideDraft) -> Override:
    """Create an override for the caller, and warn if an alias named its version. Raises Invalid."""
    limits = read_limits(request.settings)
    new = create_override(request.db, draft, limits=limits, by=request.caller.user, now=request.now)
    if new.version != draft.version:
        request.warnings.append(describe_alias(new.pacticipant, draft.version, new.version))
    return new


def read_limits(settings: Settings) -> OverrideLimits:
    return OverrideLimits(default=settings.override_default_duration, maximum=settings.override_max_duration)


def _find_overridden(request: Request, names: Sequence[str]) -> Sequence[str]:
    return [overrides.get(request.db, *names).pacticipant]


@router.delete(urls.OVERRIDE, permission=Permission.OVERRIDE_DECISION, scopes=_SCOPES, application=_find_overridden)
def remove_override(request: Request, uuid: str) -> Deleted:
    """Revoke an override, which ends it at once. It can still be read."""
    revoke_override(request.db, uuid, by=request.caller.user, now=request.now)
    return Deleted()


@represent.register
def override_list(page: Overrides) -> Hal:
    path = urls.OVERRIDES.fill()
    return Hal(
        state=page_state(page.paged),
        links={"self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, "Overrides"), **page_links(page.paged, path)},
        embedded={"overrides": [single_override(OverrideAt(item, page.now)) for item in page.paged.items]},
    )


@represent.register
def single_override(shown: OverrideAt) -> Hal:
    override = shown.override
    name, version = override.pacticipant, override.version
    document = Hal(
        state={"revokedAt": override.revoked_at, "revokedBy": override.revoked_by},
        links={
            "self": Link(urls.OVERRIDE.fill(uuid=override.uuid), "Override"),
            "pb:pacticipant": Link(urls.PACTICIPANT.fill(pacticipant=name), "Pacticipant", name=name),
            "pb:pacticipant-version": Link(
                urls.VERSION.fill(pacticipant=name, version=version), "Version", name=version
            ),
            "pb:environment": Link(
                urls.ENVIRONMENT.fill(uuid=override.environment_uuid), "Environment", name=override.environment
            ),
            "pb:overrides": Link(urls.OVERRIDES.fill(), "Overrides", templated=False),
        },
    )
    # Unlike other members, these are present if they are null.
    document |= {
        "uuid": override.uuid,
        "pacticipantName": name,
        "pacticipantVersionNumber": version,
        "environmentName": override.environment,
        "environmentUuid": override.environment_uuid,
        "counterpart": override.counterpart,
        "reason": override.reason,
        "state": override.get_state(shown.now),
        "createdAt": override.created_at,
        "createdBy": override.created_by,
        "expiresAt": override.expires_at,
    }
    return document
