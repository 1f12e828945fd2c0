"""A test whose program is missing is skipped with a message, and fails in CI."""

import re
from pathlib import Path

import pytest

TEST = """
    from tests.absence import require

    def test_that_needs_programs():
        require("sh", "no-such-compiler", "no-such-linker")
        raise AssertionError("never reached")
"""
REASON = "no-such-compiler and no-such-linker not found on this machine"


@pytest.mark.parametrize(("variable", "outcome"), [("", "skipped"), ("true", "failed"), ("1", "failed")])
def test_a_missing_program_is_reported_with_its_name(pytester, monkeypatch, variable, outcome):
    monkeypatch.setenv("CI", variable)
    pytester.makepyfile(TEST)
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-ra")
    done.assert_outcomes(**{outcome: 1})
    done.stdout.fnmatch_lines([f"{outcome.upper()}*{REASON}*"])


def test_no_other_module_decides_about_missing_programs():
    folder = Path(__file__).parent
    own = {Path(__file__), folder / "absence.py"}
    deciding = [path for path in folder.rglob("*.py") if path not in own and is_deciding(path.read_text("utf-8"))]
    assert deciding == [], "use tests/absence.py"


def is_deciding(text: str) -> bool:
    return re.search(r"environ.*['\"]CI['\"]|skipif\(.*which\(", text) is not None
