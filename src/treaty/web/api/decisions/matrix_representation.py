"""How the matrix is shown: as a plain structure in which null stands for what is missing, and as a table of text."""

import shlex
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import orjson

from treaty.model.decisions import metadata
from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.matrix import (
    EnvironmentOfVersion,
    Matrix,
    Row,
    Summary,
    Verdict,
    VersionInMatrix,
    VersionKey,
)
from treaty.model.decisions.metadata import Metadata
from treaty.model.decisions.reasons import NoSuchVersion, NotVerified, Reason, Side, VerificationFailed
from treaty.model.decisions.selectors import known_number
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link, Place, written


@represent.register
def matrix(shown: Matrix) -> Hal:
    """Show the counts and the answer first, then why, then the rows."""
    verdict = shown.verdict
    texts = [reason_texts.text(one) for one in verdict.reasons]
    reasons = [_reason(one, text) for one, text in zip(verdict.reasons, texts, strict=True)]
    rows = [_shown(shown, row, is_ignored=False) for row in verdict.considered]
    rows += [_shown(shown, row, is_ignored=True) for row in verdict.ignored]
    return Hal(
        {
            "summary": _summary(verdict.summary, texts),
            "notices": [{"type": one["type"], "text": one["text"]} for one in reasons],
            "matrix": rows,
            "rows": {"shown": len(rows), "total": verdict.total},
            "reasons": reasons,
        },
    )


def _summary(summary: Summary, texts: Sequence[str]) -> dict[str, object]:
    shown: dict[str, object] = {
        "deployable": summary.deployable,
        "reason": "\n".join(texts),
        "success": summary.success,
        "failed": summary.failed,
        "unknown": summary.unknown,
    }
    return shown if summary.ignored is None else {**shown, "ignored": summary.ignored}


def _shown(shown: Matrix, row: Row, *, is_ignored: bool) -> orjson.Fragment:
    consumer = shown.versions[row.consumer, row.consumer_version]
    number = shown.verdict.shown_provider_version(row)
    provider = None if number is None else shown.versions[row.provider, number]
    return _row(row, consumer, provider, is_ignored=is_ignored)


@lru_cache(maxsize=2048)
def _row(row: Row, consumer: VersionInMatrix, provider: VersionInMatrix | None, *, is_ignored: bool) -> orjson.Fragment:
    """Show a row. It is remembered, written out: whoever waits for a result asks for the same ones again and again."""
    path = urls.PACT.fill(provider=row.provider, consumer=row.consumer, version=row.consumer_version)
    shown = {
        "consumer": _side(row.consumer, row.consumer_version, consumer),
        "provider": _side(row.provider, None if provider is None else row.provider_version, provider),
        "pact": {"createdAt": row.published_at, "_links": _self(path)},
        "verificationResult": _verification(row),
    }
    return written({**shown, "ignored": True} if is_ignored else shown)


@lru_cache(maxsize=4096)
def _side(name: str, number: str | None, version: VersionInMatrix | None) -> orjson.Fragment:
    """Show a consumer or a provider. It is remembered as well: many rows are about the same ones."""
    shown = None if number is None or version is None else _version(name, number, version)
    return written({"name": name, "version": shown, "_links": _self(urls.PACTICIPANT.fill(pacticipant=name))})


def _self(path: str) -> dict[str, dict[str, str]]:
    return {"self": {"href": urls.BASE + path}}


def _titled(path: str, title: str, name: str) -> dict[str, Link]:
    return {"self": Link(path, title, name=name)}


def _verification(row: Row) -> dict[str, object] | None:
    if row.verification is None:
        return None
    path = urls.VERIFICATION_WITH_METADATA.fill(
        provider=row.provider,
        consumer=row.consumer,
        sha=row.sha,
        metadata=metadata.encode(Metadata(version_number=row.consumer_version)),
        number=str(row.verification),
    )
    return {"success": row.success, "verifiedAt": row.verified_at, "_links": _self(path)}


def _version(pacticipant: str, number: str, version: VersionInMatrix) -> dict[str, object]:
    branches = [_branch((pacticipant, number), one.name, is_head=one.is_head) for one in version.branches]
    return {
        "number": number,
        "branch": version.branches[-1].name if version.branches else None,
        "branches": branches,
        "branchVersions": branches,
        "environments": [_environment(one) for one in version.environments],
        "_links": _self(urls.VERSION.fill(pacticipant=pacticipant, version=number)),
        "tags": [
            {
                "name": one.name,
                "latest": one.is_head,
                "_links": _self(urls.VERSION_TAG.fill(pacticipant=pacticipant, version=number, tag=one.name)),
            }
            for one in version.tags
        ],
    }


