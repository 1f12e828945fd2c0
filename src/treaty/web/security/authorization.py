"""Authorization: whether a caller may use a route."""

from typing import Final

from treaty.errors import Forbidden, ReauthenticationRequired, SecondFactorRequired, Unauthenticated
from treaty.model.accounts.access import REAUTHENTICATION_LIFETIME, CredentialType
from treaty.settings import Settings
from treaty.web.http.request import Request
from treaty.web.http.router import Route
from treaty.web.security import open_access
from treaty.web.security.permissions import PERMISSIONS_BY_ROLE, PERMISSIONS_WITHOUT_SECOND_FACTOR, Permission

_READ_METHODS: Final = {"GET", "HEAD", "OPTIONS"}
_PUBLIC_READ: Final = {Permission.READ, Permission.READ_BADGE, Permission.READ_HEARTBEAT}
_CREDENTIALS_HINT: Final = "Send a token as `Authorization: Bearer TOKEN`, or a name and a password by basic auth."


def authorize(request: Request, route: Route | None, settings: Settings) -> None:
    """Check that the caller may use a route; None stands for an unknown path or method, which require READ.

    Raises Unauthenticated for anonymous callers, Forbidden, SecondFactorRequired, and ReauthenticationRequired for
    pages; `reauthentication` checks a write, once its form has been read.
    """
    permission, caller = route.permission if route else Permission.READ, request.caller
    if caller.lacks_second_factor and permission not in PERMISSIONS_WITHOUT_SECOND_FACTOR:
        raise SecondFactorRequired("Administrators of this broker have to set up a second factor before anything else.")
    if request.has_permission(permission) or is_public(request, route, settings):
        if request.method in _READ_METHODS and needs_reauthentication(request, route):
            raise ReauthenticationRequired
        return
    if not caller.is_known:
        obstacle = request.open_access_obstacle
        reason = "This broker requires authentication." if obstacle is None else open_access.explain_obstacle(obstacle)
        raise Unauthenticated(f"{reason} {_CREDENTIALS_HINT}")
    raise Forbidden(
        f"{caller.title} may not {permission.value}: the role is {caller.role.value if caller.role else 'none'}. "
        "Use credentials that may, or ask an administrator for them.",
        missing_permission=permission.value,
    )


def needs_reauthentication(request: Request, route: Route | None) -> bool:
    """Whether the user of a session has to enter the password again before using a route."""
    caller = request.caller
    if route is None or not route.is_sensitive or caller.kind is not CredentialType.SESSION:
        return False
    return caller.authenticated_at is None or request.now - caller.authenticated_at >= REAUTHENTICATION_LIFETIME


def is_public(request: Request, route: Route | None, settings: Settings) -> bool:
    """Whether everyone may use a route, by its permission and the settings `allow_public_read` and the like."""
    permission = route.permission if route else Permission.READ
    if permission in PERMISSIONS_BY_ROLE[None]:
        return True
    # Some routes that only read are POST requests, such as that of pacts for verification; their permission is READ.
    # An unknown route with a write method is not public, so that public reading never answers a write.
    if request.method not in _READ_METHODS and (route is None or permission is not Permission.READ):
        return False
    return (
        (settings.allow_public_read and permission in _PUBLIC_READ)
        or (settings.public_heartbeat and permission is Permission.READ_HEARTBEAT)
        or (settings.enable_public_badge_access and permission is Permission.READ_BADGE)
    )
