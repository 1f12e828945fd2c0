"""`comparison-engine`: the verdicts that the engine of an upgraded broker would change, and accepting them."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import click

from treaty.cli import options, output
from treaty.cli.program import Command, Failure
from treaty.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treaty.client import BrokerClient, HalResource, Json

_PAGE_SIZE: Final = "50"


@click.command("comparison-engine", cls=Command)
@click.option("--accept", metavar="ENGINE", help="Accept the results of this version of the engine.")
@options.output_option("text", "json")
@options.connection_options()
def comparison_engine(broker: BrokerClient, form: str, *, accept: str | None) -> None:
    """Show which verdicts about provider contracts a newer comparison engine would change.

    After an upgrade of the broker, the results of its former engine decide until you accept those of the new one that
    would change a verdict. Exits with 1 while some are not computed or accepted yet.
    """
    if accept is not None:
        _send(broker, "POST", broker.url_for("provider-contracts", "engine", "accepted"), {"engine": accept})
    pages = [*_fetch_pages(broker)]
    if form == "json":
        output.print_line(output.format_indented(_merge(pages)))
    else:
        output.print_line("\n".join(_format(pages)))
    if pages[0].body.get("status") in {"recomputing", "waiting"}:
        sys.exit(1)


def _fetch_pages(broker: BrokerClient) -> Iterator[HalResource]:
    url: str | None = broker.url_for("provider-contracts", "engine", query=[("page", "1"), ("size", _PAGE_SIZE)])
    while url:
        page = _send(broker, "GET", url)
        yield page
        url = page.link("next").href if page.links("next") else None


def _send(broker: BrokerClient, method: str, url: str, body: Json | None = None) -> HalResource:
    try:
        return broker.get(url) if method == "GET" else broker.post(url, body)
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            raise Failure(
                f"{broker.url} has no report about its comparison engine. Only brokers of Treaty have one; upgrade it."
            ) from refused
        raise


def _merge(pages: list[HalResource]) -> Json:
    changes = [change for page in pages for change in page.embedded("changes")]
    first = {name: value for name, value in pages[0].body.items() if name not in {"_embedded", "_links", "page"}}
    return {**first, "changes": changes}


def _format(pages: list[HalResource]) -> Iterator[str]:
    body = pages[0].body
    yield body["summary"]
    for change in (change for page in pages for change in page.embedded("changes")):
        yield ""
        yield from _format_change(change)
    if body["status"] == "waiting":
        yield ""
        yield f"To let the new results decide: treaty comparison-engine --accept {body['engine']}"


def _format_change(change: Json) -> Iterator[str]:
    before, after = (_describe(change[side]["isCompatible"]) for side in ("before", "after"))
    use = "" if change["isInUse"] else ", not in use"
    yield f"{change['consumer']} and {change['provider']}: {before} → {after} (profile {change['profile']}{use})"
    for version in change["consumerVersions"]:
        yield f"  {change['consumer']} {_describe_version(version)}"
    for version in change["providerVersions"]:
        yield f"  {change['provider']} {_describe_version(version)}: {version['before']} → {version['after']}"
    for label, findings in (("new", change["newFindings"]), ("no longer", change["resolvedFindings"])):
        for finding in findings:
            yield f"  {label}: {finding['type']} {finding['code']}: {finding['message']}"


def _describe(is_compatible: bool) -> str:  # noqa: FBT001 - a value, not a switch
    return "compatible" if is_compatible else "not compatible"


def _describe_version(version: Json) -> str:
    reasons = [*version["environments"], *(["main branch"] if version["isOnMainBranch"] else [])]
    return f"{version['number']} ({', '.join(reasons)})"
