"""Which mutants `./run mutants` tests, and how it puts them into the sources."""

import ast
from pathlib import Path

import pytest

from tests import mutants
from tests.mutant_runs import ROOT, Outcome, copy_sources, replaced, run_tests
from tests.mutants import SOURCES, Mutant, Uses, find_definition, imports, load_exclusions


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
def test_mutants_with_invalid_syntax_are_left_out(tmp_path, text, is_valid):
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
    tests = ["tests/model/test_version.py::test_a_version_that_is_not_a_number_has_no_precedence"]
    with replaced(folder / SOURCES / "model" / "versions.py", "1 < ''"):
        outcome = run_tests(folder, tests, seed=1, stops_at_failure=True)
    assert outcome.error
    assert run_tests(folder, tests, seed=1, stops_at_failure=True) == Outcome()


@pytest.mark.parametrize(
    ("text", "line", "names"),
    [
        ("A = 1\nB = (\n    2,\n)\n", 1, {"A"}),
        ("A = 1\nB = (\n    2,\n)\n", 3, {"B"}),
        ("A: int = 1\n", 1, {"A"}),
        ("class C:\n    a = 1\n", 2, {"C", "a"}),
        ("def f(\n    a=1,\n):\n    return a\n", 2, {"f"}),
        ("def f(\n    a=1,\n):\n    return a\n", 4, None),
        ("class C:\n    def f(self):\n        A = 1\n", 3, None),
        ("if A:\n    B = 1\n", 2, {"B"}),
        ("if A:\n    B = 1\n", 1, set()),
    ],
)
def test_a_line_outside_of_functions_belongs_to_the_names_that_it_defines(text, line, names):
    assert find_definition(ast.parse(text), line) == names


def test_the_uses_of_a_constant_include_those_of_constants_of_the_same_file_that_are_made_of_it(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text("A = 1\nB = A\nC = 2\ndef f():\n    return B\n")
    (tmp_path / "others.py").write_text("D = A\ndef g():\n    return rules.A\ndef h():\n    return D\n")
    rules, others = (str(tmp_path / name) for name in ("rules.py", "others.py"))
    places = Uses([tmp_path]).find(tmp_path / "rules.py", frozenset({"A"}))
    assert places == {(rules, 1), (rules, 2), (rules, 5), (others, 1), (others, 3)}


@pytest.mark.parametrize(
    ("text", "operators"),
    [
        ("a == 'x'", {"Eq_NotEq"}),
        ("a == b", {"Eq_NotEq", "Eq_Lt", "Eq_LtE", "Eq_Gt", "Eq_GtE"}),
        ("def f(a, *, b): ...", set()),
        ("a * b", {"Mul_Div"}),
    ],
)
def test_texts_are_compared_for_equality_only_and_signatures_are_left_out(tmp_path, monkeypatch, text, operators):
    monkeypatch.setattr(mutants, "ROOT", tmp_path)
    folder = tmp_path / SOURCES / "model"
    folder.mkdir(parents=True)
    (folder / "rules.py").write_text(text + "\n")
    names = {mutant.operator.rpartition("Operator_")[2] for mutant in mutants.mutants()}
    assert names == operators
