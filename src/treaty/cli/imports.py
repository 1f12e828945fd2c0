"""The command that copies what another broker has: the original, PactFlow or Treaty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from treaty.cli import import_copying, options, output
from treaty.cli.program import Command, Failure, Flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.cli.import_copying import CopyReport
    from treaty.client import BrokerClient

_STAYS: Final = (
    "Not copied, because no broker returns it: former deployments, deliveries and secrets of webhooks, and users."
)
_AGAIN: Final = "Run the command again to continue: nothing is copied twice."
_SHOWN: Final = 20
"""Lines of each kind in the report for people; `-o json` has all of them."""


@click.command("import", cls=Command)
@click.option("--from", "source", required=True, envvar="TREATY_IMPORT_FROM", metavar="URL", help="The other broker.")
@click.option("--from-username", envvar="TREATY_IMPORT_FROM_USERNAME", help="Its user, if it asks.")
@click.option("--from-password", envvar="TREATY_IMPORT_FROM_PASSWORD", help="The user's password.")
@click.option("--from-token", envvar="TREATY_IMPORT_FROM_TOKEN", help="A bearer token, instead of a user.")
@click.option("--dry-run/--no-dry-run", cls=Flag, help="Report what would be copied, and copy nothing.")
@click.option(
    "--parallel",
    type=click.IntRange(1, 32),
    default=4,
    show_default=True,
    metavar="N",
    help="Requests to the other broker at a time.",
)
@options.output_option("text", "json", "pretty")
@options.connection_options()
def import_all(
    broker: BrokerClient,
    source: str,
    from_username: str | None,
    from_password: str | None,
    from_token: str | None,
    form: str,
    *,
    dry_run: bool,
    parallel: int,
) -> None:
    """Copy what another broker has.

    Copies pacticipants, versions with their branches and tags, pacts with their verification results, environments,
    what is deployed and released, and webhooks to the Treaty at --broker-base-url, with their original times. Whatever
    is newer there stays as it is, and what was removed there stays removed. So the command can be run again, after an
    interruption or to catch up; it adds what is missing.
    """
    if source.rstrip("/") == broker.url:
        raise Failure("Both brokers are the same.\nGive the one to copy from as --from, and the one to copy to as -b.")
    with options.create_other_client(source, from_username, from_password, from_token) as other:
        tally = _copied(other, broker, is_dry=dry_run, parallel=parallel)
    if form == "text":
        output.print_line("\n".join(_lines(tally, is_dry=dry_run)))
    else:
        output.show_value(_report(tally), form)
    if tally.refused:
        raise SystemExit(1)


def _copied(source: BrokerClient, target: BrokerClient, *, is_dry: bool, parallel: int) -> CopyReport:
    try:
        return import_copying.copy_all(source, target, is_dry=is_dry, parallel=parallel)
    except BaseException:
        output.print_error(_AGAIN)
        raise


def _lines(tally: CopyReport, *, is_dry: bool) -> list[str]:
    done = "Would copy" if is_dry else "Copied"
    counts = [
        f"{done} {tally.copied[kind]} {name}" + (f" ({tally.found[kind]} were there)" if tally.found[kind] else "")
        for kind, name in import_copying.KINDS.items()
    ]
    refused = [output.red(line) for line in _shortened("Not copied", tally.refused)]
    left = _shortened("Left out", tally.left)
    return [*counts, *refused, *left, *(output.yellow(note) for note in tally.notes), _STAYS]


def _shortened(label: str, texts: Sequence[str]) -> list[str]:
    lines = [f"{label}: {text}" for text in texts[:_SHOWN]]
    more = len(texts) - _SHOWN
    return [*lines, f"{label}: {more} more; -o json lists all of them"] if more > 0 else lines


def _report(tally: CopyReport) -> dict[str, object]:
    return {
        "copied": {kind: tally.copied[kind] for kind in import_copying.KINDS},
        "found": {kind: tally.found[kind] for kind in import_copying.KINDS},
        "refused": tally.refused,
        "left": tally.left,
        "notes": tally.notes,
    }
