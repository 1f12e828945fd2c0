"""Which mutants `./run mutants` leaves out."""

from tests.mutants import ROOT, SOURCES, load_exclusions


def test_every_exclusion_has_a_reason_and_is_about_a_file_that_exists() -> None:
    exclusions = load_exclusions()
    files = exclusions.files | {file for file, _ in exclusions.lines}
    assert [file for file in files if not (ROOT / SOURCES / file).exists()] == []
