"""What pages read from a query string. What makes no sense counts as not said: people come by old links."""

from enum import Enum
from typing import Final, TypeVar

from treaty.model.paging import Page
from treaty.web.http.request import Request

E = TypeVar("E", bound=Enum)

MAX_PAGE_SIZE: Final = 200
MAX_PAGE_NUMBER: Final = 10**6


def read_rows_page(request: Request, size: int) -> Page:
    """Read which page is wanted."""
    return Page(
        _number(request.option("page"), 1, MAX_PAGE_NUMBER), _number(request.option("pageSize"), size, MAX_PAGE_SIZE)
    )


def read_columns_page(request: Request, size: int) -> Page:
    """Read which page of columns is wanted."""
    return Page(_number(request.option("columns"), 1, MAX_PAGE_NUMBER), size)


def read_number(request: Request, name: str, default: int, most: int) -> int:
    """Read a number, of one at least."""
    return _number(request.option(name), default, most)


def _number(text: str | None, default: int, most: int) -> int:
    is_number = text is not None and text.isascii() and text.isdecimal() and len(text) < 10  # noqa: PLR2004 - int() is slow on more
    return min(max(1, int(text)), most) if text and is_number else default


def read_choice(kind: type[E], text: str | None) -> E | None:
    """Read one of several values."""
    return next((one for one in kind if one.value == text), None)
