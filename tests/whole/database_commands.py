"""All commands that open a server's database, each with its required options."""

from collections.abc import Iterator

import click

from treaty.cli import TREATY

PASSWORD = "a stapled horse, correctly\n"  # noqa: S105 - of a user that is never added
CREATING = {("serve",), ("user", "add"), ("restore",)}
"""The server, and the commands that may run before it: adding its first user, and restoring a backup."""
NEEDED = {
    "backup": ["backup.zip"],
    "user disable": ["ada"],
    "user enable": ["ada"],
    "user password": ["ada", "--password-stdin"],
    "user role": ["ada", "read-only"],
    "user limit": ["ada", "--for", "consumer-build"],
    "user reset-second-factor": ["ada"],
    "secret create": ["CI_TOKEN", "--value-stdin"],
    "secret update": ["CI_TOKEN", "--value-stdin"],
    "secret delete": ["CI_TOKEN"],
    "token create": ["--user", "ada", "--name", "ci"],
    "token revoke": ["--all"],
}
"""Requirements of some commands besides the database."""
VARIANTS = {
    "doctor": [[], ["--fix"]],
    "clean": [[], ["--dry-run"], ["--output", "json"]],
    "rotate-key": [[], ["--finish"]],
    "user list": [[], ["--output", "json"]],
}


def list_commands(program: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command that takes the address of a database."""
    if isinstance(program, click.Group):
        context = click.Context(program)
        for name in program.list_commands(context):
            below = program.get_command(context, name)
            assert below
            yield from list_commands(below, *words, name)
    elif any("--database-url" in option.opts for option in program.params) and words not in CREATING:
        yield words


COMMANDS = list(list_commands(TREATY))
CALLS = [
    [*words, *NEEDED.get(" ".join(words), []), *variant]
    for words in COMMANDS
    for variant in VARIANTS.get(" ".join(words), [[]])
]
