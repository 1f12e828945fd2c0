"""The plugin's options: on the command line, in the environment, or in pytest's configuration file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Option(NamedTuple):
    """An option. Its environment variable is `TREATY_` and its name, unless `variable` names another."""

    name: str
    metavar: str
    help: str
    variable: str = ""
    is_flag: bool = False
    is_list: bool = False

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")

    @property
    def dest(self) -> str:
        return f"treaty_{self.key}"

    @property
    def long_help(self) -> str:
        return f"{self.help} [env: {self.environment}; ini: {self.key}]"

    @property
    def environment(self) -> str:
        return self.variable or f"TREATY_{self.key.upper()}"


OPTIONS: Final = (
    Option("publish-pact", "VERSION", "Publish the pacts of this run if all tests pass; `auto` takes the commit."),
    Option("pact-branch", "BRANCH", "The consumer's branch (default: detected from the CI system or git)."),
    Option("pact-tag", "TAG", "A tag for the consumer's version; repeatable.", is_list=True),
    Option("pact-build-url", "URL", "URL of the build (default: detected from the CI system)."),
    Option("pact-dir", "DIR", "Where pacts are written and read (default: pacts)."),
    Option("run-broker", "True", "Run a Treaty for this run, on a free port.", is_flag=True),
    Option("broker-url", "URL", "The broker's URL.", "PACT_BROKER_BASE_URL"),
    Option("broker-username", "NAME", "User name for the broker.", "PACT_BROKER_USERNAME"),
    Option("broker-password", "PASSWORD", "Password for the broker.", "PACT_BROKER_PASSWORD"),
    Option("broker-token", "TOKEN", "Bearer token for the broker, instead of a user.", "PACT_BROKER_TOKEN"),
    Option("provider-version", "VERSION", "The provider's version; `auto` takes the commit."),
    Option("provider-branch", "BRANCH", "The provider's branch (default: detected from the CI system or git)."),
    Option("provider-tag", "TAG", "A tag for the provider's version; repeatable.", is_list=True),
    Option("publish-verification", "True", "Publish the results of verified pacts.", is_flag=True),
    Option(
        "publish-provider-contract",
        "VERSION",
        "Publish the provider's own OpenAPI document for this version, with the outcome of the tests; `auto` takes the "
        "commit.",
    ),
    Option("provider-name", "NAME", "The provider whose contract is published."),
    Option(
        "provider-contract",
        "SOURCE",
        "Where the document is: an application such as `shop.app:app`, a file, or a URL (default: the document that "
        "Schemathesis tests).",
    ),
    Option(
        "allow-no-pacts",
        "True",
        "Skip a test of a provider, rather than fail it, if there is no pact to verify.",
        is_flag=True,
    ),
    Option("pact-url", "URL", "Verify only the pact at this URL, as passed by a webhook.", "PACT_URL"),
    Option("deploy-to", "ENVIRONMENT", "Show the result of can-i-deploy for this environment."),
)
_OPTIONS_BY_NAME: Final = {option.name: option for option in OPTIONS}
_TRUE: Final = {"true", "1", "yes", "on"}
_FALSE: Final = {"false", "0", "no", "off", ""}


def add_options(parser: pytest.Parser, config: pytest.Config) -> None:
    """Declare the options on the command line and in the configuration file, unless the project or a plugin has them.

    Older projects declare `--publish-pact`, `--run-broker` or `--broker-url` in a conftest.py, and pytest does not
    accept an option twice. So this is called once the initial conftest.py files are loaded.
    """
    group = parser.getgroup("treaty", "pacts (treaty)")
    for option in OPTIONS:
        if f"--{option.name}" not in _destinations(config, parser):
            _add_argument(group, option)
        if not _is_ini_declared(config, option.key):
            _add_ini(parser, option)


def _add_argument(group: pytest.OptionGroup, option: Option) -> None:
    if option.is_flag:
        group.addoption(
            f"--{option.name}", dest=option.dest, nargs="?", const=True, type=_parse_flag, help=option.long_help
        )
    else:
        group.addoption(
            f"--{option.name}",
            dest=option.dest,
            metavar=option.metavar,
            action="append" if option.is_list else "store",
            help=option.long_help,
        )


def _is_ini_declared(config: pytest.Config, key: str) -> bool:
    try:
        config.getini(key)
    except ValueError:
        return False
    return True


def _add_ini(parser: pytest.Parser, option: Option) -> None:
    if option.is_list:
        parser.addini(option.key, option.long_help, type="args", default=[])
    else:
        parser.addini(option.key, option.long_help, type="string", default="")


def are_conftests_loading(pluginmanager: pytest.PytestPluginManager) -> bool:
    """Whether a conftest.py has been loaded, as is the case if it is one that loads this plugin."""
    files = [getattr(plugin, "__file__", None) for plugin in pluginmanager.get_plugins()]
    return any(Path(file).name == "conftest.py" for file in files if file)


def release_names(parser: pytest.Parser) -> None:
    """Let conftest.py files of subfolders, which are loaded after the command line is parsed, declare the same options.

    pytest 9 passes an option to argparse at once, which has no public way to forget one.
    """
    names: dict[str, object] = getattr(getattr(parser, "optparser", None), "_option_string_actions", {})
    for option in OPTIONS:
        names.pop(f"--{option.name}", None)


def list_foreign_options(config: pytest.Config, parser: pytest.Parser) -> list[Option]:
    """Return the options that the project or another plugin declares instead."""
    destinations = _destinations(config, parser)
    return [option for option in OPTIONS if destinations.get(f"--{option.name}", option.dest) != option.dest]


def _destinations(config: pytest.Config, parser: pytest.Parser) -> Mapping[str, str]:
    """Return the names of the declared options, with those of the attributes of their values."""
    # There is no public way to list options. pytest 8 has this table in another object than pytest 9.
    table: Mapping[str, str] = getattr(parser, "_opt2dest", None) or getattr(config, "_opt2dest", {})
    return table


def describe_foreign_options(foreign_options: Sequence[Option]) -> str:
    """Describe options that are not the plugin's, and how to set what they would set."""
    names = ", ".join(f"--{option.name}" for option in foreign_options)
    variables = ", ".join(option.environment for option in foreign_options)
    keys = ", ".join(option.key for option in foreign_options)
    return (
        f"treaty: conftest.py declares {names} itself, which takes precedence over the plugin; for the plugin, set "
        f"{variables}, or {keys} in pytest's configuration file"
    )


