"""The command that removes old data, and its reports for people and as JSON."""

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
    RemovalCounts,
    VersionInUse,
    parse_selector_json,
)
from treaty.model.wording import format_duration
from treaty.settings import Settings, read_settings

IN_PROGRESS_MESSAGE: Final = "Clean was not performed as a clean is already in progress. Exiting."
IN_PROGRESS_EXIT_CODE: Final = 3
"""Exit code when another clean-up is running; 1 and 2 are used for errors."""


@click.command(cls=ServerCommand)
@click.option("--database-url", metavar="URL", help="The database to clean (default as for `treaty serve`).")
@click.option(
    "--dry-run", "is_dry", is_flag=True, help="Show what would be removed, and why the rest is kept; change nothing."
)
@click.option(
    "--keep",
    multiple=True,
    metavar="JSON",
    help='Versions to keep, e.g. {"branch":"main","max_age":30}; may be repeated, or be a list.',
)
@click.option(
    "--keep-branches",
    multiple=True,
    metavar="JSON",
    help='Branches to keep besides main ones, e.g. {"max_age":90} or {"branch":["develop"]}; [] keeps all.',
)
@click.option(
    "--limit", type=click.IntRange(min=1), help="Maximum number of versions, and of branches, to remove (default 500)."
)
@click.option(
    "--overwritten-max-age",
    type=click.IntRange(min=0, max=365_000),
    metavar="DAYS",
    help="Days for which overwritten pacts and results are kept (default 7).",
)
@click.option("--keep-overwritten", is_flag=True, help="Keep all overwritten pacts and results.")
@click.option("--output", "form", type=click.Choice(["text", "json"]), default="text", help="The output format.")
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
    """Remove old data that is no longer needed.

    By default, these versions are kept: the latest of each pacticipant, branch and tag, deployed and released ones,
    those younger than 90 days, and all that decisions about these versions depend on. A version that is deployed or
    supported in any environment is always kept, whatever --keep selects; --dry-run lists it. Servers may be running.

    Exit codes: 0 if the clean-up is done, 1 if it failed, 2 for invalid options, 3 if another clean-up is running
    (nothing was changed; run the command again later).
    """
    options = {
        "database_url": database_url,
        "database_clean_deletion_limit": limit,
        "database_clean_overwritten_data_max_age": overwritten_max_age,
        "database_clean_keep_version_selectors": _join_selectors(keep, "--keep"),
        "database_clean_keep_branch_selectors": _join_selectors(keep_branches, "--keep-branches"),
    }
    try:
        settings = read_settings(options)
        _clean(settings, form, is_dry=is_dry, keeps_overwritten=keep_overwritten)
    except InvalidSetting as error:
        click.echo(f"treaty clean: {error}", err=True)
        sys.exit(1)


def _join_selectors(texts: Sequence[str], option: str) -> str | None:
    """Join the values of a repeated option, each a selector or a list of selectors, to a single list in JSON."""
    if not texts:
        return None
    try:
        values = [parse_selector_json(text, option) for text in texts]
    except InvalidSetting as error:
        raise click.BadParameter(str(error)) from error
    return json.dumps([selector for value in values for selector in (value if isinstance(value, list) else [value])])


def _clean(settings: Settings, form: str, *, is_dry: bool, keeps_overwritten: bool) -> None:
    from treaty import app  # noqa: PLC0415 - the server's packages are loaded only where they are needed
    from treaty.workers import cleanup  # noqa: PLC0415 - the server's packages are loaded only where they are needed

    retention = app.build_retention(settings)
    if keeps_overwritten:
        retention = replace(retention, overwritten_max_age=None)
    if is_dry or settings.database_clean_dry_run:
        plan = app.plan_cleaning(settings, retention)
        click.echo(_to_json(_plan_json(plan)) if form == "json" else "\n".join(_plan_lines(plan)))
        return
    started = time.monotonic()
    try:
        removed = app.clean(settings, retention)
    except cleanup.CleanupInProgress:
        click.echo(IN_PROGRESS_MESSAGE, err=True)
        sys.exit(IN_PROGRESS_EXIT_CODE)
    result = {part: _amounts_json(counts, "deleted") for part, counts in removed.items()}
    click.echo(_to_json(result) if form == "json" else "\n".join(_result_lines(result, time.monotonic() - started)))


def _to_json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _amounts_json(counts: Mapping[str, Any], removed_name: str) -> dict[str, dict[str, int]]:
    kept_name = "kept" if removed_name == "deleted" else "toKeep"
    return {kind: {removed_name: count.gone, kept_name: count.kept} for kind, count in counts.items()}


_PARTS: Final = {
    "clean": "Old data",
    "overwritten": "Overwritten data",
    "audit": "Audit log",
    "decisions": "Recorded decisions",
}


def _result_lines(result: Mapping[str, Mapping[str, Mapping[str, int]]], seconds: float) -> Iterator[str]:
    yield f"Cleaned in {seconds:.1f} seconds."
    for part, title in _PARTS.items():
        if result[part]:
            yield f"{title}:"
        for kind, count in result[part].items():
            yield f"  {kind.replace('_', ' '):<22} {count['deleted']:>8} removed, {count['kept']:>8} kept"


# The plan as JSON, in the original broker's shape


