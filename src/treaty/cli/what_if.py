"""`what-if`: what would break in an environment, and what would be repaired, if it were changed."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import names, options, output, pactfiles
from treaty.cli.compared_pacts import read_pact
from treaty.cli.program import Check, Failure
from treaty.cli.version_sets import parse_member
from treaty.errors import ClientError, MissingRelation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treaty.client import BrokerClient, Json

_KINDS: Final = {
    "undeploy": "undeploy",
    "retire": "retire",
    "end_support": "endSupport",
    "roll_back": "rollBack",
    "deploy": "deploy",
    "release": "release",
}
"""Changes by the names of their options, in the order in which they are made."""
_WITH_VERSION: Final = {"deploy", "release", "end_support"}
_WITH_INSTANCE: Final = {"undeploy", "roll_back", "deploy"}
_NOTHING: Final = (
    "Give at least one change: --deploy NAME@VERSION, --roll-back NAME, --undeploy NAME, --release NAME@VERSION, "
    "--end-support NAME@VERSION or --retire NAME."
)


@click.command("what-if", cls=Check)
@options.environment_option()
@click.option("--deploy", multiple=True, metavar="NAME@VERSION", help="Deploy a version; repeatable.")
@click.option("--roll-back", multiple=True, metavar="NAME", help="Deploy the version that was deployed before.")
@click.option("--undeploy", multiple=True, metavar="NAME", help="Undeploy an application; repeatable.")
@click.option("--release", multiple=True, metavar="NAME@VERSION", help="Release a version; repeatable.")
@click.option("--end-support", multiple=True, metavar="NAME@VERSION", help="End the support of a release; repeatable.")
@click.option("--retire", multiple=True, metavar="NAME", help="Remove all versions of an application; repeatable.")
@click.option(
    "--application-instance", metavar="NAME", help="The application instance that is deployed to or undeployed."
)
@click.option(
    "--pacts",
    multiple=True,
    metavar="FILE_OR_FOLDER",
    help="Unpublished pacts of the deployed versions: a file, folder or pattern; repeatable.",
)
@click.option(
    "--document",
    "documents",
    multiple=True,
    metavar="FILE",
    help="An unpublished OpenAPI or AsyncAPI document of the deployed version; repeatable.",
)
@options.output_option("text", "json")
@options.connection_options()
def what_if(broker: BrokerClient, environment: str, form: str, **values: Any) -> None:
    """Show which applications would no longer work together if an environment were changed.

    Nothing is stored. Give one or several changes; pacts and documents of a deployed version need not be published. The
    exit code is 0 if the changes break nothing, 1 if they do, and 2 if there is no answer.
    """
    changes = list(_list_changes(values))
    if not changes:
        raise Failure(_NOTHING)
    _add_pacts(changes, values["pacts"])
    _add_documents(changes, values["documents"])
    body = _fetch(broker, {"environment": environment, "changes": changes})
    if not isinstance(body.get("safe"), bool):
        raise ClientError("The broker did not answer the question: its response has no member 'safe'.", hint=_UPGRADE)
    output.print_line(output.format_indented(body) if form == "json" else _format(body))
    if not body.get("safe"):
        raise SystemExit(1)


_UPGRADE: Final = "Use a Treaty broker, or upgrade it."


def _list_changes(values: dict[str, Any]) -> Iterator[Json]:
    instance = values["application_instance"]
    for option, kind in _KINDS.items():
        for text in values[option]:
            change: Json = {"change": kind, "pacticipant": text}
            if option in _WITH_VERSION:
                member = parse_member(text, "--" + option.replace("_", "-"))
                change |= {"pacticipant": member.pacticipant, "version": member.version}
            if instance and option in _WITH_INSTANCE:
                change["applicationInstance"] = instance
            yield change


def _list_new(changes: Sequence[Json]) -> list[Json]:
    return [change for change in changes if change["change"] in {"deploy", "release"}]


def _add_pacts(changes: Sequence[Json], paths: tuple[str, ...]) -> None:
    """Add each pact to the change that deploys its consumer. Raises Failure if none does."""
    new = {change["pacticipant"]: change for change in _list_new(changes)}
    for path in pactfiles.find_pact_files(paths) if paths else ():
        pact = read_pact(path)
        if pact.consumer not in new:
            raise Failure(f"{path} is a pact of {pact.consumer}. Add --deploy {pact.consumer}@VERSION.")
        new[pact.consumer].setdefault("pacts", []).append(pact.content)


def _add_documents(changes: Sequence[Json], paths: tuple[str, ...]) -> None:
    """Add the documents to the only change that deploys a version. Raises Failure if there is not one."""
    new = _list_new(changes)
    if paths and len(new) != 1:
        raise Failure("--document needs exactly one --deploy or --release: the version that has the document.")
    for path in paths:
        content = base64.b64encode(Path(path).read_bytes()).decode()
        new[0].setdefault("documents", []).append({"name": Path(path).name, "content": content})


def _fetch(broker: BrokerClient, body: Json) -> Json:
    try:
        with names.explained(broker), output.show_progress("Asking the broker"):
            return broker.follow("POST", "pb:what-if", {}, body).body
    except MissingRelation as error:
        text = "This broker cannot show the effect of changes. Only Treaty brokers can."
        raise ClientError(text, hint=_UPGRADE) from error


_TITLES: Final = {
    "breaks": ("This would break:", output.red),
    "repairs": ("This would repair:", output.green),
    "stillBroken": ("This is broken, and would stay so:", output.yellow),
}


def _format(body: Json) -> str:
    lines = [str(change.get("text")) for change in body.get("changes") or []]
    for effect, (title, colour) in _TITLES.items():
        if body.get(effect):
            lines += ["", colour(title), *_format_pairs(body[effect])]
    if body.get("safe"):
        lines += ["", output.green("Nothing would break.")]
    return "\n".join(lines)


def _format_pairs(pairs: Sequence[Json]) -> Iterator[str]:
    for pair in pairs:
        yield f"  * {pair['consumer']} and {pair['provider']}"
        yield from (f"    {reason['text']}" for reason in pair["reasons"])
