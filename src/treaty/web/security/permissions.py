"""Permissions of each role. Every route names the permission that it requires."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from treaty.model.accounts.access import Role


class Permission(Enum):
    """A permission. Its value completes the sentence "Ada may not …" in error messages."""

    READ = "read"
    READ_BADGE = "read badges"
    READ_HEARTBEAT = "read the heartbeat"
    MANAGE_PACTICIPANT = "manage pacticipants"
    MANAGE_VERSION = "manage versions, branches and tags"
    MANAGE_ENVIRONMENT = "manage environments"
    RECORD_DEPLOYMENT = "record deployments and releases"
    PUBLISH_PACT = "publish pacts"
    DELETE_PACT = "delete pacts"
    PUBLISH_VERIFICATION = "publish verification results"
    READ_WEBHOOK = "read webhooks"
    """Not part of public reading: webhooks name internal servers."""
    MANAGE_WEBHOOK = "manage webhooks"
    MANAGE_SECRET = "manage secrets"  # noqa: S105 - the name of a permission
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
GRANTED_WITHOUT_ADMINISTRATORS: Final = {Permission.READ_AUDIT, Permission.TEST_ERRORS}
"""Permissions of administrators that read-write callers without an account have, too.

They are the users of the settings, and those of a server with open access, which have no administrator to ask.
"""
PERMISSIONS_WITHOUT_SECOND_FACTOR: Final = _ANONYMOUS | {Permission.SECURE_OWN_ACCOUNT}
"""What a user may do who has to set up a second factor first."""
SENSITIVE_PERMISSIONS: Final = frozenset({Permission.MANAGE_USER, Permission.MANAGE_SECRET})
"""Permissions whose pages, forms and writes require that the user of a session has entered the password lately.

Other routes declare it themselves (`Route.is_sensitive`).
"""
_PERMISSION_BY_RELATION: Final = {
    "pb:publish-pact": Permission.PUBLISH_PACT,
    "pb:publish-contracts": Permission.PUBLISH_PACT,
    "pb:publish-verification-results": Permission.PUBLISH_VERIFICATION,
    "pb:record-deployment": Permission.RECORD_DEPLOYMENT,
    "pb:record-release": Permission.RECORD_DEPLOYMENT,
    "pb:delete_integration": Permission.MANAGE_PACTICIPANT,
    "pb:create": Permission.MANAGE_WEBHOOK,
    "pb:execute": Permission.MANAGE_WEBHOOK,
    "pb:import": Permission.IMPORT,
}
"""The permission that each write relation requires.

Callers without it get documents without the relation: clients decide by its presence what they can do.
"""
HIDDEN_RELATIONS_BY_ROLE: Final = {
    role: frozenset(
        relation for relation, permission in _PERMISSION_BY_RELATION.items() if role and permission not in granted
    )
    for role, granted in PERMISSIONS_BY_ROLE.items()
}
