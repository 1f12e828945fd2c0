"""Pages of lists on the wire: which one is wanted, and how one leads to the next."""

from typing import Annotated, Final, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from treaty.model.paging import Page, Paged
from treaty.web.hal.documents import Link
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


def read_page(call: Request, default: tuple[int, int] | None = None) -> Page:
    """Read which page is wanted; who asks for none gets all, as far as the setting allows. Raises Invalid."""
    found = read_page_numbers(call.query, default=default)
    return Page(1, call.settings.largest_list, is_requested=False) if found is None else Page(*found)


def page_state(paged: Paged[object]) -> PageState:
    """Say which page of how many this is."""
    if paged.page is None:
        return {}
    return {
        "page": {
            "number": paged.page.number,
            "size": paged.page.size,
            "totalElements": paged.total,
            "totalPages": _pages(paged, paged.page),
        }
    }


def page_links(paged: Paged[object], path: str) -> PageLinks:
    """Link to the pages beside this one. Other parameters of the query are dropped, as the original does."""
    links: PageLinks = {}
    if paged.page and paged.page.number < _pages(paged, paged.page):
        links["next"] = Link(_at(path, paged.page, 1), "Next page", templated=False)
    if paged.page and paged.page.number != 1:
        links["previous"] = Link(_at(path, paged.page, -1), "Previous page", templated=False)
    return links


def _at(path: str, page: Page, step: int) -> str:
    return f"{path}?size={page.size}&page={page.number + step}"


def _pages(paged: Paged[object], page: Page) -> int:
    return max(1, -(-paged.total // page.size))
