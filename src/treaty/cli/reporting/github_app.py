"""Tokens of GitHub Apps, created on demand for one repository. They expire after an hour, and are never printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from treaty.cli.program import Failure
from treaty.cli.reporting.services import ServiceError
from treaty.distribution import install_hint
from treaty.errors import ClientError

if TYPE_CHECKING:
    from treaty.cli.reporting.services import ServiceClient

_LIFETIME: Final = 540
"""Seconds; GitHub accepts ten minutes."""
_CLOCK_SKEW: Final = 60
"""Seconds by which the clock of this machine may be fast, as GitHub recommends."""
_PERMISSIONS: Final = {"checks": "write", "pull_requests": "write"}
HINTS: Final = {
    401: "Check --github-app-id and the private key: it may have been deleted in the App's settings, or belong to "
    "another App. Check the clock of this machine, too.",
    403: "The App is suspended for this repository.",
    404: "Install the App in the repository, and check --repository.",
    422: "Give the App the permissions to write checks and pull requests, and accept them where it is installed.",
}


def read_key(path: str | None, variable: str | None) -> str:
    """Return the private key as PEM, from a file or from a variable. Raises Failure without either."""
    if path:
        return Path(path).read_text(encoding="utf-8")
    if variable and variable.strip():
        # Some CI systems store variables with several lines with escaped line breaks.
        return variable.strip().replace("\\n", "\n")
    raise Failure(
        "--github-app-id needs the App's private key. Give its file as --github-app-key, or its text as the variable "
        "GITHUB_APP_PRIVATE_KEY."
    )


def sign_assertion(app_id: str, key: str, *, now: float) -> str:
    """Sign the JSON web token with which an App authenticates. Raises ClientError for a key that cannot be used."""
    try:
        import jwt  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise Failure(f"--github-app-id needs further packages: {install_hint('github-app')}.") from error
    claims = {"iat": int(now) - _CLOCK_SKEW, "exp": int(now) + _LIFETIME, "iss": app_id}
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        # The error may repeat parts of the key.
        text = "The private key of the GitHub App cannot be read."
        raise ClientError(text, hint="Give the PEM file that GitHub generated for the App, unchanged.") from error


def create_token(client: ServiceClient, repository: str) -> str:
    """Create a token for a repository with a client that authenticates as the App. Raises ServiceError."""
    installation = client.get(f"repos/{repository}/installation").get("id")
    body = {"repositories": [repository.rpartition("/")[2]], "permissions": _PERMISSIONS}
    token = client.send("POST", f"app/installations/{installation}/access_tokens", body).body.get("token")
    if not isinstance(token, str) or not token:
        raise ServiceError("GitHub returned no token for the App.", hint="Check the address of the API.")
    return token
