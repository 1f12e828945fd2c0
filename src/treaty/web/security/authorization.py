"""Authorization: whether a caller may use a route."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from treaty.errors import Forbidden, ReauthenticationRequired, Renamed, SecondFactorRequired, Unauthenticated
from treaty.model.accounts.access import REAUTHENTICATION_LIFETIME, Caller, CredentialType
from treaty.model.accounts.scopes import Limits, Scope, join_names
from treaty.settings import Settings
from treaty.store.pacticipants.former_names import find_current_names
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.router import Route
from treaty.web.security import open_access
from treaty.web.security.permissions import (
    DEFAULT_SCOPES_OF_READS,
    PERMISSIONS_BY_ROLE,
    PERMISSIONS_WITHOUT_SECOND_FACTOR,
    Permission,
    has_role_permission,
)

_READ_METHODS: Final = {"GET", "HEAD", "OPTIONS"}
_PUBLIC_READ: Final = {Permission.READ, Permission.READ_BADGE, Permission.READ_HEARTBEAT}
_NEW_TOKEN_HINT: Final = "create one under Settings, API tokens, or with `treaty token create`."  # noqa: S105 - a hint
_CREDENTIALS_HINT: Final = "Send a token as `Authorization: Bearer TOKEN`, or a name and a password by basic auth."


def authorize(request: Request, route: Route | None, settings: Settings) -> None:
    """Check that the caller may use a route; None stands for an unknown path or method, which require READ.

    Raises Unauthenticated for anonymous callers, Forbidden, SecondFactorRequired, and ReauthenticationRequired for
    pages; `reauthentication` checks a write, once its form has been read.
    """
    permission, caller = route.permission if route else Permission.READ, request.caller
    if caller.lacks_second_factor and permission not in PERMISSIONS_WITHOUT_SECOND_FACTOR:
        raise SecondFactorRequired("Administrators of this broker have to set up a second factor before anything else.")
    has_role = has_role_permission(caller, permission)
    if (has_role and _is_in_scope(caller, route)) or is_public(request, route, settings):
        if request.method in _READ_METHODS and needs_reauthentication(request, route):
            raise ReauthenticationRequired
        return
    raise _build_refusal(request, permission, _scopes_of(route))


def _build_refusal(request: Request, permission: Permission, scopes: frozenset[Scope]) -> Unauthenticated | Forbidden:
    """Build the error for a caller without a permission or scope."""
    caller = request.caller
    if not caller.is_known:
        obstacle = request.open_access_obstacle
        reason = "This broker requires authentication." if obstacle is None else open_access.explain_obstacle(obstacle)
        return Unauthenticated(f"{reason} {_CREDENTIALS_HINT}")
    if caller.limits is not None and has_role_permission(caller, permission):
        return _out_of_scope(caller, caller.limits, permission, scopes)
    return Forbidden(
        f"{caller.title} may not {permission.value}: the role is {caller.role.value if caller.role else 'none'}. "
        "Use credentials that may, or ask an administrator for them.",
        missing_permission=permission.value,
    )


def _scopes_of(route: Route | None) -> frozenset[Scope]:
    return route.scopes if route else DEFAULT_SCOPES_OF_READS[Permission.READ]


def _is_in_scope(caller: Caller, route: Route | None) -> bool:
    return caller.limits is None or bool(caller.limits.scopes & _scopes_of(route))


def _out_of_scope(caller: Caller, limits: Limits, permission: Permission, scopes: frozenset[Scope]) -> Forbidden:
    reason = f"{caller.title} may not {permission.value}: it is limited to {limits.describe()}"
    missing_scopes = [scope.value for scope in Scope if scope in scopes]
    if not missing_scopes:
        return Forbidden(
            f"{reason}, and no scope permits this request. Use credentials without scopes.",
            missing_permission=permission.value,
        )
    return Forbidden(
        f"{reason}. Use a token with the scope {' or '.join(missing_scopes)}: {_NEW_TOKEN_HINT}",
        missing_permission=permission.value,
        missing_scopes=missing_scopes,
    )


def authorize_scope(request: Request, scope: Scope, permission: Permission) -> None:
    """Check that the caller's token has a scope that a write needs beside those of its route. Raises Forbidden."""
    limits = request.caller.limits
    if limits is not None and scope not in limits.scopes:
        raise _out_of_scope(request.caller, limits, permission, frozenset({scope}))


def authorize_part(
    request: Request, permission: Permission, scope: Scope, applications: Callable[[], Iterable[str]]
) -> None:
    """Check that the caller may do what only some requests of a route do, for these applications.

    Raises Unauthenticated, Forbidden, and Renamed.
    """
    caller = request.caller
    is_in_scope = caller.limits is None or scope in caller.limits.scopes
    if not has_role_permission(caller, permission) or not is_in_scope:
        raise _build_refusal(request, permission, frozenset({scope}))
    _authorize_names(request, permission, applications, creates=False)


def authorize_applications(request: Request, route: Route, names: Sequence[str]) -> None:
    """Check that the caller's token covers the applications for which a request writes.

    Runs in the transaction of the write, since some requests name only a record of the application. Raises Forbidden,
    Renamed, and Invalid or NotFound for a request that names no application.
    """
    creates = route.url is urls.PACTICIPANTS
    _authorize_names(request, route.permission, lambda: route.find_applications(request, names), creates=creates)


def _authorize_names(
    request: Request, permission: Permission, applications: Callable[[], Iterable[str]], *, creates: bool
) -> None:
    limits = request.caller.limits
    if limits is None or limits.applications is None:
        return
    others = [name for name in dict.fromkeys(applications()) if not limits.covers((name,))]
    for former_name, name in find_current_names(request.db, others).items():
        # The limits of the token have followed the new name. Only an explicit creation means the former one.
        if limits.covers((name,)) and not creates:
            raise Renamed(former_name, name)
    if others:
        raise Forbidden(
            f"{request.caller.title} may not {permission.value} for {join_names(others)}: it is limited to "
            f"{limits.describe()}. Use a token for {join_names(others)}: {_NEW_TOKEN_HINT}",
            missing_permission=permission.value,
            missing_applications=others,
        )


def needs_reauthentication(request: Request, route: Route | None) -> bool:
    """Whether the user of a session has to enter the password again before using a route."""
    return route is not None and route.is_sensitive and _is_authentication_old(request)


def _is_authentication_old(request: Request) -> bool:
    caller = request.caller
    if caller.kind is not CredentialType.SESSION:
        return False
    return caller.authenticated_at is None or request.now - caller.authenticated_at >= REAUTHENTICATION_LIFETIME


@contextmanager
def approving_secrets(request: Request) -> Iterator[bool]:
    """Yield whether saving a webhook may approve its server for the secrets that it uses.

    That is like changing the secrets, but whether it happens is only known once the webhook has been read. So the route
    is not sensitive; the user of a session gets Forbidden with the next step where the password is due.
    """
    has_permission = request.has_permission(Permission.MANAGE_SECRET)
    is_due = has_permission and _is_authentication_old(request)
    try:
        yield has_permission and not is_due
    except Forbidden as error:
        if not is_due:
            raise
        url = request.render_context.href(urls.REAUTHENTICATE.fill())
        raise Forbidden(
            f"This sends a secret to a server that is not approved for it. To approve it, enter your password again at "
            f"{url}, then repeat this: you entered it more than ten minutes ago."
        ) from error


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
