"""`decisions` and `decision`: the recorded decisions of a broker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import names, options, output
from treaty.cli.program import Command
from treaty.errors import ClientError

if TYPE_CHECKING:
    from treaty.client import BrokerClient, Json

_ANSWERS: Final = {True: "yes", False: "no", None: "not yet"}
_FILTERS: Final = {"yes": "true", "no": "false", "unknown": "unknown"}
_UNSUPPORTED: Final = "This broker has no recorded decisions. Only Treaty brokers record them."


@click.command("decisions", cls=Command)
@click.option("--environment", metavar="NAME", help="Only those about an environment.")
@click.option("-a", "--pacticipant", metavar="NAME", help="Only those about a pacticipant.")
@click.option("-e", "--version", metavar="VERSION", help="Only those about a version.")
@click.option("--answer", type=click.Choice(list(_FILTERS)), help="Only those with an answer.")
@click.option("--since", metavar="TIME", help="Only those since a time, such as 2026-01-31.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True, help="Number of decisions.")
@options.output_option("table", "json")
@options.connection_options()
def decisions(broker: BrokerClient, form: str, **values: Any) -> None:
    """List recorded decisions, the newest first."""
    filters = {
        "environment": values["environment"],
        "pacticipant": values["pacticipant"],
        "version": values["version"],
        "deployable": _FILTERS.get(values["answer"] or ""),
        "since": values["since"],
        "size": str(values["limit"]),
    }
    _check_supported(broker)
    query = [(name, value) for name, value in filters.items() if value]
    body = broker.get(broker.url_for("decisions", query=query)).body
    if not body.get("decisions"):
        names.print_missing_name(broker)
    if form == "json":
        output.print_line(output.format_indented(body))
        return
    rows = [_list_cells(decision) for decision in body.get("decisions") or []]
    headings = ["TIME", "ANSWER", "VERSIONS", "ENVIRONMENT", "CAUSES", "UUID"]
    output.print_line(output.format_table(headings, rows, whole={"TIME", "ANSWER", "UUID"}) or "No decisions found.")


@click.command("decision", cls=Command)
@click.argument("uuid")
@options.output_option("text", "json")
@options.connection_options()
def decision(broker: BrokerClient, form: str, uuid: str) -> None:
    """Show a recorded decision, with its reasons and facts as they were."""
    _check_supported(broker)
    resource = broker.get(broker.link("pb:recorded-decision", uuid=uuid))
    output.print_line(output.format_indented(resource.body) if form == "json" else _describe(resource.body))


def _check_supported(broker: BrokerClient) -> None:
    if not broker.has_link("pb:recorded-decisions"):
        raise ClientError(_UNSUPPORTED, hint="Use a Treaty broker, or upgrade it.")


def _list_cells(body: Json) -> list[str]:
    return [
        _format_time(body),
        _ANSWERS[body.get("deployable")],
        _list_versions(body),
        body["environment"]["name"],
        ", ".join(dict.fromkeys(body.get("causes") or [])),
        body["uuid"],
    ]


def _format_time(body: Json) -> str:
    return f"{datetime.fromisoformat(body['createdAt']).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _list_versions(body: Json) -> str:
    return ", ".join(
        f"{each['pacticipant']} ({each['version']})" if each["version"] else each["pacticipant"]
        for each in body.get("versions") or []
    )


def _describe(body: Json) -> str:
    caller = body.get("caller") or {}
    lines = [
        f"{_list_versions(body)} to {body['environment']['name']}: {_ANSWERS[body.get('deployable')]}",
        f"Recorded {_format_time(body)}, asked by {caller.get('user') or 'an anonymous caller'}.",
        "",
        *(f"  * {reason['text']}" for reason in body.get("reasons") or []),
    ]
    rows = [_list_facts(row) for row in body.get("rows") or []]
    headings = ["CONSUMER", "C.VERSION", "PROVIDER", "P.VERSION", "SUCCESS?", "PACT"]
    table = output.format_table(headings, rows, whole={"SUCCESS?"})
    return "\n".join([*lines, *(["", table] if table else []), "", f"See {body['_links']['self']['href']}"])


def _list_facts(row: Json) -> list[str]:
    success = {True: "true", False: "false", None: "???"}[(row.get("result") or {}).get("success")]
    marks = [name for name in ("ignored", "replaced") if row.get(name)]
    return [
        row["consumer"]["name"],
        str(row["consumer"]["version"]),
        row["provider"]["name"],
        str(row["provider"]["version"] or "???"),
        " ".join([success, *(f"[{mark}]" for mark in marks)]),
        row["pact"]["sha"],
    ]
