"""Export of the facts that an import into another Treaty needs, in pages, for `treaty import`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from pydantic import Field
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from treaty.errors import Invalid, NotFound
from treaty.model.maintenance.exports import ExportExtent, ExportKind, ExportPage
from treaty.store.maintenance import exports
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import JsonObject, Omittable, SelfLink
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

MAX_ID: Final = 2**31 - 1
_FACT_KINDS: Final = {
    ExportKind.PACTICIPANTS: "pacticipant",
    ExportKind.VERSIONS: "version",
    ExportKind.PACTS: "pact",
    ExportKind.OVERWRITTEN_PACTS: "pact",
    ExportKind.RESULTS: "result",
    ExportKind.PROVIDER_CONTRACTS: "provider-contract",
    ExportKind.ENVIRONMENTS: "environment",
    ExportKind.DEPLOYMENTS: "deployment",
    ExportKind.RELEASES: "release",
}


@dataclass(frozen=True, slots=True)
class Export:
    """The facts that a broker has: their numbers, and where their pages end."""

    extents: Mapping[ExportKind, ExportExtent]


@dataclass(frozen=True, slots=True)
class ExportedPage:
    """A page with the newest id of the export that it belongs to."""

    page: ExportPage
    until: int


class ExportedKind(TypedDict):
    name: str
    count: int


class ExportLinks(SelfLink):
    pages: list[Link]


class ExportDocument(TypedDict):
    kinds: list[ExportedKind]
    _links: ExportLinks


class ExportPageLinks(SelfLink):
    next: Omittable[Link]


class ExportPageDocument(TypedDict):
    facts: list[JsonObject]
    _links: ExportPageLinks


@router.get(urls.EXPORT, permission=Permission.READ, is_slow=True, response=ExportDocument)
def show_export(request: Request) -> Export:
    """Return the number of facts of each kind, and links to their pages, in the order that `POST /import` needs.

    The pages contain the facts that exist now. Later ones belong to the next export.
    """
    return Export(exports.load_extents(request.db))


@router.get(
    urls.EXPORT_PAGE,
    permission=Permission.READ,
    is_slow=True,
    response=ExportPageDocument,
    query=(
        QueryParameter("until", "The newest id of the export.", Annotated[int, Field(ge=0, le=MAX_ID)]),
        QueryParameter("after", "The place after which the page begins, from a link to it."),
    ),
)
def show_export_page(request: Request, kind: str) -> ExportedPage:
    """Return a page of facts of a kind, with their original times, as `POST /import` of another Treaty takes them."""
    if kind not in set(ExportKind):
        raise NotFound
    until = _read_until(request)
    page = exports.read_page(request.db, ExportKind(kind), after=request.option("after"), until=until)
    return ExportedPage(page, until)


def _read_until(request: Request) -> int:
    text = request.option("until") or str(MAX_ID)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID)) and int(text) <= MAX_ID):
        raise Invalid.member("until", f"must be an integer from 0 to {MAX_ID}")
    return int(text)


@represent.register
def export(export: Export) -> Hal:
    return Hal(
        state={"kinds": [{"name": kind.value, "count": extent.count} for kind, extent in export.extents.items()]},
        links={
            "self": Link(urls.EXPORT.fill(), "Export"),
            "pages": [
                Link(_page_url(kind, until=extent.last), f"The first page of {kind}", name=kind.value)
                for kind, extent in export.extents.items()
            ],
        },
    )


@represent.register
def export_page(exported: ExportedPage) -> Hal:
    kind, cursor = exported.page.kind, exported.page.next
    next_url = None if cursor is None else _page_url(kind, until=exported.until, after=cursor)
    return Hal(
        state={"facts": [{"kind": _FACT_KINDS[kind], **_to_json(fact)} for fact in exported.page.facts]},
        links={
            "self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, f"A page of {kind}", templated=False),
            "next": None if next_url is None else Link(next_url, "The next page"),
        },
    )


def _page_url(kind: ExportKind, *, until: int, after: str | None = None) -> str:
    query = {"until": until} if after is None else {"until": until, "after": after}
    return f"{urls.EXPORT_PAGE.fill(kind=kind.value)}?{urlencode(query)}"


def _to_json(fact: Any) -> dict[str, Any]:
    """Convert a fact to the members that `POST /import` accepts."""
    return {to_camel(field.name): _to_value(getattr(fact, field.name)) for field in fields(fact)}


def _to_value(value: Any) -> Any:
    if isinstance(value, datetime):
        # With fractions of a second, unlike other documents: which of two events was first decides about pending pacts.
        return value.isoformat()
    if is_dataclass(value):
        return _to_json(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_to_json(item) if is_dataclass(item) else item for item in value]
    return value
