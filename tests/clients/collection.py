"""Prints the declarations of the tests of the clients, as JSON: client, feature, and way to the broker.

A process of its own collects the tests as `./run test --long` does, so that the ways are those on which they run.
"""

import json
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Final

import pytest

from tests.clients.registry import declared_by

_FOLDER: Final = Path(__file__).parent


def declarations() -> list[tuple[str, str, str]]:
    """List the client, the feature and the way of each declaration."""
    command = [sys.executable, "-m", "tests.clients.collection"]
    done = subprocess.run(command, cwd=_FOLDER.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [(client, feature, way) for client, feature, way in json.loads(done.stdout)]


class _Collected:
    def __init__(self) -> None:
        self.declarations: list[tuple[str, str, str]] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            if isinstance(item, pytest.Function) and "broker" in item.fixturenames:
                declared = declared_by(item)
                way = str(item.callspec.params["broker"])
                self.declarations += [(declared.client.name, feature.name, way) for feature in declared.features]


def main() -> int:
    collected = _Collected()
    options = ["--collect-only", "--long", "-q", "-p", "no:cacheprovider", "-n", "0", str(_FOLDER)]
    with redirect_stdout(sys.stderr):
        status = pytest.main(options, plugins=[collected])
    print(json.dumps(collected.declarations))  # noqa: T201 - a program
    return status


if __name__ == "__main__":
    sys.exit(main())
