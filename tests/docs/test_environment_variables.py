"""docs/configuration.md lists every environment variable that Treaty reads, and no other."""

import re

from tests.docs import configuration, variables

QUOTED = re.compile(r"`(\w+)(?:=[^`]*)?`")


def documented() -> set[str]:
    words = set(QUOTED.findall(configuration.DOCUMENT.read_text("utf-8")))
    return {word for word in words if variables.NAME.fullmatch(word)} | (words & (read() | variables.OF_LIBRARIES))


def read() -> set[str]:
    constants = {name for name in variables.names_in_source() if not name.endswith("_")}
    constants |= set(variables.names_of_ci_systems())
    return constants | variables.names_of_settings() | variables.names_of_options().keys() | variables.DERIVED


def with_prefix_of_the_document(names: set[str]) -> set[str]:
    """Replace Treaty's own prefix where a setting has both: the document shows the other one."""
    settings = variables.names_of_settings()
    both = {f"TREATY_{name.removeprefix('PACT_BROKER_')}": name for name in settings}
    return {both.get(name, name) for name in names}


def test_every_variable_that_is_read_is_documented() -> None:
    assert sorted(with_prefix_of_the_document(read()) - with_prefix_of_the_document(documented())) == []


def test_every_variable_that_is_documented_is_read() -> None:
    names = with_prefix_of_the_document(read()) | variables.OF_LIBRARIES | variables.IGNORED
    assert sorted(with_prefix_of_the_document(documented()) - names) == []


def test_texts_other_than_variables_are_still_in_the_source() -> None:
    source = "\n".join(path.read_text("utf-8") for path in variables.PACKAGE.rglob("*.py"))
    assert [text for text in variables.OTHER_TEXTS if text not in source] == []
