"""Lists that clients can read completely or page by page."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, FromClause, Integer, Select, bindparam, func, select

from treaty.model.paging import Page, Paged
from treaty.store.engine.database import fetch_rows, fetch_scalar, fetch_tuples

T = TypeVar("T")


class PagedQuery:
    """The statements for a list, built once. The query must be ordered, or pages would overlap."""

    def __init__(
        self, statement: Select[*tuple[Any, ...]], kind: type | None = None, counted: FromClause | None = None
    ) -> None:
        """Build the statements. Rows become tuples of a `kind`, for long lists, or are read by name.

        `counted` has as many rows as the list, but is cheaper to count, since it lacks the joins for its columns.
        """
        self._fetch = fetch_rows if kind is None else partial(fetch_tuples, kind=kind)
        self._complete_list = statement
        self._one_page = statement.limit(bindparam("limit", type_=Integer)).offset(bindparam("offset", type_=Integer))
        self._count = select(func.count()).select_from(
            statement.order_by(None).subquery() if counted is None else counted
        )

    def read(
        self,
        db: Connection,
        params: Mapping[str, object],
        page: Page | None,
        make: Callable[[Sequence[Any]], list[T]],
    ) -> Paged[T]:
        """Read the list, or a page of it; `make` turns rows into items.

        A page that the client did not request is only a limit: a list that fits into it is returned without paging.
        """
        if page is None:
            items = make(self._fetch(db, self._complete_list, params))
            return Paged(items, None, len(items))
        # One row more than the limit shows whether the list is longer, and saves counting one that is not.
        limit = page.limit if page.is_requested else page.limit + 1
        rows = self._fetch(db, self._one_page, {**params, "limit": limit, "offset": page.offset})
        if not page.is_requested and len(rows) <= page.limit:
            return Paged(make(rows), None, len(rows))
        # A page with room for more is the last one.
        is_last = len(rows) < page.limit and (rows or not page.offset)
        total = page.offset + len(rows) if is_last else fetch_scalar(db, self._count, params)
        return Paged(make(rows[: page.limit]), page, total)


def escape_like(part: str) -> str:
    """Escape a search text for LIKE with `!` as the escape character."""
    return part.replace("!", "!!").replace("%", "!%").replace("_", "!_")
