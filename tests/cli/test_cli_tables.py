"""Tables fit the terminal; in a pipe they are complete, since logs are searched."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.waiting import PATIENCE
from treaty.cli.tables import format_table

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

BIN = Path(sys.executable).parent
UUID = "16926ef3-590f-4e3f-838e-719717aa88c9"
HEADINGS = ("UUID", "NAME", "DISPLAY NAME")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
ROWS = st.lists(st.tuples(st.just(UUID), TEXTS, TEXTS), min_size=1, max_size=40)


@given(rows=ROWS, width=st.integers(20, 200))
def test_a_table_fits_its_width_and_keeps_uuids(rows: list[tuple[str, str, str]], width: int) -> None:
    table = format_table(HEADINGS, rows, whole={"UUID"}, width=width)
    lines = table.split("\n")
    assert table.count(UUID) >= len(rows)
    if " | " in lines[0]:
        assert {cell_len(line) for line in lines} == {cell_len(lines[0])}
        assert cell_len(lines[0]) <= width
        assert len(lines) == len(rows) + 2
    else:  # there is no room for a table: a paragraph for each row
        assert width < len(UUID) + 2 * len("...x") + 2 * len(" | ")
        assert sum(line.startswith("UUID") for line in lines) == len(rows)


@given(rows=ROWS)
def test_without_a_width_nothing_is_cut(rows: list[tuple[str, str, str]]) -> None:
    lines = format_table(HEADINGS, rows).split("\n")
    assert len(lines) == len(rows) + 2
    assert len({len(line) for line in lines}) == 1
    for row, line in zip(rows, lines[2:], strict=True):
        for text in row:
            if text.isprintable():
                assert text in line


def test_a_wide_terminal_shows_all() -> None:
    rows = [(UUID, "n" * 60, "d" * 60)]
    assert format_table(HEADINGS, rows, whole={"UUID"}, width=200) == format_table(HEADINGS, rows)


def test_line_breaks_and_escape_sequences_stay_in_their_cell() -> None:
    assert format_table(["NAME"], [["a\nb\x1b[31m"]]).split("\n")[2] == "a b [31m"


APPLICATIONS = [
    {"name": f"application-{number:02}-" + "\u5951\u7d04" * number, "displayName": "long " * number}
    for number in range(1, 41)
]
LIST = "GET /elsewhere/pacticipants"


def on_terminal(url: str, *words: str, **environment: str) -> list[str]:
    """Run a command on a terminal of 80 columns, and return its lines."""
    ours, theirs = pty.openpty()
    import fcntl  # noqa: PLC0415 - not on every system
    import struct  # noqa: PLC0415 - as above
    import termios  # noqa: PLC0415 - as above

    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [str(BIN / "pact-broker"), *words, "-b", url]
    env = {"PATH": "/usr/bin:/bin", "NO_COLOR": "1", "LANG": "C.UTF-8", "PYTHONUTF8": "1", **environment}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env=env) as process:
        os.close(theirs)
        chunks = []
        try:
            while chunk := os.read(ours, 65536):
                chunks.append(chunk)
        except OSError:  # the end of the terminal, on Linux
            pass
        process.wait(PATIENCE)
    os.close(ours)
    return b"".join(chunks).decode().splitlines()


@pytest.mark.parametrize(("environment", "width"), [({}, 80), ({"COLUMNS": "60"}, 60), ({"COLUMNS": "400"}, 400)])
def test_forty_applications_fit_the_terminal(broker: OtherBroker, environment: dict[str, str], width: int) -> None:
    broker.answer(LIST, {"_embedded": {"pacticipants": APPLICATIONS}})
    lines = on_terminal(broker.url, "list-pacticipants", **environment)
    assert len(lines) == 42
    assert max(map(cell_len, lines)) <= width
    assert len(set(map(cell_len, lines))) == 1
    assert ("..." in "".join(lines)) is (width < 400)


def test_a_pipe_has_complete_cells_whatever_the_width(run: Run, broker: OtherBroker) -> None:
    broker.answer(LIST, {"_embedded": {"pacticipants": APPLICATIONS}})
    result = run("list-pacticipants", COLUMNS="40")
    assert len(result.stdout.splitlines()) == 42
    for application in APPLICATIONS:
        assert application["name"] in result.stdout
        assert application["displayName"].strip() in result.stdout


def test_a_program_without_stdout_or_stderr_has_no_traceback(broker: OtherBroker, tmp_path: Path) -> None:
    """As in a job whose streams were closed."""
    broker.answer(LIST, {"_embedded": {"pacticipants": APPLICATIONS}})
    command = f"{BIN / 'pact-broker'} list-pacticipants -b {broker.url}"
    for closed, remaining in ((">&-", "2>"), ("2>&-", ">")):
        file = tmp_path / "output"
        subprocess.run(
            ["bash", "-c", f"{command} <&- {remaining}{file} {closed}"], check=True, env={"PATH": "/usr/bin:/bin"}
        )
        assert "Traceback" not in file.read_text()
