"""Variables of the environment that begin with PACT_BROKER_: unknown ones are probably misspelt, and have no effect."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from treaty.cli import output
from treaty.spelling import find_similar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_PREFIX: Final = "PACT_BROKER_"
CLIENT_VARIABLES: Final = frozenset(
    {
        "PACT_BROKER_BASE_URL",
        "PACT_BROKER_USERNAME",
        "PACT_BROKER_PASSWORD",
        "PACT_BROKER_TOKEN",
        "PACT_BROKER_HTTP_RETRIES",
        "PACT_BROKER_DISABLE_SSL_VERIFICATION",
        "PACT_BROKER_FEATURES",
        "PACT_BROKER_ERROR_ON_UNKNOWN_OPTION",
        "PACT_BROKER_CAN_I_DEPLOY_DRY_RUN",
        "PACT_BROKER_CAN_I_DEPLOY_IGNORE",
        "PACT_BROKER_CAN_I_DEPLOY_EXIT_CODE_BETA",
        "PACT_BROKER_CAN_I_MERGE_DRY_RUN",
        "PACT_BROKER_CAN_I_MERGE_IGNORE",
        # Pact's library for JavaScript reads it, in builds that also call this program.
        "PACT_BROKER_PUBLISH_VERIFICATION_RESULTS",
    }
)
_OF_KUBERNETES: Final = re.compile(r"PACT_BROKER(_\w+)?_(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)\w*)?)")
"""Variables that Kubernetes, and links of Docker, set in every container beside a service named `pact-broker`."""

_NUMBERED: Final = re.compile(r"PACT_BROKER_(WEBHOOK_CERTIFICATES__\d+__\w+|FEATURES__\w+)")
"""Variables of which an environment may have any number."""


def warn_of_unknown() -> None:
    """Print a warning for each variable with the prefix that neither the client nor a server reads."""
    others = [name for name in os.environ if name.startswith(_PREFIX) and name not in CLIENT_VARIABLES]
    candidates = [name for name in sorted(others) if not _OF_KUBERNETES.fullmatch(name)]
    if candidates:
        _warn_of(candidates, _server_variables())


def _warn_of(names: Iterable[str], server_variables: Collection[str] | None) -> None:
    variables = CLIENT_VARIABLES.union(server_variables or ())
    for name in names:
        if server_variables is not None and _is_of_server(name, server_variables):
            continue
        suggestion = _suggest(name, variables)
        # Without the server's packages its variables are unknown here, so only those like the client's are reported.
        if suggestion or server_variables is not None:
            text = f"Warning: Treaty does not read the variable {name}, so it has no effect."
            output.print_warning(f"{text} {suggestion}".rstrip())


def _suggest(name: str, variables: Iterable[str]) -> str:
    # Without the prefix, which makes all names similar.
    similar = find_similar(name.removeprefix(_PREFIX), sorted(other.removeprefix(_PREFIX) for other in variables))
    return f"Did you mean {' or '.join(_PREFIX + other for other in similar)}?" if similar else ""


def _server_variables() -> Collection[str] | None:
    """Return the variables of a server's settings; None without the packages of a server."""
    try:
        from treaty.settings import list_variables  # noqa: PLC0415 - needed only for unknown variables
        from treaty.settings.originals import UNUSED_VARIABLES  # noqa: PLC0415 - likewise
    except ModuleNotFoundError:
        return None
    # A server that starts logs those of the original broker that have no effect, each with the reason.
    return list_variables(_PREFIX) | UNUSED_VARIABLES.keys()


def _is_of_server(name: str, server_variables: Collection[str]) -> bool:
    return name in server_variables or _NUMBERED.fullmatch(name) is not None
