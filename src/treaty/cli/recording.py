"""`can-i-deploy --record`: has the broker record its decision, and finds the address of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from treaty.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.cli.selectors import SelectorOptions, VersionSelector
    from treaty.client import BrokerClient, Json

_RECORDS: Final = "pb:recorded-decisions"
"""The relation by which a broker shows that it records decisions."""
_UNSUPPORTED: Final = (
    "Warning: This broker cannot record decisions, so this one was not recorded. Use a Treaty broker, upgrade it, or "
    "leave --record out."
)


def can_record(broker: BrokerClient, *, is_requested: bool | None) -> bool:
    """Whether the broker records decisions. Prints a warning if it does not, but was asked to.

    The answer is right all the same, so the exit code is that of the answer.
    """
    if broker.has_link(_RECORDS):
        return True
    if is_requested:
        output.print_warning(_UNSUPPORTED)
    return False


def wants_record(body: Json, *, is_requested: bool | None) -> bool:
    """Whether to record a decision: on request, or because the environment records its decisions."""
    if is_requested is None:
        return "pb:record-decision" in (body.get("_links") or {})
    return is_requested


def record(broker: BrokerClient, selectors: SelectorOptions, environment: str, *, is_requested: bool | None) -> Json:
    """Have the broker decide again and record that decision. Raises ClientError."""
    body: Json = {
        "environment": environment,
        "selectors": [_render(selector) for selector in selectors.selected],
        **({"ignore": [_render(selector) for selector in selectors.ignored]} if selectors.ignored else {}),
        **({} if is_requested is None else {"record": is_requested}),
    }
    decision: Json = broker.follow("POST", "pb:decisions", {}, body).body
    return decision


def _render(selector: VersionSelector) -> Json:
    members: Sequence[tuple[str, object]] = (
        ("pacticipant", selector.pacticipant),
        ("version", selector.version),
        ("branch", selector.branch),
        ("tag", selector.tag),
        ("latest", selector.latest),
        ("mainBranch", selector.main_branch),
    )
    return {name: value for name, value in members if value}


def find_url(body: Json) -> str | None:
    """Return the address of the record of a decision."""
    link: Json = (body.get("_links") or {}).get("self") or {}
    return str(link["href"]) if body.get("recorded") is True and "href" in link else None
