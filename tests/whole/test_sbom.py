"""`./run sbom`: the packages that a server consists of."""

import json
import re
import subprocess

import pytest

from tests.docs.generated import ROOT


def locked_versions():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    # Some packages have another version for each version of Python.
    return {(normalize(name), version) for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE)}


def normalize(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.slow  # installs the packages of a server
def test_it_lists_the_locked_packages_of_a_server_and_no_others(tmp_path):
    file = tmp_path / "treaty.cdx.json"
    subprocess.run([ROOT / "run", "sbom", file.name], cwd=tmp_path, check=True)
    text = file.read_text("utf-8")
    bom = json.loads(text)
    versions = {normalize(component["name"]): component["version"] for component in bom["components"]}
    assert (bom["bomFormat"], bom["metadata"]["component"]["name"]) == ("CycloneDX", "treaty-pact")
    assert versions.items() <= locked_versions()
    assert {"starlette", "sqlalchemy", "cryptography", "click", "h11"} <= versions.keys()
    assert versions.keys().isdisjoint({"pytest", "mypy", "pip", "uv", "pact-python", "cyclonedx-bom"})
    (root,) = [each["dependsOn"] for each in bom["dependencies"] if each["ref"] == "root-component"]
    assert any(reference.startswith("starlette==") for reference in root)
    # The same lock file gives the same text, on every machine and at any time.
    assert "serialNumber" not in bom
    assert "timestamp" not in bom["metadata"]
    assert str(ROOT) not in text
    assert str(tmp_path.parent) not in text
