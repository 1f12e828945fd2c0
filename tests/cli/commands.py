"""All commands that send requests to a broker, each with its required options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from treaty.cli import PACT_BROKER

if TYPE_CHECKING:
    from collections.abc import Iterator

PACT = "PACT"
"""Stands for the path of a file: a pact, or a provider's contract."""
FOO = ("--pacticipant", "Foo")
VERSION = (*FOO, "--version", "1")
UUID = ("--uuid", "0f7c9ae8-9f39-4a4c-8b5e-5ed9d3f0b001")
WEBHOOK = ("https://ci.example.org", "--request", "POST", "--contract-published")
WORDS: dict[str, tuple[str, ...]] = {
    "publish": (PACT, "--consumer-app-version", "1"),
    "list-latest-pact-versions": (),
    "get-pacts": ("--provider", "Bar"),
    "provider-states list": ("--provider", "Bar"),
    "who-uses": ("--provider", "Bar", "--field", "price"),
    "can-i-deploy": (*VERSION, "--to-environment", "test"),
    "can-i-merge": VERSION,
    "what-if": ("--environment", "test", "--retire", "Foo"),
    "report": (*VERSION, "--to-environment", "test", "--to", "stdout"),
    "decisions": (),
    "decision": (UUID[1],),
    "override create": (*VERSION, "--environment", "test", "--reason", "An outage."),
    "override list": (),
    "override revoke": UUID,
    "wait": ("--for", "contract_published"),
    "compare": (PACT, "--provider", "Bar", "--main"),
    "diff": (PACT, PACT, "--provider", "Bar", "--environment", "test"),
    "comparison-engine": (),
    "create-environment": ("--name", "test"),
    "update-environment": UUID,
    "describe-environment": UUID,
    "delete-environment": UUID,
    "list-environments": (),
    "record-deployment": (*VERSION, "--environment", "test"),
    "record-undeployment": (*FOO, "--environment", "test"),
    "record-release": (*VERSION, "--environment", "test"),
    "record-support-ended": (*VERSION, "--environment", "test"),
    "create-or-update-pacticipant": ("--name", "Foo"),
    "alias": ("-a", "Foo", "-e", "1", "--alias", "2"),
    "rename": ("Foo", "Bar"),
    "describe-pacticipant": ("--name", "Foo"),
    "list-pacticipants": (),
    "create-or-update-version": VERSION,
    "describe-version": VERSION,
    "create-version-tag": (*VERSION, "--tag", "prod"),
    "delete-version-tag": (*VERSION, "--tag", "prod"),
    "delete-branch": (*FOO, "--branch", "main"),
    "create-webhook": WEBHOOK,
    "create-or-update-webhook": (*WEBHOOK, *UUID),
    "delete-webhook": UUID,
    "test-webhook": UUID,
    "publish-provider-contract": (PACT, "--provider", "Bar", "--provider-app-version", "1"),
    "pactflow publish-provider-contract": (PACT, "--provider", "Bar", "--provider-app-version", "1"),
}


NO_ANSWER: dict[str, int] = {"what-if": 2, "report": 2, "wait": 2, "compare": 2, "diff": 2}
"""Exit codes without an answer, of commands for which 1 is a negative answer and nothing else."""


def list_commands(program: click.Command = PACT_BROKER, *words: str) -> Iterator[str]:
    """Yield the commands that have the option for the broker's address."""
    if isinstance(program, click.Group):
        context = click.Context(program)
        for name in program.list_commands(context):
            command = program.get_command(context, name)
            assert command
            yield from list_commands(command, *words, name)
    elif any(parameter.name == "broker_base_url" for parameter in program.params):
        yield " ".join(words)


def call(name: str, file: str) -> list[str]:
    """Return the words of a command; `file` is its pact or contract."""
    return [*name.split(), *(file if word == PACT else word for word in WORDS[name])]
