"""`who-uses`: the consumers that use an operation, a field, or a provider state of a provider."""

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


@click.command("who-uses", cls=Command)
@click.option("-r", "--provider", required=True, help="The provider's name.")
@click.option("--operation", help="A path, or a method and a path: 'GET /orders/{id}'.")
@click.option("--pointer", help="The JSON pointer of a body field: '/items/*/price'.")
@click.option("--field", help="The name of a body field, header or parameter.")
@click.option("--state", help="The name of a provider state.")
@click.option("--text", help="Words in names, paths, provider states and descriptions.")
@click.option("--part", type=click.Choice(["request", "response", "message"]), help="Where fields and pointers count.")
@options.output_option("text", "json")
@options.connection_options()
def who_uses(broker: BrokerClient, form: str, *, provider: str, **criteria: str | None) -> None:
    """Show which consumers use a part of a provider, according to their pacts.

    Consumers count with the versions in environments, on main branches, and the latest ones. With several criteria, an
    interaction has to meet all of them. Exits with 1 if it is not known whether a consumer uses it, because a pact is
    not indexed yet.
    """
    query = {name: value for name, value in criteria.items() if value is not None}
    if not query.keys() - {"part"}:
        raise Failure("Give at least one of --operation, --pointer, --field, --state and --text.")
    pages = [*_fetch_pages(broker, provider, query)]
    if form == "json":
        output.print_line(output.format_indented(_merge(pages)))
    else:
        output.print_line("\n".join(_format(pages)))
    if pages[0].body.get("verdict") == "unknown":
        sys.exit(1)


def _fetch_pages(broker: BrokerClient, provider: str, criteria: dict[str, str]) -> Iterator[HalResource]:
    query = [("provider", provider), *criteria.items(), ("size", _PAGE_SIZE)]
    url: str | None = broker.url_for("usage", query=query)
    while url:
        page = _fetch(broker, url, provider)
        yield page
        url = page.link("next").href if page.links("next") else None


def _fetch(broker: BrokerClient, url: str, provider: str) -> HalResource:
    try:
        return broker.get(url)
    except Refused as refused:
        is_missing = refused.status == HTTPStatus.NOT_FOUND
        if is_missing and broker.find(broker.url_for("pacticipants", provider)):
            raise Failure(f"{broker.url} has no usage index. Only brokers of Treaty have one; upgrade it.") from refused
        raise


def _merge(pages: list[HalResource]) -> Json:
    consumers = [consumer for page in pages for consumer in page.embedded("consumers")]
    first = {name: value for name, value in pages[0].body.items() if name not in {"_embedded", "_links", "page"}}
    return {**first, "consumers": consumers}


def _format(pages: list[HalResource]) -> Iterator[str]:
    yield pages[0].body["summary"]
    for documented in pages[0].body.get("documented", ()):
        yield f"  In the provider's document: {documented['place']} {documented['name']}"
    for page in pages:
        for consumer in page.embedded("consumers"):
            yield ""
            yield consumer["name"]
            yield f"  {', '.join(_describe_version(version) for version in consumer['versions'])}"
            for interaction in consumer["interactions"]:
                yield from _format_interaction(interaction)
            hidden = consumer["interactionCount"] - len(consumer["interactions"])
            if hidden > 0:
                yield f"  … and {hidden} more interactions"


def _describe_version(version: Json) -> str:
    reasons = [
        *version["environments"],
        *(["main branch"] if version["isOnMainBranch"] else []),
        *(["latest"] if version["isLatest"] else []),
    ]
    return f"{version['number']} ({', '.join(reasons)})"


def _format_interaction(interaction: Json) -> Iterator[str]:
    operation = interaction["operation"]
    description = interaction["description"]
    yield f"  {description}" if operation in {None, description} else f"  {operation}: {description}"
    for expectation in interaction["expectations"]:
        place, name = expectation["place"].replace(".", " "), expectation["name"] or "(the whole body)"
        if place != "description":
            yield f"    {place} {name}: {expectation['meaning']}"