def _plan_json(plan: CleanupPlan) -> dict[str, object]:
    return {
        "counts": {
            "totalVersions": plan.total,
            "versionsToDelete": len(plan.versions),
            "versionsNotToKeep": plan.not_kept,
            "versionsToKeep": plan.total - plan.not_kept,
            "versionsToKeepForDecisions": plan.kept_for_decisions,
            "versionsToKeepInUse": len(plan.in_use),
            "versionsToKeepBySelector": [
                {"selector": kept.selector.to_dict(), "count": kept.count} for kept in plan.kept
            ],
            "totalBranches": plan.total_branches,
            "branchesToDelete": len(plan.branches),
            "branchesToKeep": plan.total_branches - len(plan.branches),
            "branchesToKeepForDecisions": plan.branches_kept_for_decisions,
        },
        "versionSummary": {name: _summary_json(plan, name) for name in sorted(plan.remains)},
        "versionsInUse": [_version_in_use_json(version) for version in plan.in_use],
        "branches": [{"pacticipant": branch.pacticipant, "branch": branch.name} for branch in plan.branches],
        "data": _amounts_json(plan.removed, "toDelete"),
        "overwrittenData": _amounts_json(plan.overwritten, "toDelete"),
        "recordedDecisions": _amounts_json({"decisions": plan.decisions}, "toDelete")["decisions"],
        "auditEvents": _amounts_json({"audit_events": plan.audit_events}, "toDelete")["audit_events"],
    }


def _version_in_use_json(version: VersionInUse) -> dict[str, object]:
    return {
        "pacticipant": version.pacticipant,
        "number": version.number,
        "deployedTo": list(version.deployed_to),
        "releasedTo": list(version.released_to),
    }


def _summary_json(plan: CleanupPlan, name: str) -> dict[str, object]:
    versions = _versions_to_remove(plan, name)
    to_delete: dict[str, object] = {"count": len(versions)}
    if versions:
        to_delete |= {
            "fromVersion": _version_json(plan, versions[0]),
            "toVersion": _version_json(plan, versions[-1]),
        }
    remaining = plan.remains[name]
    to_keep: dict[str, object] = {"count": remaining.count}
    if remaining.count:
        # The original broker has these two the wrong way round, and clients of its JSON expect it.
        to_keep |= {
            "latestVersion": _version_json(plan, remaining.first),
            "firstVersion": _version_json(plan, remaining.latest),
        }
    return {"toDelete": to_delete, "toKeep": to_keep}


def _versions_to_remove(plan: CleanupPlan, name: str) -> list[RemovableVersion]:
    return [version for version in plan.versions if version.pacticipant == name]


def _version_json(plan: CleanupPlan, version: RemovableVersion | None) -> dict[str, object] | None:
    if version is None:
        return None
    tags = plan.tags.get((version.pacticipant, version.number), ())
    return {"number": version.number, "created": _format_age(version.created_at), "tags": list(tags)}


def _format_age(time: datetime) -> str:
    return f"{format_duration((datetime.now(UTC) - time).total_seconds())} ago"


# The plan for people


def _plan_lines(plan: CleanupPlan) -> Iterator[str]:
    yield from _version_lines(plan)
    yield from _branch_lines(plan)
    yield "In all, this data would be removed:"
    yield from _count_lines(plan.removed, "")
    yield from _count_lines(plan.overwritten, "overwritten ")
    yield from _count_lines({"audit_events": plan.audit_events, "recorded_decisions": plan.decisions}, "")


def _version_lines(plan: CleanupPlan) -> Iterator[str]:
    remaining = _describe_remaining(plan)
    yield f"Of {plan.total} versions {len(plan.versions)} would be removed now{remaining}. Nothing was changed."
    for name in sorted(plan.remains):
        versions = _versions_to_remove(plan, name)
        if versions:
            yield f"  {name}: {len(versions)} removed, {plan.remains[name].count} kept"
            yield from (f"    {version.number} ({_format_age(version.created_at)})" for version in versions)
    yield "They match no selector. These versions are kept:"
    for kept in plan.kept:
        yield f"  {kept.count:>8} by {json.dumps(kept.selector.to_dict(), ensure_ascii=False)}"
    yield f"  {plan.kept_for_decisions:>8} more, because decisions about these depend on their results"
    if plan.in_use:
        yield "These versions are kept only because they are deployed or supported:"
        yield from (f"  {version.pacticipant} {version.number} ({_describe_use(version)})" for version in plan.in_use)


def _branch_lines(plan: CleanupPlan) -> Iterator[str]:
    yield f"Of {plan.total_branches} branches {len(plan.branches)} would be removed; their versions may be kept."
    yield from (f"  {branch.pacticipant}: {branch.name} ({_format_age(branch.updated_at)})" for branch in plan.branches)
    if plan.branches_kept_for_decisions:
        count = plan.branches_kept_for_decisions
        yield f"{count} stale branches are kept: without them, verified pacts would become pending."


def _describe_use(version: VersionInUse) -> str:
    deployed = [f"deployed to {name}" for name in version.deployed_to]
    return ", ".join([*deployed, *(f"supported in {name}" for name in version.released_to)])


def _count_lines(counts: Mapping[str, RemovalCounts], prefix: str) -> Iterator[str]:
    for kind, count in counts.items():
        yield f"  {prefix + kind.replace('_', ' '):<34} {count.gone:>8} removed, {count.kept:>8} kept"


def _describe_remaining(plan: CleanupPlan) -> str:
    # A clean-up removes a limited number, so that its transactions stay short.
    remaining = plan.not_kept - len(plan.versions)
    return f", and {remaining} more by later clean-ups" if remaining else ""
