"""The command that copies what another broker has: the original, PactFlow or Treaty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from treaty.cli import copying, options, output
from treaty.cli.program import Command, Failure, Flag

if TYPE_CHECKING:
    from treaty.cli.copying import Tally
    from treaty.client import Broker

_STAYS: Final = (
    "What no broker hands out stays behind: when things happened, what was deployed before, deliveries of webhooks, "
    "and who may log in."
)
_AGAIN: Final = "Run the command again to go on: what is there is not copied twice."


@click.command("import", cls=Command)
@click.option("--from", "source", required=True, envvar="TREATY_IMPORT_FROM", metavar="URL", help="The other broker.")
@click.option("--from-username", envvar="TREATY_IMPORT_FROM_USERNAME", help="Its user, if it asks.")
@click.option("--from-password", envvar="TREATY_IMPORT_FROM_PASSWORD", help="The user's password.")
@click.option("--from-token", envvar="TREATY_IMPORT_FROM_TOKEN", help="A bearer token, instead of a user.")
@click.option("--dry-run/--no-dry-run", cls=Flag, help="Tell what would be copied, and copy nothing.")
@options.output_option("text", "json", "pretty")
@options.connected()
def import_all(
    broker: Broker,
    source: str,
    from_username: str | None,
    from_password: str | None,
    from_token: str | None,
    form: str,
    *,
    dry_run: bool,
) -> None:
    """Copy what another broker has.

    Pacticipants, versions with their branches and tags, pacts, verification results, environments, what is deployed
    and released, and webhooks go to the broker at --broker-base-url. What is there already is left as it is, so the
    command can be run again, after an interruption or to catch up.
    """
    if source.rstrip("/") == broker.url:
        raise Failure("Both brokers are the same.\nGive the one to copy from as --from, and the one to copy to as -b.")
    with options.elsewhere(source, from_username, from_password, from_token) as other:
        tally = _copied(other, broker, is_dry=dry_run)
    if form == "text":
        output.say("\n".join(_lines(tally, is_dry=dry_run)))
    else:
        output.show_value(_report(tally), form)
    if tally.refused:
        raise SystemExit(1)


def _copied(source: Broker, target: Broker, *, is_dry: bool) -> Tally:
    try:
        return copying.copy(source, target, is_dry=is_dry)
    except BaseException:
        output.complain(_AGAIN)
        raise


def _lines(tally: Tally, *, is_dry: bool) -> list[str]:
    done = "Would copy" if is_dry else "Copied"
    counts = [
        f"{done} {tally.copied[kind]} {name}" + (f" ({tally.found[kind]} were there)" if tally.found[kind] else "")
        for kind, name in copying.KINDS.items()
    ]
    refused = [output.red(f"Not copied: {text}") for text in tally.refused]
    return [*counts, *refused, *(output.yellow(note) for note in tally.notes), _STAYS]


def _report(tally: Tally) -> dict[str, object]:
    return {
        "copied": {kind: tally.copied[kind] for kind in copying.KINDS},
        "found": {kind: tally.found[kind] for kind in copying.KINDS},
        "refused": tally.refused,
        "notes": tally.notes,
    }
