"""What can be configured: on the command line, in the environment, or in pytest's configuration file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


class Option(NamedTuple):
    """An option; without a variable of its own it is read from TREATY_ and its name."""

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
    def environment(self) -> str:
        return self.variable or f"TREATY_{self.key.upper()}"


OPTIONS: Final = (
    Option("publish-pact", "VERSION", "Publish the pacts of this run if all tests pass; `auto` takes the commit."),
    Option("pact-branch", "BRANCH", "The consumer's branch, unless it is found out (CI system, git)."),
    Option("pact-tag", "TAG", "A tag for the consumer's version; repeatable.", is_list=True),
    Option("pact-build-url", "URL", "Where the build can be seen, unless it is found out."),
    Option("pact-dir", "DIR", "Where pacts are written and read (default: pacts)."),
    Option("run-broker", "True", "Run a Treaty for this run, on a free port.", is_flag=True),
    Option("broker-url", "URL", "The broker's address.", "PACT_BROKER_BASE_URL"),
    Option("broker-username", "NAME", "Its user, if it asks.", "PACT_BROKER_USERNAME"),
    Option("broker-password", "PASSWORD", "The user's password.", "PACT_BROKER_PASSWORD"),
    Option("broker-token", "TOKEN", "A bearer token, instead of a user.", "PACT_BROKER_TOKEN"),
    Option("provider-version", "VERSION", "The provider's version; `auto` takes the commit."),
    Option("provider-branch", "BRANCH", "The provider's branch, unless it is found out."),
    Option("provider-tag", "TAG", "A tag for the provider's version; repeatable.", is_list=True),
    Option("publish-verification", "True", "Publish the results of verified pacts.", is_flag=True),
    Option("pact-url", "URL", "Verify only this pact, which a webhook named.", "PACT_URL"),
    Option("deploy-to", "ENVIRONMENT", "Tell what can-i-deploy answers for this environment."),
)
_NAMED: Final = {option.name: option for option in OPTIONS}
_TRUE: Final = {"true", "1", "yes", "on"}
_FALSE: Final = {"false", "0", "no", "off", ""}


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("treaty", "pacts (treaty)")
    for option in OPTIONS:
        words = f"{option.help} [env: {option.environment}; ini: {option.key}]"
        if option.is_flag:
            group.addoption(f"--{option.name}", dest=option.dest, nargs="?", const=True, type=_boolean, help=words)
        else:
            group.addoption(
                f"--{option.name}",
                dest=option.dest,
                metavar=option.metavar,
                action="append" if option.is_list else "store",
                help=words,
            )
        if option.is_list:
            parser.addini(option.key, words, type="args", default=[])
        else:
            parser.addini(option.key, words, type="string", default="")


def _boolean(text: str) -> bool | str:
    """Read yes or no; any other word is kept for `put_back`."""
    return text.strip().lower() in _TRUE if _is_boolean(text) else text


def _is_boolean(text: str) -> bool:
    return text.strip().lower() in _TRUE | _FALSE


def restore_positional_arguments(known: argparse.Namespace, args: list[str]) -> None:
    """Let a word after a switch be what to test, unless it is yes or no: `--run-broker tests` means both."""
    for option in (option for option in OPTIONS if option.is_flag):
        for place, word in enumerate(args):
            name, equals, value = word.partition("=")
            after = args[place + 1] if place + 1 < len(args) else "-"
            if name != f"--{option.name}":
                continue
            if equals and not _is_boolean(value):
                raise pytest.UsageError(f"--{option.name}: {value!r} is neither True nor False")
            if not equals and not after.startswith("-") and not _is_boolean(after):
                args[place] = f"{word}=True"
                setattr(known, option.dest, True)
                known.file_or_dir.append(after)


def get_text(config: pytest.Config, name: str) -> str | None:
    """Give an option's value, or None if it is empty; the command line counts most, then the environment."""
    option = _NAMED[name]
    given = config.getoption(option.dest, None)
    found = given if given is not None else os.environ.get(option.environment) or config.getini(option.key)
    return str(found).strip() or None


def get_flag(config: pytest.Config, name: str) -> bool:
    return (get_text(config, name) or "").lower() not in _FALSE


def get_list(config: pytest.Config, name: str) -> Sequence[str]:
    option = _NAMED[name]
    given = config.getoption(option.dest, None) or os.environ.get(option.environment) or config.getini(option.key)
    words = given.split(",") if isinstance(given, str) else given
    return [word.strip() for each in words for word in each.split(",") if word.strip()]


def get_pact_dir(config: pytest.Config) -> Path:
    """Give the folder of pacts: on the command line it is relative to where pytest was called, else to the root."""
    given = config.getoption(_NAMED["pact-dir"].dest, None)
    base = config.invocation_params.dir if given else config.rootpath
    return base / (get_text(config, "pact-dir") or "pacts")
