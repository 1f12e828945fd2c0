"""Who may ask: basic auth with one user who writes and one who reads, as the original has it."""

import base64
import binascii
import hmac
from typing import Final

from treaty.settings import Settings
from treaty.web.media import TEXT
from treaty.web.rendering import Answer
from treaty.web.routing import Call, Permission, Route

_CHALLENGE: Final = {"www-authenticate": 'Basic realm="Restricted area"'}


class Gate:
    """Lets requests through, or says why not. Without credentials in the settings everybody may do everything."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._writer = _credentials(settings.basic_auth_username, settings.basic_auth_password)
        self._reader = _credentials(settings.basic_auth_read_only_username, settings.basic_auth_read_only_password)

    @property
    def is_open(self) -> bool:
        return self._writer is None

    def refusal(self, call: Call, route: Route | None) -> Answer | None:
        """Say no with a reason, or nothing. A path without a route is behind the gate too."""
        if self._writer is None or self._is_public(call, route):
            return None
        scheme, _, given = call.headers.get("authorization", "").partition(" ")
        if scheme and scheme.lower() != "basic":
            return Answer(400, media=TEXT, charset=False)
        if self._may(_decoded(given), is_reading=_is_reading(call, route)):
            return None
        return Answer(401, media=TEXT, charset=False, headers=dict(_CHALLENGE))

    def _may(self, given: bytes, *, is_reading: bool) -> bool:
        is_writer = self._writer is not None and hmac.compare_digest(given, self._writer)
        is_reader = self._reader is not None and hmac.compare_digest(given, self._reader)
        return is_writer or (is_reader and is_reading)

    def _is_public(self, call: Call, route: Route | None) -> bool:
        if not _is_reading(call, route):
            return False
        settings = self._settings
        if settings.allow_public_read:
            return True
        if route is None:
            return False
        return (settings.public_heartbeat and route.permission is Permission.READ_HEARTBEAT) or (
            settings.enable_public_badge_access and route.permission is Permission.READ_BADGE
        )


def _is_reading(call: Call, route: Route | None) -> bool:
    if call.method in {"GET", "HEAD", "OPTIONS"}:
        return True
    return route is not None and route.permission.is_reading


def _credentials(username: str | None, password: str | None) -> bytes | None:
    return (
        f"{username}:{password}".encode() if username and password and username.strip() and password.strip() else None
    )


def _decoded(given: str) -> bytes:
    try:
        return base64.b64decode(given.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
