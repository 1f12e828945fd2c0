"""The image of the Dockerfile, built without a registry, and containers of it with a root that cannot be written.

buildah runs the instructions of the Dockerfile. The base image is the exception, since registries have it: here it is
built from programs of this machine, with the Python that runs the tests.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from tests.absence import require, unavailable
from tests.docs.generated import ROOT

_PATH: Final = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS: Final = ("chmod", "env", "install", "mkdir", "rm", "sh", "touch", "useradd")
_LIBRARIES: Final = ("libdl.so.2", "libgcc_s.so.1", "libpthread.so.0", "librt.so.1", "libstdc++.so.6", "libutil.so.1")
"""Libraries of the base image that no program of it needs, but packages for Python do."""
_FILES: Final = ("/etc/login.defs", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt")
_ACCOUNTS: Final = {"passwd": "root:x:0:0:root:/root:/bin/sh", "group": "root:x:0:", "shadow": "root:*:1::::::"}
_NOT_COPIED: Final = shutil.ignore_patterns(
    "site-packages", "test", "idlelib", "tkinter", "__pycache__", "*.a", "share"
)
_LIBRARY: Final = re.compile(r"(/\S+)(?: \(0x)")


class Image:
    """A built image: its root folder and its configuration."""

    def __init__(self, root: Path, config: Mapping[str, Any]) -> None:
        self.root = root
        self.config = config

    @contextmanager
    def run(
        self, *words: str, data: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Run a command in a container, or that of the image, until the block ends.

        The root cannot be written, apart from /tmp and the volume, which is the folder `data`. The user is the image's.
        """
        variables = dict(entry.split("=", 1) for entry in self.config["Env"])
        command = list(words) or self.config["Cmd"]
        process = subprocess.Popen(
            ["unshare", "--mount", "--fork", "--kill-child", "sh", "-euc", self._script(data), "sh", *command],
            env={**variables, **(environ or {}), "CONTAINER": str(self.root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            # The whole group: the change of the user cancels `--kill-child`, so that a server would go on running.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    def call(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command in a container to its end."""
        with self.run(*words, **options) as process:
            output, _ = process.communicate()
        return subprocess.CompletedProcess(words, process.returncode, output)

    def _script(self, data: Path | None) -> str:
        (volume,) = self.config["Volumes"]
        mounts = [
            'mount --bind "$CONTAINER" "$CONTAINER"',
            *([f'mount --bind {data} "$CONTAINER{volume}"'] if data else []),
            'mount -o remount,ro,bind "$CONTAINER"',
            'mount -t tmpfs -o mode=1777 tmpfs "$CONTAINER/tmp"',
            'mount --rbind /dev "$CONTAINER/dev"',
        ]
        user, folder = self.config["User"], self.config["WorkingDir"]
        start = f'exec chroot --userspec={user}:0 "$CONTAINER" env -u CONTAINER -C {folder} "$@"'
        return "\n".join([*mounts, start])


def require_builder() -> None:
    """Skip the test, or fail it in CI, where no image can be built."""
    require("buildah", "unshare", "chroot", "ldd")
    if os.geteuid() != 0:
        unavailable("building an image without a container engine requires root")


@contextmanager
def built(folder: Path) -> Iterator[Image]:
    """Build the image with the storage of buildah in a folder, and mount it."""
    text = (ROOT / "Dockerfile").read_text("utf-8")
    base = re.findall(r"^FROM (\S+)", text, re.MULTILINE)[0]
    (version,) = re.findall(r"^ARG PYTHON=(\S+)", text, re.MULTILINE)
    builder = _Builder(folder)
    _make_base(folder / "base")
    try:
        builder.commit(folder / "base", base.replace("${PYTHON}", version))
        builder.call("bud", "--pull-never", "--format", "docker", "--tag", "treaty", str(ROOT))
        container = builder.call("from", "--pull-never", "localhost/treaty").strip()
        root = Path(builder.call("mount", container).strip())
        inspected = json.loads(builder.call("inspect", "--type", "image", "localhost/treaty"))
        yield Image(root, inspected["Docker"]["config"])
    finally:
        builder.call("rm", "--all")
        shutil.rmtree(folder)  # hundreds of megabytes


class _Builder:
    """buildah with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._driver = "overlay"
        if subprocess.run(self._words("from", "scratch"), capture_output=True, check=False).returncode != 0:
            self._driver = "vfs"  # slower, but without requirements

    def _words(self, command: str, *words: str) -> list[str]:
        storage = [f"--root={self._folder / self._driver}", f"--runroot={self._folder / 'run'}"]
        isolation = ["--isolation=chroot"] if command in {"bud", "from"} else []
        return ["buildah", *storage, f"--storage-driver={self._driver}", command, *isolation, *words]

    def call(self, command: str, *words: str) -> str:
        done = subprocess.run(self._words(command, *words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def commit(self, root: Path, name: str) -> None:
        container = self.call("from", "scratch").strip()
        self.call("add", container, str(root), "/")
        self.call("config", "--env", f"PATH={_PATH}", container)
        self.call("commit", "--rm", container, name)


def _make_base(root: Path) -> None:
    """Build the base image with the parts that the Dockerfile needs: a shell, a few programs, and Python with pip."""
    for name in _PROGRAMS:
        program = shutil.which(name, path=_PATH)
        assert program is not None, name
        _copy(root, Path("/bin/sh") if name == "sh" else Path(program))
    for file in _FILES:
        _copy(root, Path(file))
    for name in _LIBRARIES:
        _copy(root, _find_library(name))
    _copy_python(root)
    for name, line in _ACCOUNTS.items():
        (root / "etc" / name).write_text(line + "\n")
    (root / "etc/pip.conf").write_text(_pip_settings())
    for folder in ("tmp", "dev", "proc", "sys", "root", "run", "var/lib"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)


def _copy_python(root: Path) -> None:
    prefix, program = Path(sys.base_prefix), Path(sys.executable).resolve()
    shutil.copytree(prefix, root / prefix.relative_to("/"), symlinks=True, ignore=_NOT_COPIED)
    library = Path(sysconfig.get_path("stdlib", vars={"installed_base": str(prefix), "base": str(prefix)}))
    for file in (program, *(library / "lib-dynload").glob("*.so")):
        _copy_libraries(root, file)
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/python").symlink_to(program)


def _pip_settings() -> str:
    """Return the package index of this machine and its authority, as base images of companies have them."""
    values = {"cert": os.environ.get("PIP_CERT"), "index-url": os.environ.get("PIP_INDEX_URL")}
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in values.items() if value), ""])


def _find_library(name: str) -> Path:
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True, env={"PATH": _PATH})
    lines = [line.strip() for line in listed.stdout.splitlines()]
    return next(Path(line.split("=> ")[1]) for line in lines if line.startswith(f"{name} "))


def _copy(root: Path, path: Path) -> None:
    target = root / path.relative_to("/")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path.resolve(), target)
        _copy_libraries(root, path)


def _copy_libraries(root: Path, path: Path) -> None:
    listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    for library in _LIBRARY.findall(listed.stdout):
        _copy(root, Path(library))
