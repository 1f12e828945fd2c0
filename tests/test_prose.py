"""`./run check` finds retired phrases and names, and names their replacements."""

import os
import subprocess
import sys

import pytest

from tests import prose

PHRASES, NAMES = prose.load_table()


@pytest.mark.parametrize("phrase", PHRASES)
@pytest.mark.parametrize("suffix", [".md", ".py", ".html"])
def test_a_retired_phrase_is_found_in_any_case_and_across_lines(phrase, suffix):
    text = f"# First line.\n# Then {phrase.capitalize()}.\n# And {phrase.replace(' ', chr(10) + '# ', 1)}.\n"
    findings = prose.find_retired(text, suffix)
    assert {(finding.line, finding.replacement) for finding in findings if finding.retired == phrase} == {
        (2, PHRASES[phrase]),
        (3, PHRASES[phrase]),
    }


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spelling", ["{}", "_{}", "first_{}", "{}_last"])
def test_a_retired_name_is_found_within_a_longer_one(name, spelling):
    findings = prose.find_retired(f"value = 1\n{spelling.format(name)} = 2\n", ".py")
    # A word can be retired both as a name and as a phrase.
    assert {(finding.line, finding.retired) for finding in findings} == {(2, name)}


PHRASE, REPLACEMENT = next(iter(PHRASES.items()))


def test_other_words_that_contain_a_retired_one_are_not_found():
    assert prose.find_retired(f'power_of, InvestiGate = "", ""  # {PHRASE}s\n', ".py") == []


def test_code_in_markdown_is_exempt():
    assert prose.find_retired(f"`{PHRASE}`\n\n```text\n{PHRASE}\n```\n", ".md") == []


def test_comments_docstrings_and_names_of_tests_are_checked_but_not_their_data():
    code = 'def test_the_{}_arrives():  # {}\n    """{}"""\n    assert get("{}")\n\n\n"""A\n{}."""\n'.replace(
        "{}", PHRASE
    )
    code = code.replace(PHRASE, PHRASE.replace(" ", "_"), 1)
    findings = prose.find_retired(code, ".py", is_test=True)
    assert [(finding.line, finding.retired) for finding in findings] == [(line, PHRASE) for line in (1, 1, 2, 7)]


def test_the_program_names_file_line_and_replacement_and_fails(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"Fine.\nThis is {PHRASE}.\n")
    command = [sys.executable, "-m", "tests.prose", str(page)]
    run = subprocess.run(command, cwd=prose.ROOT, capture_output=True, text=True, check=False)
    where = f"{os.path.relpath(page, prose.ROOT)}:2"
    assert (run.returncode, run.stdout) == (1, f'{where}: instead of "{PHRASE}", write: {REPLACEMENT}\n')
    page.write_text("Fine.\n")
    assert prose.main([str(page)]) == 0


def test_the_files_that_are_checked_include_code_templates_and_documents():
    files = {str(file.relative_to(prose.ROOT)) for file in prose.list_files()}
    assert {"README.md", "docs/decisions/0001-reads-and-writes-are-synchronous.md", "src/treaty/errors.py"} <= files
    assert {"tests/prose.py", "tests/api/test_pacts.py"} <= files
    assert any(file.endswith(".html") for file in files)
    assert not any("migrations/versions" in file for file in files)
