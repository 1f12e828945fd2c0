"""Files, headings, modules, commands and options that the documents name exist."""

import re
import shlex
from itertools import takewhile

import click
import pytest

from tests.docs.generated import ROOT
from treaty.cli import TREATY
from treaty.cli.program import Program, normalize_name

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PACKAGE = ROOT / "src" / "treaty"
LINK = re.compile(r"\]\(([^)\s]+)\)")
CALL = re.compile(r"(?:^|`|\$\()((?:pact-broker|treaty) [^`\n]+)", re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_link_leads_somewhere(document):
    links = [link.partition("#") for link in LINK.findall(document.read_text("utf-8"))]
    dead = [path for path, _, _ in links if "://" not in path and not (document.parent / path).exists()]
    assert dead == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_heading_that_is_linked_to_is_there(document):
    for path, _, anchor in (link.partition("#") for link in LINK.findall(document.read_text("utf-8"))):
        if anchor and "://" not in path:
            target = document.parent / path if path else document
            assert anchor in {slug(heading) for heading in headings(target.read_text("utf-8"))}


MODULE = re.compile(r"`((?:\w+/)*\w+\.(?:py|toml))`")
FOLDER = re.compile(r"`(\w+(?:/\w+)+)`")
FILES_OF_USERS = {"conftest.py", "treaty.toml", "verify_prices.py"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_module_that_is_named_exists(document):
    paths = set(MODULE.findall(document.read_text("utf-8"))) - FILES_OF_USERS
    assert missing_paths(paths) == []


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/development.md"])
def test_every_folder_that_is_named_exists(name):
    assert missing_paths(FOLDER.findall((ROOT / name).read_text("utf-8"))) == []


def missing_paths(paths):
    """List the paths that exist neither in the repository nor in the package."""
    return sorted(path for path in paths if not any((root / path).exists() for root in (ROOT, PACKAGE)))


def headings(text):
    return re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)


def slug(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def calls():
    for document in DOCUMENTS:
        for call in CALL.findall(document.read_text("utf-8")):
            program, *words = shlex.split(re.sub(r"\).*|\(.*|,$", "", call), comments=True)
            if words and words[0].islower():
                yield pytest.param(program, words, id=f"{document.name}: {call[:60]}")


@pytest.mark.parametrize(("program", "words"), list(calls()))
def test_every_command_that_is_shown_exists_with_its_options(program, words):
    command: click.Command = TREATY
    while isinstance(command, Program) and words and not words[0].startswith("-"):
        assert normalize_name(words[0]) in command.entries, f"{program} has no {words[0]}"
        subcommand = command.get_command(click.Context(command), words.pop(0))
        assert subcommand is not None
        command = subcommand
    options = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}
    own_words = takewhile(lambda word: word != "--", words)  # another command follows
    assert {plain_option(word) for word in own_words if word.startswith("-")} <= options


def plain_option(word):
    name = word.partition("=")[0]
    return "--" + normalize_name(name[2:]) if name.startswith("--") else name
