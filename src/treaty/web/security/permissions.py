"""Permissions of each role, and scopes. Every route names the permission that it requires.

A token that is limited to scopes needs one of the route's scopes, too. Without any, a route is closed to such tokens.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from treaty.model.accounts.access import Caller, Role
from treaty.model.accounts.scopes import Scope


class Permission(Enum):
    """A permission. Its value completes the sentence "Ada may not …" in error messages."""

    READ = "read"
    READ_BADGE = "read badges"
    READ_HEARTBEAT = "read the heartbeat"
    MANAGE_PACTICIPANT = "manage pacticipants"
    MANAGE_VERSION = "manage versions, branches and tags"
    MANAGE_ENVIRONMENT = "manage environments"
    RECORD_DEPLOYMENT = "record deployments and releases"
    RECORD_DECISION = "record decisions"
    OVERRIDE_DECISION = "override decisions"
    PUBLISH_PACT = "publish pacts"
    DELETE_PACT = "delete pacts"
    PUBLISH_VERIFICATION = "publish verification results"
    READ_WEBHOOK = "read webhooks"
    """Not part of public reading: webhooks name internal servers."""
    MANAGE_WEBHOOK = "manage webhooks"
    MANAGE_SECRET = "manage secrets"  # noqa: S105 - the name of a permission
    ACCEPT_ENGINE = "accept results of a newer comparison engine"
    IMPORT = "import from another broker"
    SIGN_IN = "sign in"
    USE_OWN_ACCOUNT = "use an account of their own"
    SECURE_OWN_ACCOUNT = "secure an account of their own"
    MANAGE_USER = "manage users"
    READ_AUDIT = "read the audit trail"
    TEST_ERRORS = "test the reporting of errors"


_ANONYMOUS: Final = frozenset({Permission.SIGN_IN})
_READER: Final = _ANONYMOUS | {
    Permission.READ,
    Permission.READ_BADGE,
    Permission.READ_HEARTBEAT,
    Permission.READ_WEBHOOK,
    Permission.USE_OWN_ACCOUNT,
    Permission.SECURE_OWN_ACCOUNT,
}
_WRITER: Final = _READER | {
    Permission.MANAGE_PACTICIPANT,
    Permission.MANAGE_VERSION,
    Permission.MANAGE_ENVIRONMENT,
    Permission.RECORD_DEPLOYMENT,
    Permission.RECORD_DECISION,
    Permission.PUBLISH_PACT,
    Permission.DELETE_PACT,
    Permission.PUBLISH_VERIFICATION,
    Permission.MANAGE_WEBHOOK,
    Permission.IMPORT,
}
PERMISSIONS_BY_ROLE: Final[Mapping[Role | None, frozenset[Permission]]] = {
    None: _ANONYMOUS,
    Role.READ_ONLY: _READER,
    Role.READ_WRITE: _WRITER,
    Role.ADMINISTRATOR: frozenset(Permission),
}
"""Permissions that are not granted to another role here belong to administrators only."""
GRANTED_WITHOUT_ADMINISTRATORS: Final = {
    Permission.READ_AUDIT,
    Permission.TEST_ERRORS,
    Permission.ACCEPT_ENGINE,
    Permission.OVERRIDE_DECISION,
}
"""Permissions of administrators that read-write callers without an account have, too.

They are the users of the settings, and those of a server with open access, which have no administrator to ask.
"""
PERMISSIONS_WITHOUT_SECOND_FACTOR: Final = _ANONYMOUS | {Permission.SECURE_OWN_ACCOUNT}
"""What a user may do who has to set up a second factor first."""
SENSITIVE_PERMISSIONS: Final = frozenset(
    {Permission.MANAGE_USER, Permission.MANAGE_SECRET, Permission.ACCEPT_ENGINE, Permission.OVERRIDE_DECISION}
)
"""Permissions whose pages, forms and writes require that the user of a session has entered the password lately.

Other routes declare it themselves (`Route.is_sensitive`).
"""
_PERMISSION_BY_RELATION: Final = {
    "pb:publish-pact": Permission.PUBLISH_PACT,
    "pb:publish-contracts": Permission.PUBLISH_PACT,
    "pf:publish-provider-contract": Permission.PUBLISH_PACT,
    "pf:publish-provider-contracts": Permission.PUBLISH_PACT,
    "pb:publish-verification-results": Permission.PUBLISH_VERIFICATION,
    "pb:record-deployment": Permission.RECORD_DEPLOYMENT,
    "pb:record-release": Permission.RECORD_DEPLOYMENT,
    "pb:rename": Permission.MANAGE_PACTICIPANT,
    "pb:delete_integration": Permission.MANAGE_PACTICIPANT,
    "pb:create": Permission.MANAGE_WEBHOOK,
    "pb:execute": Permission.MANAGE_WEBHOOK,
    "pb:import": Permission.IMPORT,
}
"""The permission that each write relation requires.

Callers whose role lacks it get documents without the relation: clients decide by its presence what they can do. Scopes
hide nothing: clients take a missing relation for an old broker, whereas a 403 names the missing scope.
"""
HIDDEN_RELATIONS_BY_ROLE: Final = {
    role: frozenset(
        relation for relation, permission in _PERMISSION_BY_RELATION.items() if role and permission not in granted
    )
    for role, granted in PERMISSIONS_BY_ROLE.items()
}


def has_role_permission(caller: Caller, permission: Permission) -> bool:
    """Whether the caller's role has a permission, whatever the limits of the token."""
    if permission in PERMISSIONS_BY_ROLE[caller.role]:
        return True
    if caller.role is not Role.READ_WRITE or caller.account is not None:
        return False
    # With open access everyone would have it, so no secret would be safe.
    may_manage_secrets = permission is Permission.MANAGE_SECRET and caller.is_known
    return may_manage_secrets or permission in GRANTED_WITHOUT_ADMINISTRATORS


# Scopes

ANY_SCOPE: Final = frozenset(Scope)
BUILD_SCOPES: Final = frozenset({Scope.PUBLISH_PACTS, Scope.PUBLISH_RESULTS})
"""Builds of consumers and of providers publish versions, branches and tags."""
# Without `read`, a write scope still opens what its clients read before they write.
VERIFICATION_READS: Final = frozenset({Scope.READ, Scope.PUBLISH_RESULTS})
DEPLOYMENT_READS: Final = frozenset({Scope.READ, Scope.RECORD_DEPLOYMENTS})

DEFAULT_SCOPES_OF_READS: Final[Mapping[Permission, frozenset[Scope]]] = {
    Permission.READ: frozenset({Scope.READ}),
    Permission.READ_BADGE: frozenset({Scope.READ}),
    Permission.READ_HEARTBEAT: ANY_SCOPE,
    Permission.USE_OWN_ACCOUNT: frozenset({Scope.READ}),
    Permission.SIGN_IN: ANY_SCOPE,
}
"""The scopes of routes that only read and declare none themselves."""
_SCOPED_PERMISSIONS: Final = frozenset(
    {
        *DEFAULT_SCOPES_OF_READS,
        Permission.MANAGE_PACTICIPANT,
        Permission.MANAGE_VERSION,
        Permission.RECORD_DEPLOYMENT,
        Permission.RECORD_DECISION,
        Permission.OVERRIDE_DECISION,
        Permission.PUBLISH_PACT,
        Permission.PUBLISH_VERIFICATION,
    }
)


def has_permission(caller: Caller, permission: Permission) -> bool:
    """Whether the caller has a permission, by its role and the limits of its token."""
    if caller.limits is not None and permission not in _SCOPED_PERMISSIONS:
        return False
    return has_role_permission(caller, permission)
