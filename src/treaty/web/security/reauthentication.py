"""Re-authentication: the user of a session enters the password again before changing users, credentials or secrets.

A browser may be left open, and a cookie may be stolen. A page redirects to the form for the password. A form that was
submitted too late is shown again with its fields and the password to enter, so that nothing is lost.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from treaty.actions.accounts.credentials import record_reauthentication
from treaty.errors import Forbidden, ReauthenticationRequired, Throttled, Unauthenticated
from treaty.model.accounts.access import CredentialType
from treaty.store import audit
from treaty.web.http.forms import CSRF_FIELD
from treaty.web.http.media_types import is_form
from treaty.web.http.request import Request
from treaty.web.security.authentication import get_authenticator
from treaty.web.security.request_credentials import BasicCredentials

PASSWORD_FIELD: Final = "own_password"  # noqa: S105 - the name of a field
CODE_FIELD: Final = "own_code"
_OWN_FIELDS: Final = {PASSWORD_FIELD, CODE_FIELD, CSRF_FIELD}
_SECRET_FIELD: Final = re.compile(r"pass|again|secret|code|value|key", re.IGNORECASE)
"""Names of fields whose values must not be in a page."""
_LABELS: Final[Mapping[str, str]] = {
    "password": "New password of the form",
    "again": "New password again",
    "code": "Code of the new device",
}


def reauthenticate(request: Request, password: str, code: str) -> None:
    """Verify the password of a session's user, and the code if there is a second factor, and record this.

    Raises Unauthenticated if one of them is wrong, Throttled after too many of these, and Forbidden without a session.
    """
    caller, authenticator = request.caller, get_authenticator(request)
    if caller.kind is not CredentialType.SESSION or caller.credential is None:
        raise Forbidden("Only browsers that are signed in enter the password again.")
    user, session = str(caller.user), caller.credential
    authenticated = authenticator.passwords.verify(BasicCredentials(user, password), request)
    # A user of the settings and an account may have the same name, but not the same password.
    if authenticated.caller.account != caller.account:
        raise Unauthenticated("The name or the password is wrong.")
    if authenticated.has_second_factor:
        authenticator.second_factors.verify(str(caller.account), code, request)
    with audit.acting_as(request.actor, at=request.now):
        authenticator.database.write(lambda db: record_reauthentication(db, session, user=user, now=request.now))
    request.failed_login_user = None
    request.caller = replace(caller, authenticated_at=request.now)


def reauthenticate_by_form(request: Request) -> None:
    """Verify the password in a form that was shown again with a field for it. Raises ReauthenticationRequired."""
    if not is_form(request.content_type) or not request.form.has(PASSWORD_FIELD):
        request.awaits_password = True
        raise ReauthenticationRequired
    try:
        reauthenticate(request, request.form.raw(PASSWORD_FIELD), request.form.raw(CODE_FIELD))
    except Unauthenticated as error:
        raise ReauthenticationRequired(str(error)) from error
    except Throttled as error:
        raise ReauthenticationRequired(str(error), seconds=error.seconds) from error


@dataclass(frozen=True, slots=True)
class SecretField:
    """A field to enter again, because its value must not be in a page."""

    name: str
    label: str
    has_lines: bool


@dataclass(frozen=True, slots=True)
class FormToResume:
    """The fields of a submitted form, to be submitted again with the user's password."""

    fields: Sequence[tuple[str, str]]
    secret_fields: Sequence[SecretField]


def read_form_to_resume(request: Request) -> FormToResume:
    """Split the fields of a form into those that a page may contain, and secret ones with a value."""
    fields: list[tuple[str, str]] = []
    secret_fields: list[SecretField] = []
    for name, values in request.form.fields.items():
        if name in _OWN_FIELDS:
            continue
        if any(values) and _SECRET_FIELD.search(name):
            label = _LABELS.get(name, name.replace("_", " ").capitalize())
            secret_fields.append(SecretField(name, label, "\n" in values[-1]))
        else:
            fields += [(name, value) for value in values]
    return FormToResume(fields, secret_fields)
