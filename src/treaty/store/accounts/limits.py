"""The limits of tokens and system accounts, stored as JSON beside them."""

import json
from functools import lru_cache
from typing import Final

from treaty.model.accounts.scopes import Limits, Scope

_SCOPES: Final = {scope.value: scope for scope in Scope}


def dump_limits(limits: Limits | None) -> str | None:
    if limits is None:
        return None
    applications = None if limits.applications is None else sorted(limits.applications)
    return json.dumps({"scopes": sorted(limits.scopes), "applications": applications})


@lru_cache(maxsize=1024)
def load_limits(text: str | None) -> Limits | None:
    """Read stored limits. Scopes that a newer Treaty has added grant nothing here."""
    if text is None:
        return None
    stored = json.loads(text)
    applications = stored["applications"]
    return Limits(
        frozenset(_SCOPES[name] for name in stored["scopes"] if name in _SCOPES),
        None if applications is None else frozenset(applications),
    )