def _branch(key: VersionKey, name: str, *, is_head: bool) -> dict[str, object]:
    path = urls.BRANCH_VERSION.fill(pacticipant=key[0], branch=name, version=key[1])
    return {"name": name, "latest": is_head, "_links": _titled(path, "Branch version", name)}


def _environment(environment: EnvironmentOfVersion) -> dict[str, object]:
    times: dict[str, object] = {"createdAt": environment.created_at}
    if environment.updated_at != environment.created_at:
        times = {"updatedAt": environment.updated_at, **times}
    return {
        "uuid": environment.uuid,
        "name": environment.name,
        "displayName": environment.display_name,
        "production": environment.is_production,
        **times,
        "_links": _titled(urls.ENVIRONMENT.fill(uuid=environment.uuid), "Environment", environment.name),
    }


def _reason(one: Reason, text: str) -> dict[str, object]:
    """Say a reason once more, for programs: what kind it is of, whom it is about, and what can be done."""
    shown: dict[str, object] = {"kind": reason_texts.kind(one), "type": reason_texts.severity(one), "text": text}
    match one:
        case NotVerified() | VerificationFailed():
            sides = {"consumer": _party(one.consumer), "provider": _party(one.provider)}
            return {**shown, **sides, "next": _next(one)}
        case NoSuchVersion(selected=selected):
            about = {"name": selected.selector.pacticipant, "version": known_number(selected)}
            return {**shown, "pacticipant": about, "next": {"text": reason_texts.next_step(one)}}
        case _:
            return shown


def _party(side: Side) -> dict[str, object]:
    return {"name": side.pacticipant, "version": side.version}


def _next(one: NotVerified | VerificationFailed) -> Link | dict[str, object]:
    """Point to the pact, or show the command with which a deployment is recorded."""
    text = reason_texts.next_step(one)
    for side in (one.provider, one.consumer):
        if side.environment:
            return {"text": text, "command": recording(side, side.environment)}
    if one.consumer.version is None:
        return {"text": text}
    names = {"provider": one.provider.pacticipant, "consumer": one.consumer.pacticipant}
    return Link(urls.PACT.fill(**names, version=one.consumer.version), extra={"text": text})


def recording(side: Side, environment: str) -> str:
    """Write the command by which a deployment is recorded."""
    words = ("--pacticipant", side.pacticipant, "--version", "VERSION", "--environment", environment)
    return shlex.join(("pact-broker", "record-deployment", *words))


TITLES: Final = ("CONSUMER", "C_VERSION", "REVISION", "PROVIDER", "P_VERSION", "NUMBER", "SUCCESS")
WIDEST: Final = 30
"""Characters of a cell; what is longer is cut."""


@represent.register_text
def matrix_as_text(shown: Matrix, _place: Place) -> str:
    """Draw the rows as a table, with the answer and the reasons below it."""
    verdict = shown.verdict
    deployable = {True: "true", False: "false", None: "nil"}[verdict.summary.deployable]
    reasons = "\n".join(reason_texts.text(one) for one in verdict.reasons)
    table = _table([_cells(row, verdict.shown_provider_version(row)) for row in verdict.rows])
    return f"{table}\n{_left_out(verdict)}\nDeployable: {deployable}\nReason: {reasons}\n"


def _left_out(verdict: Verdict) -> str:
    shown = len(verdict.rows)
    return (
        ""
        if shown == verdict.total
        else f"\n{shown} of {verdict.total} rows are shown; the answer depends on all of them.\n"
    )


def _table(lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return "No data."
    widths = [max(map(len, column)) for column in zip(TITLES, *lines, strict=True)]
    ruler = "|".join("-" * (width + (2 if 0 < at < len(widths) - 1 else 1)) for at, width in enumerate(widths))
    return "\n".join((_line(TITLES, widths), ruler, *(_line(line, widths) for line in lines)))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))


def _cells(row: Row, provider_version: str | None) -> list[str]:
    success = "" if row.success is None else str(row.success).lower()
    number = "" if row.verification is None else str(row.verification)
    consumer = (row.consumer, row.consumer_version, str(row.revision))
    cells = (*consumer, row.provider, provider_version or "", number, success)
    return [cell if len(cell) <= WIDEST else cell[: WIDEST - 3] + "..." for cell in cells]
