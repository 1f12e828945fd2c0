"""The table of the permissions of each role and scope, route by route, as `access.txt` beside this file records it."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from treaty.model.accounts.access import Role
from treaty.model.accounts.scopes import Scope
from treaty.settings import Settings
from treaty.web.http.router import Route
from treaty.web.routers import list_routers
from treaty.web.security.permissions import PERMISSIONS_BY_ROLE

DOCUMENT: Final = Path(__file__).with_name("access.txt")
ROLES: Final[tuple[Role | None, ...]] = (None, Role.READ_ONLY, Role.READ_WRITE, Role.ADMINISTRATOR)
_NAMES: Final = ("nobody", "read-only", "read-write", "administrator")


def routes() -> Iterator[tuple[str, Route]]:
    """List every route with its kind: of the API, a page, or a form."""
    resources = [endpoint for router in list_routers(Settings()) for endpoint in router.endpoints.values()]
    for endpoint in sorted(resources, key=lambda endpoint: endpoint.url.template):
        yield from (("api", route) for _, route in sorted(endpoint.routes.items()))
        yield from ((kind, route) for kind, route in (("page", endpoint.page), ("form", endpoint.form)) if route)


def line(kind: str, route: Route, allowed: list[bool], scopes: Collection[str]) -> str:
    """Write a line of the table: the roles, and the scopes any of which opens the route to a token that has scopes."""
    roles = " ".join(name if is_allowed else "-" for name, is_allowed in zip(_NAMES, allowed, strict=True))
    return f"{kind:<4} {route.method:<6} {route.url.template:<100} {roles:<42} | {' '.join(scopes)}".rstrip()


def list_scopes(route: Route) -> list[str]:
    """List the scopes that open a route. A public one is open to all."""
    is_public = route.permission in PERMISSIONS_BY_ROLE[None]
    return [scope.value for scope in Scope if is_public or scope in route.scopes]


def part() -> str:
    """Write the table as the routes declare it."""
    lines = [
        line(
            kind,
            route,
            [route.permission in PERMISSIONS_BY_ROLE[role] for role in ROLES],
            list_scopes(route),
        )
        for kind, route in routes()
    ]
    return "\n".join(lines) + "\n"
