"""Secrets of webhooks on the command line."""

import json

import pytest

from tests.databases import on_sqlite
from tests.whole import servers

pytestmark = pytest.mark.long_on_postgresql
VALUE = "planted-value"


@pytest.fixture
def treaty(database_url, tmp_path):
    def run(*words, stdin=VALUE + "\n"):
        return servers.run("treaty", "secret", *words, "--database-url", database_url, cwd=tmp_path, stdin=stdin)

    servers.run("treaty", "user", "add", "ci", "--system", "--database-url", database_url, cwd=tmp_path)
    return run


def test_a_secret_is_created_listed_changed_and_deleted(treaty, tmp_path):
    completed = treaty(
        "create", "TOKEN", "--value-stdin", "--origin", "https://ci.example.org", "--description", "Builds"
    )
    assert (completed.returncode, completed.stdout) == (0, "Created TOKEN. Webhooks use it as ${user.TOKEN}.\n"), (
        completed.stderr
    )
    (tmp_path / "value").write_text("from a file\n")
    other = treaty("create", "OTHER", "--value-file", "value")
    assert "only an administrator can save the first webhook" in other.stderr
    assert treaty("update", "TOKEN", "--rename", "NEW", "--origin", "http://a.example").returncode == 0
    assert treaty("update", "OTHER", "--value-stdin").stdout == "Changed OTHER.\n"
    listed = json.loads(treaty("list", "--output", "json").stdout)
    assert [
        (secret["name"], secret["description"], secret["allowedOrigins"], secret["webhooks"]) for secret in listed
    ] == [
        ("NEW", "Builds", ["http://a.example"], []),
        ("OTHER", None, [], []),
    ]
    table = treaty("list").stdout
    assert "NEW" in table
    assert VALUE not in table
    assert treaty("delete", "NEW").stdout == "Deleted NEW.\n"
    assert treaty("delete", "OTHER", "--force").returncode == 0
    assert treaty("list").stdout == "There are no secrets.\n"


@on_sqlite
def test_refused_commands_print_the_reason(treaty):
    treaty("create", "TAKEN", "--value-stdin")
    for words, stdin, reason in (
        (("create", "A"), "", "--value-stdin"),
        (("create", "A B", "--value-stdin"), VALUE, "can only contain"),
        (("create", "A", "--value-stdin"), "abc\n", "at least 4 characters"),
        (("create", "TAKEN", "--value-stdin"), VALUE, "already used"),
        (("create", "A", "--value-stdin", "--origin", "https://a.example/b"), VALUE, "without a path"),
        (("update", "TAKEN"), "", "nothing to change"),
        (("update", "MISSING", "--value-stdin"), VALUE, "treaty secret list"),
        (("delete", "MISSING"), "", "treaty secret list"),
    ):
        refused = treaty(*words, stdin=stdin)
        assert refused.returncode != 0, words
        assert reason in refused.stderr, words
        assert "Traceback" not in refused.stderr
        assert VALUE not in refused.stderr
