"""Paging of lists: reading the requested page, and the `page` member and links in the response."""

from collections.abc import Mapping

from treaty.model.paging import Page, Paged
from treaty.web.hal.documents import Link
from treaty.web.http.queries import read_page_numbers
from treaty.web.http.request import Request


def read_page(request: Request, default: tuple[int, int] | None = None) -> Page:
    """Read the requested page (number and size). Raises Invalid.

    Without a page in the request or a default, the client gets the whole list, up to the setting `largest_list`.
    """
    numbers = read_page_numbers(request.query, default=default)
    return Page(1, request.settings.largest_list, is_requested=False) if numbers is None else Page(*numbers)


def page_state(paged: Paged[object]) -> dict[str, object]:
    """Return the member `page`; nothing for a whole list."""
    if paged.page is None:
        return {}
    state = {
        "number": paged.page.number,
        "size": paged.page.size,
        "totalElements": paged.total,
        "totalPages": _count_pages(paged, paged.page),
    }
    return {"page": state}


def page_links(paged: Paged[object], path: str) -> Mapping[str, Link]:
    """Return the links to the next and previous page. Like the original broker, they drop other query parameters."""
    links: dict[str, Link] = {}
    if paged.page and paged.page.number < _count_pages(paged, paged.page):
        links["next"] = Link(_page_path(path, paged.page, 1), "Next page", templated=False)
    if paged.page and paged.page.number != 1:
        links["previous"] = Link(_page_path(path, paged.page, -1), "Previous page", templated=False)
    return links


def _page_path(path: str, page: Page, step: int) -> str:
    return f"{path}?size={page.size}&page={page.number + step}"


def _count_pages(paged: Paged[object], page: Page) -> int:
    return max(1, -(-paged.total // page.size))
