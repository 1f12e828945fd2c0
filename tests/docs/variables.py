"""The environment variables that Treaty reads, found in its source, and those that the libraries below it read."""

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

import click

from tests.docs.generated import ROOT
from treaty import pact_verifier
from treaty.cli import PACT_BROKER, TREATY
from treaty.cli.ci_systems import CI_SYSTEMS
from treaty.cli.program import Program
from treaty.pytest_plugin.options import OPTIONS
from treaty.settings import SETTINGS
from treaty.settings.originals import UNUSED_VARIABLES

PACKAGE: Final = ROOT / "src" / "treaty"
DETECTION: Final = PACKAGE / "cli" / "build_detection.py"
NAME: Final = re.compile(r"_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
"""A text that is probably the name of a variable."""
_PLACEHOLDER: Final = re.compile(r"{(\w+)}")

OTHER_TEXTS: Final = {
    *("HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"),  # reasons of OpenSSL
    "PACT_BROKER_PUBLISH_VERIFICATION_RESULTS",  # of other clients, so that there is no warning
    *("EXIT_CODE_OF_THE_TESTS", "MAIN_BRANCH", "PROVIDER_URL"),  # placeholders in commands that are suggested
    *("CI_TOKEN", "PACT_PROVIDER_BRANCH", "PACT_PROVIDER_VERSION"),  # in examples and presets of webhooks
    *("PACT_CONSUMER", "PACT_CONSUMER_VERSION", "PACT_EVENT", "PACT_EVENT_ID", "PACT_EVENT_NAME"),  # set for commands
    *("PACT_PROVIDER", "PACT_RESULT_URL", "PACT_URL"),  # likewise
    *("CONSUMER_NAME", "CONSUMER_VERSION", "CREATED_AT", "PROVIDER_NAME"),  # headings of text tables
    *("C_TAGS", "C_VERSION", "P_TAGS", "P_VERSION"),  # likewise
    *("ENGINE_VERSION", "SETTINGS_FILE", "X_FORWARDED"),  # names that a module exports
    "FILE_OR_FOLDER",  # the value of an option in the help
    "BASE_URL",  # follows a prefix
}
"""Texts in the source that look like names of variables, and are none. So are those that begin with `SQLITE_`."""
DERIVED: Final = {
    *(
        f"PACT_BROKER_DATABASE_{part}"
        for part in ("ADAPTER", "USERNAME", "PASSWORD", "HOST", "PORT", "NAME", "SSLMODE")
    ),
    *("PACT_BROKER_WEBHOOK_CERTIFICATES__0__CONTENT", "PACT_BROKER_WEBHOOK_CERTIFICATES__0__PATH"),
    *("TRACEPARENT", "TRACESTATE"),
    *("_TREATY_COMPLETE", "_PACT_BROKER_COMPLETE"),
}
"""Variables whose names are built at run time."""
IGNORED: Final = {*UNUSED_VARIABLES, "PACT_BROKER_FEATURES__NAME", "PACT_DO_NOT_TRACK", "SCARF_NO_ANALYTICS"}
"""Variables of the original broker that the document mentions because Treaty does not read them."""
OF_LIBRARIES: Final = {
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_DIR"),  # httpx
    *("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGPASSFILE"),  # libpq
    "COLUMNS",  # shutil.get_terminal_size
}
"""Variables that libraries read on behalf of Treaty. Not all of them: libpq and OpenTelemetry have dozens."""


@cache
def names_in_source() -> Mapping[str, set[str]]:
    """Return the names of variables that modules contain, with the paths of these modules."""
    modules_by_name: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for name in {*_names_by_form(tree), *_names_by_use(tree)}:
            modules_by_name[name].add(str(path.relative_to(PACKAGE)))
    return modules_by_name


def _names_by_form(tree: ast.AST) -> Iterator[str]:
    for text in _texts(tree):
        if NAME.fullmatch(text) and text not in OTHER_TEXTS and not text.startswith("SQLITE_"):
            yield text


def _names_by_use(tree: ast.AST) -> Iterator[str]:
    """Yield the keys with which a mapping called `environ` is read, whatever their form."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=mapping, attr="get"), args=[ast.Constant(value=str(name)), *_]):
                is_read = _is_environment(mapping)
            case ast.Subscript(value=mapping, slice=ast.Constant(value=str(name))):
                is_read = _is_environment(mapping)
            case ast.Compare(left=ast.Constant(value=str(name)), comparators=[mapping]):
                is_read = _is_environment(mapping)
            case ast.Call(func=ast.Attribute(attr="getenv"), args=[ast.Constant(value=str(name)), *_]):
                is_read = True
            case _:
                continue
        if is_read:
            yield name


def _is_environment(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == "environ") or (
        isinstance(node, ast.Name) and node.id == "environ"
    )


def _texts(tree: ast.AST) -> Iterator[str]:
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def names_of_ci_systems() -> list[str]:
    """Return the variables from which the commit, the branch and the build are detected, in alphabetical order."""
    names = set(_names_by_form(ast.parse(DETECTION.read_text("utf-8"))))
    for system in CI_SYSTEMS:
        templates = [name for template in system.build_url for name in _PLACEHOLDER.findall(template)]
        single = (system.marker.partition("=")[0], system.pull_request, system.target, system.fork)
        names.update(system.commit, system.branch, system.tag, system.generic, single, templates)
    return sorted(names - {""})


def names_of_reports() -> list[str]:
    """Return the variables of builds in which `treaty report` finds the pull request, in alphabetical order."""
    options = {*names_of_options()}
    sources = (path.read_text("utf-8") for path in (PACKAGE / "cli" / "reporting").glob("*.py"))
    return sorted({name for source in sources for name in _names_by_form(ast.parse(source))} - options)


def names_of_settings() -> set[str]:
    """Return the variables of all settings, with the prefix that the document shows."""
    return {f"PACT_BROKER_{name.upper()}" for setting in SETTINGS.values() for name in setting.names}


@cache
def names_of_options() -> Mapping[str, list[str]]:
    """Return the variables of options, with the options: those of the commands, of `pact-verifier` and of pytest."""
    options_by_variable: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for command in (*_commands(PACT_BROKER), *_commands(TREATY), pact_verifier.main):
        for option in command.params:
            for variable in [option.envvar] if isinstance(option.envvar, str) else option.envvar or []:
                options_by_variable[variable][max(option.opts, key=len)] = None
    for plugin_option in OPTIONS:
        options_by_variable[plugin_option.environment][f"pytest --{plugin_option.name}"] = None
    return {name: list(options) for name, options in sorted(options_by_variable.items())}


def _commands(program: Program) -> Iterator[click.Command]:
    for entry in program.entries.values():
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        if isinstance(command, Program):
            yield from _commands(command)
        else:
            yield command
