"""Query parameters of pages. Invalid values count as absent, because people follow old or edited links."""

from enum import Enum
from typing import Final, TypeVar

from treaty.model.paging import Page
from treaty.web.http.request import Request

E = TypeVar("E", bound=Enum)

MAX_PAGE_SIZE: Final = 200
MAX_PAGE_NUMBER: Final = 10**6


def read_rows_page(request: Request, size: int) -> Page:
    """Read which page of rows to show."""
    return Page(
        _number(request.option("page"), 1, MAX_PAGE_NUMBER), _number(request.option("pageSize"), size, MAX_PAGE_SIZE)
    )


def read_columns_page(request: Request, size: int) -> Page:
    """Read which page of columns to show."""
    return Page(_number(request.option("columns"), 1, MAX_PAGE_NUMBER), size)


def read_number(request: Request, name: str, default: int, maximum: int) -> int:
    """Read a number between 1 and `maximum`."""
    return _number(request.option(name), default, maximum)


def _number(text: str | None, default: int, maximum: int) -> int:
    is_number = text is not None and text.isascii() and text.isdecimal() and len(text) < 10  # noqa: PLR2004 - int() is slow for long texts
    return min(max(1, int(text)), maximum) if text and is_number else default


def read_choice(kind: type[E], text: str | None) -> E | None:
    """Read the value of an enumeration; None if it has no such value."""
    return next((member for member in kind if member.value == text), None)
