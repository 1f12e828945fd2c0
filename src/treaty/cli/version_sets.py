"""Sets of versions that are to be deployed together: reads the members, and describes the decision as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from treaty.cli import output
from treaty.cli.matrix import NO, UNKNOWN, YES
from treaty.cli.program import Failure
from treaty.cli.selectors import VersionSelector
from treaty.errors import ClientError, MissingRelation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.client import BrokerClient, Json

_ORDER_KINDS: Final = {"deploy_in_order", "deploy_together"}
_IGNORE_UNSUPPORTED: Final = "WARN: This broker cannot ignore results in decisions for sets. Please upgrade it."
_UNKNOWN_KINDS: Final = {"not_deployed", "more_obstacles"}
"""Kinds of reasons for a missing result whose names do not begin with `missing_`."""


def parse_member(text: str, option: str = "--set") -> VersionSelector:
    """Split a value of an option at its last `@`, since names such as `@acme/web` begin with one. Raises Failure."""
    name, _, version = text.rpartition("@")
    if not name.strip() or not version.strip():
        raise Failure(f"{option} {text} has no version. Write the name and the version as NAME@VERSION.")
    return VersionSelector(pacticipant=name, version=version)


def fetch_decision(
    broker: BrokerClient,
    members: Sequence[VersionSelector],
    environment: str,
    ignored: Sequence[VersionSelector] = (),
    *,
    is_recorded: bool | None = None,
) -> Json:
    """Fetch the decision about members. Raises ClientError if the broker has no decisions for sets.

    `is_recorded`: whether the broker records it; None if the environment decides that.
    """
    versions = [{"pacticipant": member.pacticipant, "version": member.version} for member in members]
    body: Json = {"environment": environment, "versions": versions}
    if ignored:
        body["ignore"] = [
            {"pacticipant": item.pacticipant, **({"version": item.version} if item.version else {})} for item in ignored
        ]
    if is_recorded is not None:
        body["record"] = is_recorded
    try:
        return broker.follow("POST", "pb:decisions", {}, body).body
    except MissingRelation as error:
        text = "This broker cannot decide about several versions together, so --set cannot be used."
        raise ClientError(text, hint="Ask about each version with --pacticipant, or use a Treaty broker.") from error


def count_unknown(body: Json) -> int:
    """Count the reasons that are missing results; 0 if the answer does not depend on any."""
    if body.get("deployable") is not None:
        return 0
    kinds = [str(reason.get("kind")) for reason in body.get("reasons") or []]
    return sum(kind.startswith("missing_") or kind in _UNKNOWN_KINDS for kind in kinds) or 1


def describe(body: Json, *, ignores: bool) -> str:
    """Describe the answer, the order of the deployments, the ignored results, and the reasons."""
    is_deployable = body.get("deployable") is True
    is_ignore_unsupported = ignores and "ignored" not in body
    parts = [
        output.yellow(_IGNORE_UNSUPPORTED) if is_ignore_unsupported else "",
        output.green(YES) if is_deployable else output.red(NO),
        _describe_order(body) if is_deployable else "",
        _describe_ignored(body.get("ignored") or []),
        output.format_verdict_notices(body),
    ]
    return "\n\n".join(part for part in parts if part)


def _describe_ignored(rows: Sequence[Json]) -> str:
    columns = ["CONSUMER", "C.VERSION", "PROVIDER", "P.VERSION", "SUCCESS?"]
    cells = [[*_read_side(row, "consumer"), *_read_side(row, "provider"), _describe_success(row)] for row in rows]
    return output.format_table(columns, cells, whole={"C.VERSION", "P.VERSION"}) if rows else ""


def _read_side(row: Json, name: str) -> tuple[str, str]:
    side = row.get(name) or {}
    return side.get("name") or UNKNOWN, side.get("version") or UNKNOWN


def _describe_success(row: Json) -> str:
    success = row.get("success")
    return f"{UNKNOWN if success is None else str(success).lower()} [ignored]"


def _describe_order(body: Json) -> str:
    members = body.get("order") or []
    if not any(reason.get("kind") in _ORDER_KINDS for reason in body.get("reasons") or []):
        return "The versions can be deployed in any order." if len(members) > 1 else ""
    rows = [[number, member["pacticipant"], member["version"]] for number, member in enumerate(members, start=1)]
    return output.format_table(["STEP", "DEPLOY", "VERSION"], rows, whole={"STEP", "VERSION"}) if rows else ""
