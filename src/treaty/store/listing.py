"""Lists that can be had whole or by the page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Integer, Select, bindparam, func, select

from treaty.model.page import Page, Paged
from treaty.store.database import rows, scalar

T = TypeVar("T")


class Listing:
    """The statements for a list, built once. What it selects is ordered."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self._whole = statement
        self._part = statement.limit(bindparam("limit", type_=Integer)).offset(bindparam("offset", type_=Integer))
        self._count = select(func.count()).select_from(statement.order_by(None).subquery())

    def read(
        self,
        db: Connection,
        params: Mapping[str, object],
        page: Page | None,
        make: Callable[[Sequence[Any]], list[T]],
    ) -> Paged[T]:
        """Read the list, or a page of it; `make` turns rows into items."""
        if page is None:
            items = make(rows(db, self._whole, params))
            return Paged(items, None, len(items))
        found = rows(db, self._part, {**params, "limit": page.limit, "offset": page.offset})
        return Paged(make(found), page, scalar(db, self._count, params))
