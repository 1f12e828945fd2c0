"""Other languages' programs. A test that needs one is skipped where it is missing, and fails in CI."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNWANTED = shutil.ignore_patterns("node_modules", "pacts", "target", "__pycache__")


def require(*programs: str) -> None:
    """Skip the test, or fail it in CI, unless all programs are installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        unavailable(f"{' and '.join(missing)} not found on this machine")


def unavailable(reason: str) -> None:
    """Skip the test, or fail it in CI."""
    outcome = pytest.fail if os.environ.get("CI") in {"true", "1"} else pytest.skip
    raise outcome.Exception(reason, pytrace=False)


def installed(example: str, *command: str, source: Path = ROOT / "examples", path: str | None = None) -> Path:
    """Install what an example needs from its language's registry, in a folder that is kept below `.venv`.

    Its path is always the same, so that compilers find what they have compiled before. `source` is the folder with the
    example, and `path` the variable PATH for the command.
    """
    environment = os.environ | ({"PATH": path} if path else {})
    folder = ROOT / ".venv" / "clients" / example
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{example}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.copytree(source / example, folder, ignore=UNWANTED, dirs_exist_ok=True)
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=600, check=False, env=environment
        )
    if done.returncode:
        unavailable(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-500:]}")
    return folder


def copied(example: str, folder: Path) -> Path:
    """Copy an example to a folder of the test's own."""
    return Path(shutil.copytree(ROOT / "examples" / example, folder / example, ignore=UNWANTED))
