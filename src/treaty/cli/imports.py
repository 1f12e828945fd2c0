"""The command that copies the data of another broker: the original, PactFlow or Treaty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from treaty.cli import import_copying, import_reports, options, output
from treaty.cli.program import Command, Failure, Flag

if TYPE_CHECKING:
    from treaty.cli.import_reports import CopyReport
    from treaty.client import BrokerClient

_CONTINUE_HINT: Final = "Run the command again to continue: nothing is copied twice."


@click.command("import", cls=Command)
@click.option("--from", "source", required=True, envvar="TREATY_IMPORT_FROM", metavar="URL", help="The other broker.")
@click.option("--from-username", envvar="TREATY_IMPORT_FROM_USERNAME", help="Username for it.")
@click.option("--from-password", envvar="TREATY_IMPORT_FROM_PASSWORD", help="Password for it.")
@click.option("--from-token", envvar="TREATY_IMPORT_FROM_TOKEN", help="Bearer token, instead of a username.")
@click.option("--dry-run/--no-dry-run", cls=Flag, help="Report what would be copied, and copy nothing.")
@click.option(
    "--parallel",
    type=click.IntRange(1, 32),
    default=8,
    show_default=True,
    metavar="N",
    help="Number of requests to the other broker at a time; this Treaty gets one at a time.",
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
    """Copy the data of another broker.

    Copies pacticipants, versions with their branches and tags, pacts with their verification results, environments
    with deployed and released versions, and webhooks to the Treaty at --broker-base-url, with their original times.
    Newer data there is not changed, and data removed there is not copied again. So the command can be repeated, after
    an interruption or to catch up: it adds only what is missing.
    """
    with options.create_other_client(
        source, from_username, from_password, from_token, address_option="--from"
    ) as other:
        if other.url == broker.url:
            raise Failure(
                "Both brokers are the same.\nGive the one to copy from as --from, and the one to copy to as -b."
            )
        report = _copy(other, broker, is_dry=dry_run, parallel=parallel)
    if form == "text":
        output.print_line(import_reports.format_report(report, is_dry=dry_run))
    else:
        output.show_value(import_reports.report_json(report), form)
    if report.refusals:
        raise SystemExit(1)


def _copy(source: BrokerClient, target: BrokerClient, *, is_dry: bool, parallel: int) -> CopyReport:
    try:
        return import_copying.copy_all(source, target, is_dry=is_dry, parallel=parallel)
    except BaseException:
        output.print_error(_CONTINUE_HINT)
        raise
