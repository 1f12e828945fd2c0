"""Reads the steps of the tour in the README, and runs them."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.docs.generated import ROOT
from tests.waiting import PATIENCE

README: Final = ROOT / "README.md"
ADDRESS: Final = "http://127.0.0.1:9292"
START: Final = "./run serve"
OMITTED: Final = "\N{HORIZONTAL ELLIPSIS}"
"""A line that stands for others, which the README leaves out."""
_TOUR: Final = re.compile(r"\A.*?(?=^## Installing)", re.MULTILINE | re.DOTALL)
_STEP: Final = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
_LEFT: Final = shutil.ignore_patterns("pacts", "__pycache__", ".pytest_cache")
_MARK: Final = "--- end of step:"
_VOLATILE: Final = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\d+ms\b"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"), "<minute>"),
    (re.compile(r"(?<=/verification-results/)\d+"), "<number>"),
    (re.compile(r"(?<=/metadata/)\w+"), "<metadata>"),
    (re.compile(r"(?<=/decisions/)[0-9a-f-]{36}"), "<uuid>"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)


@dataclass(frozen=True, slots=True)
class Step:
    """Commands, their output if the README shows it, and the exit code of the last command."""

    commands: str
    printed: str | None
    status: int = 0


def steps() -> list[Step]:
    """Read the steps of the tour. The first command starts the server, which the tests do themselves."""
    (tour,) = _TOUR.findall(README.read_text("utf-8"))
    (start, printed), *others = _STEP.findall(tour)
    first, _, rest = start.partition("\n")
    assert first.split("#")[0].strip() == START, first
    return [Step(commands, printed or None) for commands, printed in ((rest, printed), *others)]


def take(commands: list[str], address: str, folder: Path) -> list[Step]:
    """Run commands one after the other in one shell, as a reader of the tour does."""
    (folder / ".venv").symlink_to(sys.prefix)
    shutil.copytree(ROOT / "examples" / "tour", folder / "examples" / "tour", ignore=_LEFT)
    script = folder / "tour.sh"
    script.write_text("".join(f"{each}\nprintf '\\n{_MARK} %s\\n' $?\n" for each in commands).replace(ADDRESS, address))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PACT_", "PYTEST_"))}
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


def is_shown(shown: str, printed: str) -> bool:
    """Whether a command printed the lines of the README, except those that an ellipsis replaces."""
    lines = [r"(?:.*\n)*" if line == OMITTED else f"{re.escape(line)}\n" for line in settled(shown).split("\n")]
    return re.fullmatch("".join(lines), f"{settled(printed)}\n") is not None
