"""The image: built by its Dockerfile, it serves as a user without rights, with a root that cannot be written."""

import json
import os
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.deploy.images import Image, built, require_builder
from tests.docs.generated import ROOT
from tests.waiting import PATIENCE, eventually
from tests.whole import writers

LOCKS: Final = ("server.lock", "build.lock")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    require_builder()
    with built(tmp_path_factory.mktemp("image")) as image:
        yield image


def locked(file: Path) -> set[tuple[str, str]]:
    pins = re.findall(r"^([\w.-]+)==([\w.]+)", file.read_text("utf-8"), re.MULTILINE)
    return {(normalized(name), version) for name, version in pins}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_the_image_has_the_versions_that_the_tests_run_with(name):
    packages = locked(ROOT / "deploy" / name)
    assert len(packages) > 10
    assert packages <= locked(ROOT / "requirements.lock")


@pytest.mark.slow
@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_package_of_the_image_is_built_for_its_machines(name, machine, tmp_path):
    options = ["--dry-run", "--quiet", "--native-tls", "--only-binary", ":all:", "--require-hashes"]
    platform = ["--python-platform", f"{machine}-manylinux_2_28", "--python-version", "3.13", "--target", str(tmp_path)]
    index = {"UV_DEFAULT_INDEX": os.environ["PIP_INDEX_URL"]} if "PIP_INDEX_URL" in os.environ else {}
    program = Path(sys.executable).with_name("uv")
    words = [program, "pip", "install", *options, *platform, "-r", ROOT / "deploy" / name]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **index})
    assert done.returncode == 0, done.stderr


@pytest.mark.slow  # one test, since building the image takes most of the time
def test_a_container_without_rights_publishes_and_decides(image, tmp_path):
    data, port = tmp_path / "data", free_port()
    data.mkdir(mode=0o700)
    os.chown(data, 1001, 0)
    environ = {"PACT_BROKER_PORT": port, "TREATY_OPEN_ACCESS": "true"}
    assert image.call("is-alive", environ=environ).returncode == 1
    with image.run(data=data, environ=environ):
        address = f"http://127.0.0.1:{port}"
        eventually(lambda: is_ready(address))
        assert image.call("is-alive", environ=environ).returncode == 0
        answer = httpx.post(f"{address}/contracts/publish", json=writers.body("Shop", "1", "Prices"), timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        question = "q[][pacticipant]=Shop&q[][version]=1&latestby=cvp&latest=true"
        answer = httpx.get(f"{address}/matrix?{question}", timeout=PATIENCE)
        assert answer.json()["summary"]["deployable"] is None
        cleaning = image.call("clean", "--dry-run", data=data)
        assert cleaning.returncode == 0, cleaning.stdout
    owners = {(path.stat().st_uid, path.stat().st_mode & 0o077) for path in data.iterdir()}
    assert owners == {(1001, 0)}
    check_configuration(image)
    check_rights(image)
    check_packages(image)
    check_files(image, tmp_path)


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/diagnostic/status/ready", timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def check_configuration(image: Image) -> None:
    config = image.config
    assert (config["User"], list(config["ExposedPorts"]), config["WorkingDir"]) == (
        "1001",
        ["9292/tcp"],
        "/var/lib/treaty",
    )
    assert config["Healthcheck"]["Test"] == ["CMD", "is-alive"]
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "Treaty"
    assert labels["org.opencontainers.image.licenses"] == "MIT"
    assert f'version = "{labels["org.opencontainers.image.version"]}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def check_rights(image: Image) -> None:
    assert image.call("touch", "/opt/treaty/x").returncode != 0
    assert image.call("touch", "/tmp/x").returncode == 0  # noqa: S108 - of the container
    writable = [
        path
        for path in (image.root / "opt").rglob("*")
        if not path.is_symlink() and (path.stat().st_uid == 1001 or path.stat().st_mode & 0o022)
    ]
    assert writable == []


def check_packages(image: Image) -> None:
    """Check that the list of packages in the image is complete: the lock file's packages, and Treaty."""
    bom = json.loads((image.root / "opt/treaty/share/sbom/treaty.cdx.json").read_text("utf-8"))
    listed = {(normalized(part["name"]), part["version"]) for part in bom["components"]}
    assert bom["metadata"]["component"]["name"] == "treaty-pact"
    assert {package for package in listed if package[0] != "treaty-pact"} <= locked(ROOT / "deploy" / "server.lock")
    folders = [path.name for path in (image.root / "opt/treaty/lib").rglob("*.dist-info")]
    assert {normalized(name.partition("-")[0]) for name in folders} == {name for name, _ in listed} | {"treaty-pact"}


def check_files(image: Image, folder: Path) -> None:
    """Check that the image has all files of the wheel: one that the build is not given would be missing silently."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if name.startswith("treaty/")}
    (package,) = (image.root / "opt/treaty/lib").glob("*/site-packages/treaty")
    assert files == {
        str(path.relative_to(package.parent))
        for path in package.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
