"""Environments as a page: which version of which application is where, and since when."""

from collections import defaultdict
from typing import Final

from treaty.model.grid import Cell
from treaty.store import environments, grid
from treaty.web import urls
from treaty.web.page_queries import part_of
from treaty.web.routing import Call, Page, Permission, Router

router = Router()

SIZE: Final = 50


@router.page(urls.ENVIRONMENTS, permission=Permission.READ, is_original=False)
def show_environments(call: Call) -> Page:
    """Show a grid of applications and environments."""
    page = part_of(call, SIZE)
    named = grid.pacticipants(call.db, call.option("q") or "", page)
    cells: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for one in grid.cells(call.db, named.items):
        cells[one.pacticipant, one.environment].append(one)
    return Page(
        "environments.html",
        {
            "environments": sorted(environments.every(call.db), key=lambda one: one.is_production),
            "names": named.items,
            "total": named.total,
            "page": page,
            "cells": dict(cells),
        },
    )
