"""Messages of commands contain the misspelt user, secret or token, and suggest the existing name."""

import json

import pytest
from click.testing import CliRunner

from tests.whole.database_commands import COMMANDS, NEEDED
from treaty.cli import TREATY

USER = "There is no user called 'ci-sohp'. Did you mean ci-shop?"
SECRET = "There is no secret with the name 'CI_TOKNE'. Did you mean CI_TOKEN?"  # noqa: S105 - a name
VALUE = "a stapled horse, correctly\n"
CASES = {
    "user disable": (["ci-sohp"], USER),
    "user enable": (["ci-sohp"], USER),
    "user password": (["ci-sohp", "--password-stdin"], USER),
    "user role": (["ci-sohp", "read-only"], USER),
    "user limit": (["ci-sohp", "--for", "consumer-build"], USER),
    "user reset-second-factor": (["ci-sohp"], USER),
    "token create": (["--user", "ci-sohp", "--name", "x"], USER),
    "token list": (["--user", "ci-sohp"], USER),
    "token revoke": (["UUID"], "There is no token with the UUID 'MISSPELT'. Did you mean UUID?"),
    "secret update": (["CI_TOKNE", "--description", "x"], SECRET),
    "secret delete": (["CI_TOKNE"], SECRET),
}
WITHOUT_NAMES = {"serve", "backup", "clean", "rotate-key", "doctor", "user list", "secret list"}
CREATING = {"user add", "secret create"}


def call(folder, *words):
    address = f"sqlite:///{folder / 'treaty.sqlite'}"
    return CliRunner().invoke(TREATY, [*words, "--database-url", address], prog_name="treaty", input=VALUE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("misspelt")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert call(folder, "user", "add", "ci-shop", "--system").exit_code == 0
        assert call(folder, "token", "create", "--user", "ci-shop", "--name", "ci").exit_code == 0
        created = call(folder, "secret", "create", "CI_TOKEN", "--value-stdin", "--origin", "https://ci.example.org")
        assert created.exit_code == 0, created.output
    return folder


def test_the_table_has_every_command_with_a_name():
    commands = {" ".join(words) for words in COMMANDS}
    assert commands <= CASES.keys() | WITHOUT_NAMES | CREATING
    assert NEEDED.keys() <= CASES.keys() | WITHOUT_NAMES | CREATING


@pytest.mark.parametrize("name", CASES)
def test_a_misspelt_name_is_reported_with_a_similar_existing_name(folder, monkeypatch, name):
    monkeypatch.chdir(folder)
    words, sentence = CASES[name]
    tokens = json.loads(call(folder, "token", "list", "--output", "json").stdout)
    (token,) = (token for token in tokens if token["name"] == "ci")
    misspelt = token["uuid"][:-1] + ("0" if token["uuid"][-1] != "0" else "1")
    result = call(folder, *name.split(), *(misspelt if word == "UUID" else word for word in words))
    assert (result.exit_code, result.stdout) == (1, "")
    assert sentence.replace("MISSPELT", misspelt).replace("UUID?", f"{token['uuid']}?") in result.stderr


def test_a_name_that_is_like_no_other_leads_to_the_list(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for words, advice in (
        (["user", "enable", "zzz"], "`treaty user list` shows the existing ones."),
        (["secret", "delete", "zzz"], "`treaty secret list` shows the existing ones."),
        (["token", "revoke", "zzz"], "`treaty token list` shows the existing ones."),
    ):
        assert advice in call(folder, *words).stderr
