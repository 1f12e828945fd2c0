"""Texts tell people to install our distribution, never the unrelated project called `treaty` on the package index."""

import re
import subprocess

import pytest

from tests.docs.generated import ROOT
from treaty import distribution

INSTALLER = re.compile(r"\b(?:pip3? install|uv add|uv tool install|pipx (?:install|run)|uvx|--with)\b([^\n`]*)")
REQUIREMENT = re.compile(r"(?<![\w./@$-])(treaty[\w.-]*)", re.IGNORECASE)
BINARY = {".sqlite3", ".png", ".ico", ".woff2", ".lock", ".json"}


def foreign_packages(text):
    """List the packages in installation commands whose names start with `treaty` and are not ours."""
    requirements = [REQUIREMENT.findall(arguments.partition(" #")[0]) for arguments in INSTALLER.findall(text)]
    return [name for names in requirements for name in names if name != distribution.NAME]


def tracked_texts():
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    own = "tests/docs/test_installation_texts.py"
    return [ROOT / name for name in names if name != own and (ROOT / name).suffix not in BINARY]


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("pip install treaty", ["treaty"]),
        ("- run: pip install 'treaty[server]'", ["treaty"]),
        ("uv tool install treaty-server", ["treaty-server"]),
        ("pip install -U pytest treaty", ["treaty"]),
        ("pip install 'treaty-pact[server]'", []),
        ("pip install /usr/src/treaty", []),
        ("pip install '.[server]'", []),
    ],
)
def test_a_foreign_package_in_a_command_is_recognized(text, packages):
    assert foreign_packages(text) == packages


def test_texts_install_our_packages_only():
    files = [file for file in tracked_texts() if file.is_file()]
    assert len(files) > 100
    packages_by_file = {str(file.relative_to(ROOT)): foreign_packages(file.read_text("utf-8")) for file in files}
    assert {name: packages for name, packages in packages_by_file.items() if packages} == {}


def test_no_list_of_requirements_names_a_package_that_is_not_ours():
    lists = [file for file in tracked_texts() if file.name.startswith("requirements") and file.suffix == ".txt"]
    assert lists
    names = {name for file in lists for name in re.findall(r"^treaty[\w.-]*", file.read_text("utf-8"), re.MULTILINE)}
    assert names <= {distribution.NAME}
