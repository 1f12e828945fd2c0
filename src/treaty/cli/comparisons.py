"""Commands that compare documents (OpenAPI, AsyncAPI) with pacts before anything is published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import comparison_reports, options, output
from treaty.cli.compared_pacts import PactSource, select_pacts
from treaty.cli.program import Check
from treaty.errors import ClientError
from treaty.model.compare.documents import UnusableDocument, UnusablePact
from treaty.model.compare.profiles import Profile
from treaty.model.compare.reading import read_document
from treaty.model.compare.reports import Effect, compare_changes, compare_new_version, compare_pacts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treaty.client import BrokerClient
    from treaty.model.compare.reading import ReadDocument
    from treaty.model.compare.reports import Report, SelectedPact

_PACT: Final = "This is a pact. Write --pacts before each file or folder with pacts."
_NEXT_STEP: Final = "Give OpenAPI 2.0 or 3 and AsyncAPI 3 documents, as JSON or YAML."


def _source_options(command: Callable[..., None]) -> Callable[..., None]:
    profiles = click.Choice([profile.value for profile in Profile])
    for option in (
        click.option(
            "--profile",
            type=profiles,
            default=Profile.STRICT.value,
            show_default=True,
            help="How strictly to compare; see the documentation.",
        ),
        click.option(
            "--provider", help="The provider's name; needed with a broker, or with pacts of several providers."
        ),
        click.option("--main", is_flag=True, help="Take the pacts of the consumers' main branches from a broker."),
        click.option("--environment", help="Take the pacts of the consumers in this environment from a broker."),
        click.option(
            "--pacts",
            multiple=True,
            metavar="FILE_OR_FOLDER",
            help="The pacts: a file, folder or pattern; repeatable.  [default: ./pacts]",
        ),
    ):
        command = option(command)
    return command


@click.command("compare", cls=Check)
@click.argument("documents", nargs=-1, required=True, metavar="DOCUMENT...")
@_source_options
@options.output_option("text", "json", "sarif", "github")
@options.connection_options(is_required=False)
def compare(broker: BrokerClient | None, documents: tuple[str, ...], form: str, profile: str, **source: Any) -> None:
    """Compare a provider's OpenAPI and AsyncAPI documents with pacts.

    Nothing is published, and without --environment and --main no broker is needed. The exit code is 0 if the documents
    have what the consumers expect, 1 if not, and 2 if the comparison is not possible.
    """
    selected = select_pacts(PactSource(**source), broker)
    report = _compare(selected, documents, Profile(profile))
    match form:
        case "json":
            output.show_value(report.as_json(), "pretty")
        case "sarif":
            output.show_value(comparison_reports.build_sarif(report), "pretty")
        case "github":
            output.print_line(comparison_reports.format_github(report))
        case _:
            output.print_line(comparison_reports.format_text(report))
    if not report.is_compatible:
        raise SystemExit(1)


@click.command("diff", cls=Check)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@_source_options
@options.output_option("text", "json")
@options.connection_options(is_required=False)
def diff(broker: BrokerClient | None, old: str, new: str, form: str, profile: str, **source: Any) -> None:
    """List the consumers that a new version of a document breaks, warns or does not affect.

    A consumer that the old document breaks, too, is reported as such. Pacts that the difference between the documents
    cannot affect are not compared twice. The exit code is 0 if no consumer breaks, 1 if one does, and 2 if the
    comparison is not possible.
    """
    selected = select_pacts(PactSource(**source), broker)
    before = _compare(selected, (old,), Profile(profile))
    after = _compare_new_version(before, new)
    changes = compare_changes(before, after)
    if form == "json":
        output.show_value(comparison_reports.changes_as_json(changes, after), "pretty")
    else:
        output.print_line(comparison_reports.format_changes(changes, after))
    if any(change.effect is Effect.BREAKS for change in changes):
        raise SystemExit(1)


def _compare(pacts: Sequence[SelectedPact], paths: Sequence[str], profile: Profile) -> Report:
    """Compare pacts with documents. Raises ClientError if one of them cannot be used."""
    documents = [_read(path) for path in dict.fromkeys(paths)]
    try:
        return compare_pacts(pacts, documents, profile)
    except (UnusableDocument, UnusablePact) as error:
        raise ClientError(str(error)) from error


def _compare_new_version(old: Report, path: str) -> Report:
    """Compare pacts with a new version of their document. Raises ClientError if it cannot be used."""
    document = _read(path)
    try:
        return compare_new_version(old, [document])
    except (UnusableDocument, UnusablePact) as error:
        raise ClientError(str(error)) from error


def _read(path: str) -> ReadDocument:
    raw = Path(path).read_bytes()
    try:
        return read_document(raw, name=path)
    except UnusableDocument as error:
        is_pact = b'"interactions"' in raw and b'"consumer"' in raw
        raise ClientError(f"{path}: {error}", hint=_PACT if is_pact else _NEXT_STEP) from error
