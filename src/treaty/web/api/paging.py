"""Paging of lists: reading the requested page, and the `page` member and links in the response."""

from collections.abc import Mapping
from typing import Annotated, Final, NotRequired
from urllib.parse import urlencode

from pydantic import Field
from typing_extensions import TypedDict

from treaty.model.paging import Page, Paged
from treaty.web import urls
from treaty.web.hal.documents import Link, Links
from treaty.web.http.queries import QueryParameter, read_page_numbers
from treaty.web.http.request import Request

PAGE_PARAMETERS: Final = (
    QueryParameter(
        "page", "The number of the page. Without this and `size`, the list is complete.", Annotated[int, Field(ge=1)]
    ),
    QueryParameter("size", "Items on a page.", Annotated[int, Field(ge=1)]),
)
SEARCH_PARAMETERS: Final = (QueryParameter("q", "A part of the name; case-insensitive."), *PAGE_PARAMETERS)


class PageDocument(TypedDict):
    number: int
    size: int
    totalElements: int
    totalPages: int


class PageState(TypedDict):
    page: NotRequired[PageDocument]


class PageLinks(TypedDict):
    next: NotRequired[Link]
    previous: NotRequired[Link]


def read_page(request: Request, default: tuple[int, int] | None = None) -> Page:
    """Read the requested page (number and size). Raises Invalid.

    Without a page in the request or a default, the client gets the whole list, up to the setting `largest_list`.
    """
    numbers = read_page_numbers(request.query, default=default)
    return Page(1, request.settings.largest_list, is_requested=False) if numbers is None else Page(*numbers)


def page_state(paged: Paged[object]) -> PageState:
    """Return the member `page`; nothing for a whole list."""
    if paged.page is None:
        return {}
    return {
        "page": {
            "number": paged.page.number,
            "size": paged.page.size,
            "totalElements": paged.total,
            "totalPages": _count_pages(paged, paged.page),
        }
    }


def page_links(paged: Paged[object], path: str) -> PageLinks:
    """Return the links to the next and previous page. Like the original broker, they drop other query parameters."""
    links: PageLinks = {}
    if paged.page and paged.page.number < _count_pages(paged, paged.page):
        links["next"] = Link(_page_path(path, paged.page, 1), "Next page", templated=False)
    if paged.page and paged.page.number != 1:
        links["previous"] = Link(_page_path(path, paged.page, -1), "Previous page", templated=False)
    return links


def _page_path(path: str, page: Page, step: int) -> str:
    return f"{path}?size={page.size}&page={page.number + step}"


def filtered_page_links(paged: Paged[object], path: str, filters: Mapping[str, str]) -> Links:
    """Return the links to the page itself and to its neighbours, which keep the filters of the request.

    Unlike the pages of the original's lists, these mean nothing without them.
    """
    links: dict[str, object] = {"self": Link(urls.URL_WITH_QUERY_PLACEHOLDER)}
    page = paged.page
    if page is None:
        return links
    if page.number * page.size < paged.total:
        links["next"] = _filtered_link(path, filters, page.size, page.number + 1, "Next page")
    if page.number > 1:
        links["previous"] = _filtered_link(path, filters, page.size, page.number - 1, "Previous page")
    return links


def _filtered_link(path: str, filters: Mapping[str, str], size: int, number: int, title: str) -> Link:
    return Link(f"{path}?{urlencode({**filters, 'page': number, 'size': size})}", title, templated=False)


def _count_pages(paged: Paged[object], page: Page) -> int:
    return max(1, -(-paged.total // page.size))
