"""Lists that can be had whole or by the page."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, FromClause, Integer, Select, bindparam, func, select

from treaty.model.paging import Page, Paged
from treaty.store.engine.database import fetch_rows, fetch_scalar, fetch_tuples

T = TypeVar("T")


class PagedQuery:
    """The statements for a list, built once. What it selects is ordered."""

    def __init__(
        self, statement: Select[*tuple[Any, ...]], kind: type | None = None, counted: FromClause | None = None
    ) -> None:
        """Build the statements. What is `counted` has as many rows as the list, and takes less to be counted."""
        self._rows = fetch_rows if kind is None else partial(fetch_tuples, kind=kind)
        """Reads rows with names; or, of a long list, tuples of a kind."""
        self._whole = statement
        self._part = statement.limit(bindparam("limit", type_=Integer)).offset(bindparam("offset", type_=Integer))
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
        """Read the list, or a page of it; `make` turns rows into items."""
        if page is None:
            items = make(self._rows(db, self._whole, params))
            return Paged(items, None, len(items))
        if page.is_requested:
            return self._page(make, self._rows(db, self._part, _within(params, page, page.limit)), page, db, params)
        found = self._rows(db, self._part, _within(params, page, page.limit + 1))
        if len(found) <= page.limit:
            return Paged(make(found), None, len(found))
        return self._page(make, found[: page.limit], page, db, params)

    def _page(
        self,
        make: Callable[[Sequence[Any]], list[T]],
        found: Sequence[Any],
        page: Page,
        db: Connection,
        params: Mapping[str, object],
    ) -> Paged[T]:
        return Paged(make(found), page, fetch_scalar(db, self._count, params))


def _within(params: Mapping[str, object], page: Page, limit: int) -> Mapping[str, object]:
    return {**params, "limit": limit, "offset": page.offset}
