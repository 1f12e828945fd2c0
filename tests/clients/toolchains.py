"""Installing the packages of examples and tests in other languages, below `.venv`."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tests.absence import require, unavailable

__all__ = [
    "copied",
    "installed",
    "installed_crates",
    "installed_packages",
    "newest_node",
    "pacts_of_crate",
    "require",
    "unavailable",
]

ROOT: Final = Path(__file__).parents[2]
UNWANTED: Final = shutil.ignore_patterns("node_modules", "pacts", "target", "__pycache__")
MAVEN: Final = (
    *("mvn", "-q", "-B", "test", "-Dtest=ConsumerTest"),
    *("dependency:build-classpath", "-Dmdep.outputFile=classpath.txt"),
)
"""Downloads all that the example for the JVM needs, and writes its class path."""
_GENTLY: Final = ("nice", "-n", "15")
_FAILED: Final = 101
"""The exit code of Cargo if a test has failed."""
_BUILD: Final = 3 * 60 * 60
"""Seconds that a build of many crates may take."""
_CLIENTS: Final = ROOT / ".venv" / "clients"
_PACKAGES: Final = ROOT / "tests" / "clients" / "packages"
_UV: Final = Path(sys.executable).with_name("uv")


def installed(
    example: str, *command: str, source: Path | None = None, environ: Mapping[str, str] = MappingProxyType({})
) -> Path:
    """Install the packages of an example, or another folder, from its language's registry, in a folder below `.venv`.

    The command runs again only if a file of the example or the command has changed. The path is always the same, so
    that compilers find their earlier output.
    """
    source, folder = source or ROOT / "examples" / example, _CLIENTS / example
    with _alone(example), _once(folder, _state(source, *command)) as is_missing:
        if is_missing:
            shutil.copytree(source, folder, ignore=UNWANTED, dirs_exist_ok=True)
            _call(*command, cwd=folder, environ=environ)
    return folder


def newest_node() -> Path:
    """Install the clients that need a newer Node than many machines have, with such a Node; return `node_modules`.

    Scripts of the packages are not run: these clients need none.
    """
    require("npm")
    command = ("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts")
    modules = installed("node", *command, source=_PACKAGES / "node") / "node_modules"
    if not (modules / ".bin" / "node").exists():
        unavailable("npm has no package of Node for this machine")
    return modules


def installed_packages(name: str) -> Path:
    """Install the Python packages of `packages/NAME.txt` in an environment, and return the folder of its programs."""
    requirements, folder = _PACKAGES / f"{name}.txt", _CLIENTS / f"python-{name}"
    with _alone(folder.name), _once(folder, f"{sys.version} {requirements.read_text('utf-8')}") as is_missing:
        if is_missing:
            _call(str(_UV), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder), cwd=ROOT)
            install = (str(_UV), "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"))
            _call(*install, "--requirements", str(requirements), cwd=ROOT)
    return folder / "bin"


def installed_crates() -> Path:
    """Build the programs of `packages/crates.toml` from crates.io, and return their folder.

    The first time takes half an hour, on one core and with low priority, so that other tests can run.
    """
    manifest, folder = _PACKAGES / "crates.toml", _CLIENTS / "rust"
    require("cargo")
    with _alone("rust"), _once(folder, manifest.read_text("utf-8")) as is_missing:
        if is_missing:
            crates = [f"{name}@{version}" for name, version in _crates().items()]
            words = ("cargo", "install", "--debug", "--locked", "--jobs", "1", "--root", str(folder), *crates)
            _call(*_GENTLY, *words, cwd=ROOT, environ=_cargo_environ(), timeout=_BUILD)
    return folder / "bin"


def pacts_of_crate(name: str) -> Path:
    """Run the tests of a crate of `packages/crates.toml`, and return the folder of the pacts that they write.

    Building them takes as long as building the programs, whose compiled dependencies they share.
    """
    installed_crates()
    folder = _CLIENTS / "rust" / "tests" / name
    with _alone("rust"), _once(folder, (_PACKAGES / "crates.toml").read_text("utf-8")) as is_missing:
        if is_missing:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(_crate_source(name), folder)
            environ = {**_cargo_environ(), "PACT_OUTPUT_DIR": str(folder / "pacts")}
            words = ("cargo", "test", "--locked", "--jobs", "1", "--lib", "--bins")
            _call(*_GENTLY, *words, "--no-run", cwd=folder, environ=environ, timeout=_BUILD)
            # Some tests fail, since the crate lacks the responses that they read. The others write their pacts.
            _call(*_GENTLY, *words, "--no-fail-fast", cwd=folder, environ=environ, timeout=_BUILD, codes=(0, _FAILED))
    return folder / "pacts"


def _crate_source(name: str) -> Path:
    """Find the source of a crate that has been downloaded."""
    registry = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry" / "src"
    (source,) = registry.glob(f"*/{name}-{_crates()[name]}")
    return source


def _crates() -> dict[str, str]:
    """Read the versions of the crates."""
    dependencies = tomllib.loads((_PACKAGES / "crates.toml").read_text("utf-8"))["dependencies"]
    return {name: version.removeprefix("=") for name, version in dependencies.items()}


def _cargo_environ() -> dict[str, str]:
    """Return the variables that let all crates share compiled code, without information for debuggers."""
    environ = {"CARGO_TARGET_DIR": str(_CLIENTS / "rust" / "target"), "CARGO_PROFILE_DEV_DEBUG": "0"}
    # Compiling OpenSSL takes as long as all the rest.
    has_openssl = shutil.which("pkg-config") and not subprocess.call(["pkg-config", "--exists", "openssl"])
    return {**environ, "OPENSSL_NO_VENDOR": "1"} if has_openssl else environ


def copied(example: str, folder: Path) -> Path:
    """Copy an example to a folder of the test's own."""
    return Path(shutil.copytree(ROOT / "examples" / example, folder / example, ignore=UNWANTED))


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Keep other workers of the run from installing the same at the same time."""
    _CLIENTS.mkdir(parents=True, exist_ok=True)
    with (_CLIENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _once(folder: Path, state: str) -> Iterator[bool]:
    """Return whether a folder has not been installed from this state, and note that it has been after the block."""
    stamp = folder.with_name(f"{folder.name}.state")
    is_missing = not folder.is_dir() or not stamp.exists() or stamp.read_text("utf-8") != state
    yield is_missing
    stamp.write_text(state, encoding="utf-8")


def _state(source: Path, *command: str) -> str:
    """Identify the files and the command that something is installed from."""
    ignored = {"node_modules", "pacts", "target", "__pycache__"}
    files = [path for path in sorted(source.rglob("*")) if path.is_file() and not ignored & {*path.parts}]
    state = hashlib.sha256("\0".join(command).encode())
    for file in files:
        state.update(f"\0{file.relative_to(source)}\0".encode() + file.read_bytes())
    return state.hexdigest()


def _call(
    *command: str,
    cwd: Path,
    environ: Mapping[str, str] = MappingProxyType({}),
    timeout: int = 600,
    codes: Container[int] = (0,),
) -> None:
    environ = {**os.environ, **environ}
    if "PIP_INDEX_URL" in environ:  # uv does not read pip's settings
        environ.setdefault("UV_DEFAULT_INDEX", environ["PIP_INDEX_URL"])
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode not in codes:
        unavailable(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-500:]}")


def find_ruby_program(packages: str, name: str) -> str:
    """Find a program itself: the one of the same name that Python installs only starts it."""
    (path,) = installed_packages(packages).parent.glob(f"lib/*/site-packages/pact_cli/bin/{name}")
    return str(path)
