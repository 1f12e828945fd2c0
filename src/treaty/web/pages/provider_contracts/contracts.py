"""Pages of the contract of a provider version: its documents with their operations and schemas, and their texts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import orjson

from treaty.errors import NotFound
from treaty.model.compare import positions
from treaty.model.paging import Page
from treaty.model.provider_contracts.comparisons import PairKey
from treaty.model.provider_contracts.contracts import ProviderContract
from treaty.model.provider_contracts.coverage import Coverage, CoveredOperation
from treaty.model.provider_contracts.document_outlines import Outline, OutlinedOperation, OutlinedSchema, read_outline
from treaty.model.provider_contracts.excerpts import cut_line, decode_source, split_lines
from treaty.model.provider_contracts.findings import MAX_LOCATED_BYTES
from treaty.model.provider_contracts.results import ComparedContent, ProviderVersionResults
from treaty.model.provider_contracts.users import OperationUser, OperationUsers, find_users
from treaty.model.usage.usage import ExpectedOperation
from treaty.store.pacticipants import pacticipants
from treaty.store.provider_contracts import comparisons, contracts, coverage, results
from treaty.store.provider_contracts.missing import note_missing
from treaty.store.usage import queries
from treaty.store.usage.pacts import list_in_use
from treaty.store.versions import details
from treaty.web import pages, urls
from treaty.web.api.pacts.differences import defer_if_large
from treaty.web.http.page_queries import read_number, read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage, RawBody, Redirect
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 100
"""Operations on a page."""
MAX_SCHEMAS: Final = 100
"""Schemas on a page; a search finds the others."""
EXPECTED_PAGE: Final = Page(1, 2000)
"""Operations that consumers expect, which are matched with those of the documents."""
MAX_UNDESCRIBED: Final = 100
MAX_REPORT_LENGTH: Final = 100_000
"""Characters shown of the report of a self-verification."""
PAGE_LINES: Final = 1000
"""Lines of a document on a page."""
MAX_TEXT_LINE_LENGTH: Final = 1000
"""Characters of a line on the page of a document."""
MAX_LINE: Final = 10**8


@router.page(urls.NEWEST_CONTRACT, permission=Permission.READ, is_original=False)
def show_newest_contract(request: Request, name: str) -> HtmlPage | Redirect:
    """Redirect to the newest contract of a provider, or explain how to publish one."""
    pacticipants.get(request.db, name)
    version = contracts.find_newest_version(request.db, name)
    if version is not None:
        return pages.redirect(request, urls.CONTRACT.fill(provider=name, version=version))
    return _explain_publication(request, name, None)


def _explain_publication(request: Request, provider: str, version: str | None) -> HtmlPage:
    context = {"name": provider, "tab": "contract", "version": version, "address": request.base_url}
    return HtmlPage("contract_missing.html", context)


@router.page(urls.CONTRACT, permission=Permission.READ, is_original=False)
def show_contract(request: Request, provider: str, version: str) -> HtmlPage | AfterCommit:
    """Show the contract of a provider version: operations with their users, schemas and self-verifications."""
    shown_version = details.get(request.db, provider, version)
    published = contracts.list_of_version(request.db, provider, version)
    if not published:
        return _explain_publication(request, provider, version)
    bodies = {body.name: body.body for body in contracts.load_bodies(request.db, provider, version)}
    profile = comparisons.load_profile(request.db, provider)
    use = _load_use(request, provider, version)
    covered = coverage.load(request.db, provider, version)
    context = {
        "name": provider,
        "shown_version": shown_version,
        "loaded": ProviderVersionResults(provider=provider, version=version, contracts=published, pairs=()),
        "profile": profile,
        "reports": {contract.name: _read_report(contract) for contract in published},
        "coverage": covered,
        "evidence": _list_evidence(covered),
    }

    def render() -> HtmlPage:
        outlines = {each.name: read_outline(each.sha, bodies[each.name], profile) for each in published}
        return HtmlPage("provider_contract.html", {**context, **_list_contents(request, outlines, use)})

    return defer_if_large(render, *bodies.values())


def _list_evidence(covered: Coverage | None) -> Mapping[tuple[str, str], CoveredOperation]:
    """Return what the self-verifications show, by the names of contracts and operations."""
    return {
        (contract.name, operation.operation.key): operation
        for contract in (covered.contracts if covered else ())
        for operation in contract.operations
    }


@dataclass(frozen=True, slots=True)
class _Use:
    """What consumers expect of the provider, and the contents of their pacts with their comparisons."""

    expected: Sequence[ExpectedOperation]
    contents: Sequence[ComparedContent]
    is_indexed: bool


def _load_use(request: Request, provider: str, version: str) -> _Use:
    expected = queries.list_operations(request.db, provider, EXPECTED_PAGE)
    content_ids = list_in_use(request.db, provider).content_ids
    contents = results.list_contents(request.db, provider, version, content_ids).values()
    note_missing(
        PairKey(content.consumer, provider, content.sha, version)
        for content in contents
        if content.is_compatible is None
    )
    return _Use(expected.operations.items, list(contents), expected.basis.covers_use)


@dataclass(frozen=True, slots=True)
class _OperationRow:
    contract: str
    operation: OutlinedOperation
    users: Sequence[OperationUser]


@dataclass(frozen=True, slots=True)
class _SchemaRow:
    contract: str
    schema: OutlinedSchema
    users: Sequence[OutlinedOperation]


def _list_contents(request: Request, outlines: Mapping[str, Outline], use: _Use) -> dict[str, object]:
    """List the operations and schemas that match the search, a page of them, and what the documents lack."""
    users = find_users(outlines, use.expected, use.contents)
    query, page = request.option("q"), read_rows_page(request, PAGE_SIZE)
    operations = _list_operations(outlines, users, query)
    schemas = [
        (name, schema)
        for name, outline in outlines.items()
        for schema in outline.schemas
        if query is None or query.casefold() in schema.name.casefold()
    ]
    return {
        "outlines": outlines,
        "query": query,
        "page": page,
        "operations": operations[page.offset : page.offset + page.limit],
        "operation_count": len(operations),
        "used_count": sum(bool(row.users) for row in operations),
        "schemas": [
            _SchemaRow(name, schema, outlines[name].list_users(schema)) for name, schema in schemas[:MAX_SCHEMAS]
        ],
        "schema_count": len(schemas),
        "undescribed": users.undescribed[:MAX_UNDESCRIBED],
        "undescribed_count": len(users.undescribed),
        "is_indexed": use.is_indexed,
        "has_messages": any("asyncapi" in (outline.format or "").lower() for outline in outlines.values()),
    }


def _list_operations(outlines: Mapping[str, Outline], users: OperationUsers, query: str | None) -> list[_OperationRow]:
    """List the operations whose path, method or summary contains the query."""
    return [
        _OperationRow(name, operation, users.by_operation.get((name, operation.path), ()))
        for name, outline in outlines.items()
        for operation in outline.operations
        if query is None or query.casefold() in f"{operation.text} {operation.summary or ''}".casefold()
    ]


def _read_report(contract: ProviderContract) -> str | None:
    """Return the beginning of what the tool has reported, as text."""
    result = contract.self_verification
    content = result.content if result else None
    # A character has up to four bytes.
    return content[: 4 * MAX_REPORT_LENGTH].decode("utf-8", "replace")[:MAX_REPORT_LENGTH] if content else None


# The text of a document


@router.page(urls.CONTRACT_TEXT, permission=Permission.READ, is_original=False)
def show_contract_text(request: Request, provider: str, version: str) -> HtmlPage | Redirect | AfterCommit:
    """Show the lines of a document around a line, or around a location."""
    contract = _get_contract(request, provider, version)
    location = request.option("location")
    if location is not None:
        return _redirect_to_line(request, provider, version, contract, location)

    def render() -> HtmlPage:
        lines = split_lines(decode_source(contract.source))
        return HtmlPage(
            "contract_text.html",
            {"provider": provider, "version": version, "contract": contract, **_show_lines(request, lines)},
        )

    return defer_if_large(render, contract.source)


def _redirect_to_line(
    request: Request, provider: str, version: str, contract: ProviderContract, location: str
) -> Redirect | AfterCommit:
    bodies = contracts.load_bodies(request.db, provider, version)
    body = next(each.body for each in bodies if each.name == contract.name)

    def redirect() -> Redirect:
        line = _find_line(contract, body, location)
        query = urlencode({"name": contract.name, "line": line})
        path = urls.CONTRACT_TEXT.fill(provider=provider, version=version)
        return pages.redirect(request, f"{path}?{query}#line-{line}")

    return defer_if_large(redirect, contract.source)


def _get_contract(request: Request, provider: str, version: str) -> ProviderContract:
    name = request.option("name") or ""
    published = contracts.list_of_version(request.db, provider, version)
    contract = next((contract for contract in published if contract.name == name), None)
    if contract is None:
        raise NotFound
    return contract


def _find_line(contract: ProviderContract, body: bytes, location: str) -> int:
    """Find the line of a location. In a document that is too large to look for it, it is the first."""
    if len(contract.source) > MAX_LOCATED_BYTES:
        return 1
    position = positions.locate(decode_source(contract.source), orjson.loads(body), [location]).get(location)
    return position.line if position else 1


def _show_lines(request: Request, lines: Sequence[str]) -> dict[str, object]:
    located = min(read_number(request, "line", 1, MAX_LINE), len(lines))
    start = (located - 1) // PAGE_LINES * PAGE_LINES
    return {
        "first": start + 1,
        "lines": [cut_line(text, length=MAX_TEXT_LINE_LENGTH) for text in lines[start : start + PAGE_LINES]],
        "line_count": len(lines),
        "page_lines": PAGE_LINES,
        "located": located if request.option("line") else None,
    }


@router.page(urls.CONTRACT_DOWNLOAD, permission=Permission.READ, is_original=False, is_for_any_media_type=True)
def download_contract(request: Request, provider: str, version: str) -> RawBody:
    """Return a document as it was published."""
    contract = _get_contract(request, provider, version)
    # The publisher's content type may be wrong.
    extension, media_type = (".json", "application/json") if contract.is_json else (".yaml", "application/yaml")
    name = _UNSAFE_IN_FILE_NAMES.sub("_", contract.name or provider).strip("._") or "contract"
    file_name = name if name.endswith((".json", ".yaml", ".yml")) else name + extension
    return RawBody(contract.source, media_type, {"content-disposition": f'attachment; filename="{file_name}"'})


_UNSAFE_IN_FILE_NAMES: Final = re.compile(r"[^A-Za-z0-9._-]+")
