"""An example's environment contains exactly the packages that its user would have."""

import subprocess
from pathlib import Path

import pytest

from tests.examples import environments
from tests.whole import servers
from treaty import distribution
from treaty.distribution import install_hint

pytestmark = pytest.mark.slow  # each project has an environment of its own


def installed(example):
    python = environments.programs(example) / "python"
    code = "from importlib.metadata import distributions as d; print(*{one.name.lower() for one in d()}, sep='\\n')"
    return set(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_an_example_has_only_its_own_requirements():
    packages = installed("message")
    assert {distribution.NAME, "pytest", "pact-python"} <= packages
    assert not packages & {"sqlalchemy", "flask", "hypothesis", "schemathesis", "pytest-xdist"}


def test_treaty_is_there_as_a_wheel_of_this_working_tree():
    programs = environments.programs("message")
    code = "import treaty.cli; print(treaty.cli.__file__)"
    location = subprocess.run([programs / "python", "-c", code], capture_output=True, text=True, check=True).stdout
    assert location.startswith(str(programs.parent))
    text = (environments.ROOT / "src/treaty/cli/__init__.py").read_text("utf-8")
    assert Path(location.strip()).read_text("utf-8") == text


@pytest.mark.parametrize("words", [["serve"], ["doctor"]])
def test_without_the_servers_packages_a_command_prints_how_to_install_them(tmp_path, words):
    programs = environments.programs("message")
    done = subprocess.run([programs / "treaty", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"treaty {words[0]} needs the server's packages: {install_hint('server')}\n"


def test_the_client_alone_sends_requests_to_a_broker(tmp_path):
    programs = environments.programs("message")
    with servers.running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", cwd=tmp_path) as server:
        command = [str(programs / "pact-broker"), "list-environments", "-b", server.address, "-o", "json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, '"environments"' in done.stdout) == (0, True), done.stderr