def _parse_flag(text: str) -> bool | str:
    """Parse a Boolean. Other texts are returned unchanged, for `restore_positional_arguments`."""
    return text.strip().lower() in _TRUE if _is_boolean(text) else text


def _is_boolean(text: str) -> bool:
    return text.strip().lower() in _TRUE | _FALSE


def restore_positional_arguments(config: pytest.Config, args: list[str]) -> None:
    """Let argparse treat the argument after a flag as a path to test, unless it is a Boolean: `--run-broker tests`.

    Otherwise it is the flag's optional value. Raises UsageError for `--flag=VALUE` if it is not a Boolean.
    """
    for option in (option for option in OPTIONS if option.is_flag and hasattr(config.option, option.dest)):
        for index, argument in enumerate(args):
            name, equals, value = argument.partition("=")
            next_argument = args[index + 1] if index + 1 < len(args) else "-"
            if name != f"--{option.name}":
                continue
            if equals and not _is_boolean(value):
                raise pytest.UsageError(f"--{option.name}: {value!r} is neither True nor False")
            if not equals and not next_argument.startswith("-") and not _is_boolean(next_argument):
                args[index] = f"{argument}=True"


def get_text(config: pytest.Config, name: str) -> str | None:
    """Return an option's value, or None if it is empty.

    The command line overrides the environment, and that overrides the configuration file.
    """
    option = _OPTIONS_BY_NAME[name]
    argument = config.getoption(option.dest, None)
    value = argument if argument is not None else os.environ.get(option.environment) or config.getini(option.key)
    # A conftest.py may have declared a value of another type under this name.
    return str(value).strip() or None if isinstance(value, str | bool) else None


def get_flag(config: pytest.Config, name: str) -> bool:
    return (get_text(config, name) or "").lower() not in _FALSE


def get_list(config: pytest.Config, name: str) -> Sequence[str]:
    """Return the values of a repeatable option. Each may contain several, separated by commas."""
    option = _OPTIONS_BY_NAME[name]
    raw = config.getoption(option.dest, None) or os.environ.get(option.environment) or config.getini(option.key)
    texts = [raw] if isinstance(raw, str) else raw
    return [value.strip() for text in texts for value in text.split(",") if value.strip()]


def get_pact_dir(config: pytest.Config) -> Path:
    """Return the folder of pacts. On the command line, it is relative to the working directory; else to the root."""
    argument = config.getoption(_OPTIONS_BY_NAME["pact-dir"].dest, None)
    base = config.invocation_params.dir if argument else config.rootpath
    return base / (get_text(config, "pact-dir") or "pacts")
