"""Reports of an import: its progress, and in the end the copied and skipped data with the reasons."""

from __future__ import annotations

import pytest

from treaty.cli import import_reports
from treaty.cli import progress as progress_module
from treaty.cli.import_reports import CopyReport
from treaty.cli.progress import Progress, format_duration, format_progress


@pytest.mark.parametrize(
    ("done", "total", "seconds", "expected"),
    [
        (0, 0, 0.0, "0 of 0 (0 %), 0 per second, remaining time unknown"),
        (0, 10, 5.0, "0 of 10 (0 %), 0 per second, remaining time unknown"),
        (1200, 6000, 12.0, "1,200 of 6,000 (20 %), 100 per second, about 48 s left"),
        (3, 10, 6.0, "3 of 10 (30 %), 0.5 per second, about 14 s left"),
        (10, 40_000, 1.0, "10 of 40,000 (0 %), 10 per second, about 1 h 6 min left"),
        (12, 10, 1.0, "12 of 10 (120 %), 12 per second, about 0 s left"),
    ],
)
def test_progress_has_the_rate_and_the_remaining_time(done: int, total: int, seconds: float, expected: str) -> None:
    assert format_progress(done, total, seconds=seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (3600, "1 h 0 min"), (7384, "2 h 3 min")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, expected: str) -> None:
    assert format_duration(seconds) == expected


def test_a_log_gets_a_line_now_and_then_and_one_for_each_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_module, "_INTERVAL", 0)
    progress = Progress(2)
    progress.begin("versions", 2)
    progress.advance()
    progress.begin("pacts", 1)
    progress.advance()
    progress.end()
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0].partition(" (")[0] for line in lines] == [
        "[1/2] versions: 1 of 2",
        "[1/2] versions: 1 in 0 s",
        "[2/2] pacts: 1 of 1",
        "[2/2] pacts: 1 in 0 s",
    ]


def test_a_terminal_gets_one_line_that_changes_for_each_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_module, "_TERMINAL_INTERVAL", 0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress = Progress(1)
    progress.begin("versions", 2)
    progress.advance()
    progress.advance()
    progress.end()
    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert written.count("[1/1] versions: ") == 3


def rows(report: CopyReport, *, is_dry: bool = False) -> list[list[str]]:
    lines = import_reports.format_report(report, is_dry=is_dry).splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def test_the_report_counts_copied_and_skipped_facts_and_gives_the_reasons() -> None:
    report = CopyReport()
    report.copied["pacts"] = 3
    report.existing["pacts"] = 2
    report.refuse("pacts", "the pact of A 1 with B", "this version has another pact here, which stays as it is")
    report.leave("versions", "version 1 of A", "the version was removed here after an earlier import")
    table = rows(report)
    assert ["Data", "Copied", "Already there", "Left out", "Not copied"] in table
    assert ["pacts", "3", "2", "0", "1"] in table
    assert ["versions", "0", "0", "1", "0"] in table
    assert [
        "Not copied",
        "the pact of A 1 with B",
        "this version has another pact here, which stays as it is",
    ] in table
    assert ["Left out", "version 1 of A", "the version was removed here after an earlier import"] in table
    assert ["Not copied", "former deployments and releases", "only Treaty returns them"] in table


def test_the_report_of_an_export_includes_the_data_that_only_treaty_returns() -> None:
    names = [row[1] for row in rows(CopyReport(is_exported=True), is_dry=True) if len(row) == 3]
    assert "former deployments and releases" not in names
    assert "users, teams and tokens" in names
    assert ["Data", "Would copy", "Already there", "Left out", "Not copied"] in rows(CopyReport(), is_dry=True)


def test_the_report_shows_the_first_of_many_reasons() -> None:
    report = CopyReport()
    for number in range(25):
        report.refuse("results", f"result {number}", "no")
    table = rows(report)
    assert ["Not copied", "result 19", "no"] in table
    assert ["Not copied", "result 20", "no"] not in table
    assert ["Not copied", "5 more", "-o json lists all of them"] in table
    assert len(report.refused) == 25
