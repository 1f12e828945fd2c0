"""Reads the steps of the tour in the README, and runs them."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.docs.generated import ROOT
from tests.waiting import PATIENCE

README: Final = ROOT / "README.md"
ADDRESS: Final = "http://127.0.0.1:9292"
_TOUR: Final = re.compile(r"^## A tour .*?(?=^## )", re.MULTILINE | re.DOTALL)
_STEP: Final = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_MARK: Final = "--- end of step:"
_VOLATILE: Final = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\d+ms\b"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "<minute>"),
    (re.compile(r"(?<=/verification-results/)\d+"), "<number>"),
    (re.compile(r"(?<=/metadata/)\w+"), "<metadata>"),
    (re.compile(r"(?<=/setup#)\S+"), "<secret>"),
    (re.compile(r"(?<= Its data is in )\S+"), "<file>"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)


@dataclass(frozen=True, slots=True)
class Step:
    """Commands, their output if the README shows it, and the exit code of the last command."""

    commands: str
    printed: str | None
    status: int = 0


def steps() -> list[Step]:
    """Read the tour's steps; the first starts the server."""
    (tour,) = _TOUR.findall(README.read_text("utf-8"))
    return [Step(commands, printed or None) for commands, printed in _STEP.findall(tour)]


def take(commands: list[str], address: str, folder: Path) -> list[Step]:
    """Run commands one after the other in one shell, as a reader of the tour does."""
    (folder / ".venv").symlink_to(sys.prefix)
    script = folder / "tour.sh"
    script.write_text("".join(f"{each}\nprintf '\\n{_MARK} %s\\n' $?\n" for each in commands).replace(ADDRESS, address))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PACT_")}
    run = subprocess.run(
        ["bash", str(script)],
        cwd=folder,
        env=clean,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    *printed, _ = re.split(rf"\n{_MARK} (\d+)\n", run.stdout.replace(address, ADDRESS))
    return [
        Step(each, text, int(status)) for each, text, status in zip(commands, printed[::2], printed[1::2], strict=True)
    ]


def settled(text: str) -> str:
    """Replace the parts of a text that differ in each run."""
    for pattern, replacement in _VOLATILE:
        text = pattern.sub(replacement, text)
    return text.strip("\n")
