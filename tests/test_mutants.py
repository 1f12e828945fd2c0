"""Which mutants `./run mutants` tests, and how it puts them into the sources."""

from pathlib import Path

import pytest

from tests.mutant_runs import ROOT, Outcome, copy_sources, replaced, run_tests
from tests.mutants import SOURCES, Mutant, imports, load_exclusions


def test_every_exclusion_has_a_reason_and_is_about_a_file_that_exists() -> None:
    exclusions = load_exclusions()
    files = exclusions.files | {file for file, _ in exclusions.lines}
    assert [file for file in files if not (ROOT / SOURCES / file).exists()] == []


def test_each_text_of_a_file_has_a_time_of_its_own_so_that_python_compiles_it_again(tmp_path: Path) -> None:
    path = tmp_path / "rules.py"
    path.write_text("a == b")
    original = path.stat().st_mtime
    times = {int(original)}
    for text in ("a != b", "a <= b"):
        with replaced(path, text):
            assert path.read_text() == text
            times.add(int(path.stat().st_mtime))
    assert len(times) == 3
    assert (path.read_text(), path.stat().st_mtime) == ("a == b", original)


@pytest.mark.parametrize(
    ("text", "is_valid"), [("x = 1\nif x == 2:\n    x = 3\n", True), ("if y := x == 2:\n    x = 3\n", False)]
)
def test_mutants_that_are_no_programs_are_left_out(tmp_path, text, is_valid):
    (tmp_path / "rules.py").write_text(text)
    mutant = Mutant(tmp_path / "rules.py", "core/AddNot", 0, 1)
    assert mutant.is_valid is is_valid


@pytest.mark.parametrize(
    ("text", "is_import"),
    [
        ("from treaty.model.names import check_name", True),
        ("from treaty.model import names", True),
        ("from treaty.model import paging", False),
        ("from treaty.model.names_of_others import x", False),
    ],
)
def test_tests_that_import_from_a_file_are_found(tmp_path, text, is_import):
    (tmp_path / "test_names.py").write_text(f"import json\n{text}\n")
    mutant = Mutant(SOURCES / "model" / "names.py", "core/AddNot", 0, 1)
    assert imports(tmp_path / "test_names.py", mutant.module) is is_import


def test_a_mutant_that_no_test_can_import_does_not_survive(tmp_path: Path) -> None:
    folder = copy_sources(tmp_path)
    tests = ["tests/model/test_version.py::test_what_is_no_number_has_no_precedence"]
    with replaced(folder / SOURCES / "model" / "versions.py", "1 < ''"):
        outcome = run_tests(folder, tests, seed=1, stops_at_failure=True)
    assert outcome.error
    assert run_tests(folder, tests, seed=1, stops_at_failure=True) == Outcome()
