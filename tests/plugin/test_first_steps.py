"""The pages about the first steps of a consumer and a provider, step by step as they are written."""

import os
import re
import shlex
from pathlib import Path

import pytest

from tests.plugin.conftest import WITHOUT
from tests.whole import servers

pytestmark = pytest.mark.slow  # the other files of this folder have the same steps one by one

DOCS = Path(__file__).parents[2] / "docs"
CONSUMER = (DOCS / "getting-started-consumer.md").read_text("utf-8")
PROVIDER = (DOCS / "getting-started-provider.md").read_text("utf-8")


def python_in(page):
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    return code


def command_in(page, beginning, **values):
    """Return the words of the first command of a page that begins so, with the values of its variables."""
    line = next(line for line in page.splitlines() if line.startswith(beginning))
    for name, value in values.items():
        line = line.replace(f'"${name}"', value)
    return shlex.split(line)


@pytest.fixture
def step(pytester, tmp_path):
    with servers.running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", cwd=tmp_path) as server:
        environ = {**os.environ, "HOME": str(pytester.path), "PACT_BROKER_BASE_URL": server.address}

        def step(words, code=0):
            more = [*WITHOUT, "-Wignore::pytest.PytestAssertRewriteWarning"] if words[0] == "pytest" else []
            done = servers.run_in(pytester.path, [*words, *more], environ)
            assert done.returncode == code, done.stdout + done.stderr
            return done.stdout + done.stderr

        yield step


def test_the_steps_of_both_pages_end_with_a_yes(step, pytester):
    pytester.makefile(".ini", pytest="[pytest]\n")
    consumer = pytester.makepyfile(test_consumer=python_in(CONSUMER))
    step(["pytest", "--publish-pact", "c1", "--pact-branch", "main"])
    assert (pytester.path / "pacts/web_shop-prices.json").exists()
    step(command_in(CONSUMER, "pact-broker create-environment"))
    question = [
        word
        for word in command_in(CONSUMER, "pact-broker can-i-deploy", COMMIT="c1")
        if not word.startswith("--retry") and not word.isdigit()
    ]
    assert "no build has published anything" in step(question, code=1)

    consumer.unlink()
    pytester.makepyfile(test_provider=python_in(PROVIDER))
    step(command_in(PROVIDER, "pytest --provider-version", COMMIT="p1", BRANCH="main"))
    for command in ("can-i-deploy", "record-deployment"):
        step(command_in(PROVIDER, f"pact-broker {command}", COMMIT="p1"))
    step(question)
    step(command_in(CONSUMER, "pact-broker record-deployment", COMMIT="c1"))
