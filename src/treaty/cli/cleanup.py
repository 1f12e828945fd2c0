"""The command that removes old data."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import click

from treaty.cli.program import ServerCommand
from treaty.errors import InvalidSetting
from treaty.model.maintenance.retention import (
    CleanupPlan,
    RemovableVersion,
    RowCounts,
    VersionInUse,
    parse_selector_json,
)
from treaty.model.pacts.text_diff import format_duration
from treaty.settings import Settings, read_settings

IN_PROGRESS_MESSAGE: Final = "Clean was not performed as a clean is already in progress. Exiting."
IN_PROGRESS_EXIT_CODE: Final = 3
"""Exit code when another clean-up is running; 1 and 2 are used for errors."""


@click.command(cls=ServerCommand)
@click.option("--database-url", metavar="URL", help="The database to clean (default as for `treaty serve`).")
@click.option("--dry-run", "is_dry", is_flag=True, help="Show what would go and why the rest stays; change nothing.")
@click.option(
    "--keep",
    "keep",
    multiple=True,
    metavar="JSON",
    help='Versions to keep, e.g. {"branch":"main","max_age":30}; may be repeated, or be a list.',
)
@click.option(
    "--keep-branches",
    "keep_branches",
    multiple=True,
    metavar="JSON",
    help='Branches to keep besides main ones, e.g. {"max_age":90} or {"branch":["develop"]}; [] keeps all.',
)
@click.option("--limit", type=click.IntRange(min=1), help="Versions, branches, … that go at most (default 500).")
@click.option(
    "--overwritten-max-age",
    type=click.IntRange(min=0, max=365_000),
    metavar="DAYS",
    help="Days that overwritten pacts and results stay (default 7).",
)
@click.option("--keep-overwritten", is_flag=True, help="Leave overwritten pacts and results alone.")
@click.option("--output", "form", type=click.Choice(["text", "json"]), default="text", help="How to show the result.")
def clean(
    database_url: str | None,
    keep: Sequence[str],
    keep_branches: Sequence[str],
    limit: int | None,
    overwritten_max_age: int | None,
    form: str,
    *,
    is_dry: bool,
    keep_overwritten: bool,
) -> None:
    """Remove old data that nothing needs.

    By default the latest version of each pacticipant, branch and tag stays, what is deployed or released, what is
    younger than 90 days, and everything that decisions about these versions need. A version that is deployed or
    supported in any environment always stays, whatever --keep says; --dry-run names it. Servers may be running.

    Exit codes: 0 if the clean-up is done, 1 if it failed, 2 for wrong options, 3 if another clean-up is running
    (nothing was changed; run the command again later).
    """
    options = {
        "database_url": database_url,
        "database_clean_deletion_limit": limit,
        "database_clean_overwritten_data_max_age": overwritten_max_age,
        "database_clean_keep_version_selectors": _joined(keep, "--keep"),
        "database_clean_keep_branch_selectors": _joined(keep_branches, "--keep-branches"),
    }
    try:
        settings = read_settings(options)
        _clean(settings, form, is_dry=is_dry, keeps_overwritten=keep_overwritten)
    except InvalidSetting as error:
        click.echo(f"treaty clean: {error}", err=True)
        sys.exit(1)


def _joined(texts: Sequence[str], option: str) -> str | None:
    """Make one list of what an option was given, each time a selector or a list of them."""
    if not texts:
        return None
    try:
        given = [parse_selector_json(text, option) for text in texts]
    except InvalidSetting as error:
        raise click.BadParameter(str(error)) from error
    return json.dumps([one for item in given for one in (item if isinstance(item, list) else [item])])


def _clean(settings: Settings, form: str, *, is_dry: bool, keeps_overwritten: bool) -> None:
    from treaty import app  # noqa: PLC0415 - the server's packages are loaded only where they are needed
    from treaty.workers import cleanup  # noqa: PLC0415 - the server's packages are loaded only where they are needed

    retention = app.build_retention(settings)
    if keeps_overwritten:
        retention = replace(retention, overwritten_max_age=None)
    if is_dry or settings.database_clean_dry_run:
        plan = app.plan_cleaning(settings, retention)
        click.echo(_json(_planned(plan)) if form == "json" else "\n".join(_plan_lines(plan)))
        return
    started = time.monotonic()
    try:
        done = app.clean(settings, retention)
    except cleanup.CleanupInProgress:
        click.echo(IN_PROGRESS_MESSAGE, err=True)
        sys.exit(IN_PROGRESS_EXIT_CODE)
    result = {part: _named(amounts, "deleted") for part, amounts in done.items()}
    click.echo(_json(result) if form == "json" else "\n".join(_result_lines(result, time.monotonic() - started)))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _named(amounts: Mapping[str, Any], gone: str) -> dict[str, dict[str, int]]:
    kept = "kept" if gone == "deleted" else "toKeep"
    return {what: {gone: one.gone, kept: one.kept} for what, one in amounts.items()}


def _result_lines(result: Mapping[str, Mapping[str, Mapping[str, int]]], seconds: float) -> Iterator[str]:
    yield f"Cleaned in {seconds:.1f} seconds."
    for part, title in (("clean", "Old data"), ("overwritten", "Overwritten data"), ("audit", "Audit log")):
        if result[part]:
            yield f"{title}:"
        for what, amount in result[part].items():
            yield f"  {what.replace('_', ' '):<22} {amount['deleted']:>8} removed, {amount['kept']:>8} left"


# What would go, as JSON in the original broker's shape


def _planned(plan: CleanupPlan) -> dict[str, object]:
    return {
        "counts": {
            "totalVersions": plan.total,
            "versionsToDelete": len(plan.versions),
            "versionsNotToKeep": plan.not_kept,
            "versionsToKeep": plan.total - plan.not_kept,
            "versionsToKeepForDecisions": plan.kept_for_decisions,
            "versionsToKeepInUse": len(plan.in_use),
            "versionsToKeepBySelector": [{"selector": one.selector.to_dict(), "count": one.count} for one in plan.kept],
            "totalBranches": plan.total_branches,
            "branchesToDelete": len(plan.branches),
            "branchesToKeep": plan.total_branches - len(plan.branches),
            "branchesToKeepForDecisions": plan.branches_kept_for_decisions,
        },
        "versionSummary": {name: _summary(plan, name) for name in sorted(plan.remains)},
        "versionsInUse": [_in_use(version) for version in plan.in_use],
        "branches": [{"pacticipant": one.pacticipant, "branch": one.name} for one in plan.branches],
        "data": _named(plan.removed, "toDelete"),
        "overwrittenData": _named(plan.overwritten, "toDelete"),
        "auditEvents": _named({"audit_events": plan.audit_events}, "toDelete")["audit_events"],
    }


def _in_use(version: VersionInUse) -> dict[str, object]:
    return {
        "pacticipant": version.pacticipant,
        "number": version.number,
        "deployedTo": list(version.deployed_to),
        "releasedTo": list(version.released_to),
    }


def _summary(plan: CleanupPlan, name: str) -> dict[str, object]:
    going = _going(plan, name)
    ends = {"fromVersion": _version(plan, going[0]), "toVersion": _version(plan, going[-1])} if going else {}
    left = plan.remains[name]
    # The original broker has these two the wrong way round.
    kept = {"latestVersion": _version(plan, left.first), "firstVersion": _version(plan, left.latest)}
    return {
        "toDelete": {"count": len(going), **ends},
        "toKeep": {"count": left.count, **(kept if left.count else {})},
    }


def _going(plan: CleanupPlan, name: str) -> list[RemovableVersion]:
    return [one for one in plan.versions if one.pacticipant == name]


def _version(plan: CleanupPlan, one: RemovableVersion | None) -> dict[str, object] | None:
    if one is None:
        return None
    tags = plan.tags.get((one.pacticipant, one.number), ())
    return {"number": one.number, "created": _age(one.created_at), "tags": list(tags)}


def _age(then: datetime) -> str:
    return f"{format_duration((datetime.now(UTC) - then).total_seconds())} ago"


# What would go, for people


def _plan_lines(plan: CleanupPlan) -> Iterator[str]:
    yield f"Of {plan.total} versions {len(plan.versions)} would be removed now{_later(plan)}. Nothing was changed."
    for name in sorted(plan.remains):
        going = _going(plan, name)
        if going:
            yield f"  {name}: {len(going)} go, {plan.remains[name].count} stay"
            yield from (f"    {one.number} ({_age(one.created_at)})" for one in going)
    yield "They go because nothing keeps them. These versions are kept:"
    for kept in plan.kept:
        yield f"  {kept.count:>8} by {json.dumps(kept.selector.to_dict(), ensure_ascii=False)}"
    yield f"  {plan.kept_for_decisions:>8} more, because decisions about these depend on their results"
    if plan.in_use:
        yield "These versions stay only because they are deployed or supported:"
        yield from (f"  {version.pacticipant} {version.number} ({_places(version)})" for version in plan.in_use)
    yield f"Of {plan.total_branches} branches {len(plan.branches)} would be removed; their versions may stay."
    yield from (f"  {one.pacticipant}: {one.name} ({_age(one.updated_at)})" for one in plan.branches)
    if plan.branches_kept_for_decisions:
        yield f"{plan.branches_kept_for_decisions} stale branches stay: without them verified pacts would be pending."
    yield "In all, this data would be removed:"
    yield from _amount_lines(plan.removed, "")
    yield from _amount_lines(plan.overwritten, "overwritten ")
    yield from _amount_lines({"audit_events": plan.audit_events}, "")


def _places(version: VersionInUse) -> str:
    deployed = [f"deployed to {name}" for name in version.deployed_to]
    return ", ".join([*deployed, *(f"supported in {name}" for name in version.released_to)])


def _amount_lines(amounts: Mapping[str, RowCounts], prefix: str) -> Iterator[str]:
    for kind, amount in amounts.items():
        yield f"  {prefix + kind.replace('_', ' '):<34} {amount.gone:>8} removed, {amount.kept:>8} left"


def _later(plan: CleanupPlan) -> str:
    later = plan.not_kept - len(plan.versions)
    return f", and {later} more the next times" if later else ""
