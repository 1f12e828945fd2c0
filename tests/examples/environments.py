"""An environment for each example, as its user makes it: its requirements, with this working tree's Treaty as a wheel.

They are kept below `.venv`, and created again when the requirements, the lock file or Treaty have changed.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from treaty import distribution

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".venv" / "examples"
_UV: Final = Path(sys.executable).with_name("uv")
_MADE_OF: Final = ("pyproject.toml", "requirements.lock", "README.md", "LICENSE")


def programs(example: str, requirements: str | None = None) -> Path:
    """Give the folder of the programs in an example's environment; make it if need be."""
    required = requirements or _requirements(ROOT / "examples" / example / "requirements.txt")
    with _alone():
        wheel = _wheel()
        folder = FOLDER / example
        ingredients = f"{sys.version}\n{wheel.parent.name}\n{required}"
        stamp = folder / "made-of"
        if not stamp.exists() or stamp.read_text("utf-8") != ingredients:
            _make(folder, required, wheel)
            stamp.write_text(ingredients, encoding="utf-8")
    return folder / "bin"


def _requirements(file: Path) -> str:
    """Read the requirements of an example, with the wheel in place of the working tree."""
    return file.read_text("utf-8").replace("../..[", f"{distribution.NAME}[")


@contextmanager
def _alone() -> Iterator[None]:
    """Let no other worker of the run make environments meanwhile."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _wheel() -> Path:
    """Build Treaty as it is now, unless that was done."""
    folder = FOLDER / "wheels" / _state()
    if not list(folder.glob("*.whl")):
        shutil.rmtree(folder.parent, ignore_errors=True)
        _call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (wheel,) = folder.glob("*.whl")
    return wheel


def _state() -> str:
    files = [ROOT / name for name in _MADE_OF] + sorted((ROOT / "src").rglob("*"))
    state = hashlib.sha256()
    for file in files:
        if file.is_file() and file.suffix != ".pyc":
            state.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return state.hexdigest()[:20]


def _make(folder: Path, required: str, wheel: Path) -> None:
    _call(_UV, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
    (folder / "requirements.txt").write_text(required, encoding="utf-8")
    (folder / "constraints.txt").write_text(_constraints(wheel), encoding="utf-8")
    install = (_UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python")
    _call(*install, "--requirements", folder / "requirements.txt", "--constraints", folder / "constraints.txt")


def _constraints(wheel: Path) -> str:
    """Take the requirements of the lock file, without hashes: a wheel that was just built has none."""
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    locked = [line.removesuffix("\\").strip() for line in lines if line and not line.startswith((" ", "#"))]
    return "\n".join([*locked, f"{distribution.NAME} @ {wheel.as_uri()}", ""])


def _call(*words: str | Path) -> None:
    done = subprocess.run(words, cwd=ROOT, env=_environ(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _environ() -> dict[str, str]:
    """Let uv use the index of pip, because it does not read pip's settings."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    if "PIP_INDEX_URL" in environ:
        environ.setdefault("UV_DEFAULT_INDEX", environ["PIP_INDEX_URL"])
    return environ
