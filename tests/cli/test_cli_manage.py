"""Pacticipants, versions, tags and branches, against another broker."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

PACTICIPANTS = "/elsewhere/pacticipants"
FOO = f"{PACTICIPANTS}/Foo"
FIXED = "/pacticipants/Foo/versions/1"
NOT_FOUND = '{"error":"Nothing is here"}'
CHANGE = ["create-or-update-pacticipant", "--name", "Foo"]


def test_a_new_pacticipant_is_created(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {PACTICIPANTS}", {"name": "Foo"}, status=201)
    result = run(*CHANGE, "--display-name", "F", "--main-branch", "main", "--repository-url", "http://r")
    assert result.stdout == 'Pacticipant "Foo" created in the Pact Broker\n'
    assert broker.last.json == {
        "name": "Foo",
        "displayName": "F",
        "mainBranch": "main",
        "repositoryUrl": "http://r",
    }


def test_a_known_pacticipant_is_changed_where_it_is(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {FOO}", {"_links": {"self": {"href": f"{broker.url}/self"}}})
    broker.answer("PATCH /self", {"name": "Foo"})
    result = run(*CHANGE, "--main-branch", "main")
    assert result.stdout == 'Pacticipant "Foo" updated in the Pact Broker\n'
    assert broker.last.json == {"name": "Foo", "mainBranch": "main"}
    assert run(*CHANGE, "-o", "json").stdout == '{"name": "Foo"}\n'


def test_a_pacticipant_has_a_name(run: Run) -> None:
    result = run("create-or-update-pacticipant", "--name", " ")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (1, "Pacticipant name cannot be blank")
    assert "--name was given an empty value" in result.stderr


def test_a_pacticipant_is_described_with_its_labels(run: Run, broker: OtherBroker) -> None:
    labels = [{"name": "web", "_links": {"self": {"href": "http://b/l"}}}]
    body: dict[str, Any] = {"name": "Foo", "repositoryUrl": None, "count": 3, "flag": "true", "a b": "x: y", "list": []}
    broker.answer(f"GET {FOO}", body | {"_embedded": {"labels": labels}})
    assert run("describe-pacticipant", "--name", "Foo").stdout == (
        "Name: Foo\nRepository Url:\nCount: 3\nFlag: 'true'\nA B: 'x: y'\nList: []\n"
        "Labels:\n- Name: web\n  Links:\n    Self:\n      Href: http://b/l\n"
    )


def test_pacticipants_are_listed_by_name(run: Run, broker: OtherBroker) -> None:
    long = "z" * 40
    pacticipants: list[dict[str, Any]] = [{"name": long, "displayName": None}, {"name": "Bar", "displayName": "Bar it"}]
    broker.answer(f"GET {PACTICIPANTS}", {"_embedded": {"pacticipants": pacticipants}})
    assert run("list-pacticipants").stdout.splitlines() == [
        "NAME".ljust(40) + " | DISPLAY NAME",
        "-" * 41 + "|-------------",
        "Bar".ljust(40) + " | Bar it      ",
        long + " |             ",
    ]


def test_uuids_are_shown_where_there_are_any(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {PACTICIPANTS}", {"_embedded": {"pacticipants": [{"uuid": "1", "name": "Bar"}]}})
    assert run("list-pacticipants").stdout.splitlines()[0] == "UUID | NAME | DISPLAY NAME"


VERSION = ["create-or-update-version", "-a", "Foo", "-e", "1"]


@pytest.mark.parametrize(
    ("options", "text", "paths"),
    [
        ([], "", ["PUT /versions/1"]),
        (["--branch", "f/x"], " with branch f/x", ["PUT /branches/f%2Fx/versions/1", "GET /versions/1"]),
        (
            ["-t", "dev", "x"],
            " with tag(s) dev, x",
            ["PUT /versions/1/tags/dev", "PUT /versions/1/tags/x", "GET /versions/1"],
        ),
        (
            ["--branch", "main", "--tag", "dev"],
            " with branch main and tag(s) dev",
            ["PUT /branches/main/versions/1", "PUT /versions/1/tags/dev", "GET /versions/1"],
        ),
    ],
)
def test_a_version_is_added_to_its_branch_and_tags(
    run: Run, broker: OtherBroker, options: list[str], text: str, paths: list[str]
) -> None:
    lines = [path.replace(" ", f" {FOO}") for path in paths]
    for line in lines:
        broker.answer(line, {"number": "1"})
    result = run(*VERSION, *options)
    assert result.stdout == f"Created/updated pacticipant version 1{text} in the Pact Broker\n"
    assert broker.lines[1:] == lines
    assert run(*VERSION, *options, "-o", "json").stdout == '{"number": "1"}\n'


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["-a", "", "-e", "1"], "Pacticipant name cannot be blank"),
        (["-a", "Foo", "-e", " "], "Pacticipant version cannot be blank"),
        (["-a", "Foo", "-e", "1", "--branch", ""], "Version branch cannot be blank"),
        (["-a", "Foo", "-e", "1", "-t", ""], "Version tag cannot be blank"),
    ],
)
def test_nothing_of_a_version_is_blank(run: Run, args: list[str], text: str) -> None:
    result = run("create-or-update-version", *args)
    assert (result.exit_code, result.stderr.splitlines()[0]) == (1, text)


def test_a_broker_without_branches_is_reported_as_too_old(run: Run, broker: OtherBroker) -> None:
    broker.answer_index("pb:pacticipant-branch-version")
    assert run(*VERSION, "--branch", "main").stdout.startswith(
        "This version of the Pact Broker does not support branch versions,or you do not have"
    )


TAGGED = {"number": "1", "_embedded": {"tags": [{"name": "dev"}, {"name": "prod"}]}}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        (["-e", "1"], FIXED),
        ([], f"{FOO}/latest-version"),
        (["-l"], f"{FOO}/latest-version"),
        (["--latest", "dev"], f"{FOO}/latest-version/dev"),
    ],
)
def test_a_version_is_described(run: Run, broker: OtherBroker, options: list[str], path: str) -> None:
    broker.answer(f"GET {path}", TAGGED)
    describe = ["describe-version", "-a", "Foo", *options]
    assert run(*describe).stdout == "NUMBER | TAGS    \n-------|---------\n1      | dev prod\n"
    assert run(*describe, "-o", "json").stdout == json.dumps(TAGGED, indent=2) + "\n"
    assert run(*describe, "-o", "id").stdout == "1\n"


def test_a_version_that_is_missing_is_an_error(run: Run) -> None:
    result = run("describe-version", "-a", "Foo", "-e", "nope")
    assert (result.exit_code, result.stdout) == (1, "Pacticipant version not found\n")


def test_versions_are_described_by_where_they_are(run: Run, broker: OtherBroker) -> None:
    def version(pacticipant: str, number: str, **more: str) -> dict[str, Any]:
        return more | {"_embedded": {"pacticipant": {"name": pacticipant}, "version": {"number": number}}}

    def link(path: str) -> dict[str, str]:
        return {"name": "test", "href": broker.url + path}

    broker.answer("GET /elsewhere/environments", {"_links": {"pb:environments": [link("/e")]}})
    relations = {
        "pb:currently-deployed-deployed-versions": link("/d"),
        "pb:currently-supported-released-versions": link("/r"),
    }
    broker.answer("GET /e", {"_links": relations})
    deployed = [version("Foo", "1", applicationInstance="blue"), version("Bar", "8")]
    broker.answer("GET /d", {"_embedded": {"deployedVersions": deployed}})
    broker.answer("GET /r", {"_embedded": {"releasedVersions": [version("Foo", "2")]}})
    describe = ["describe-version", "-a", "Foo", "--environment", "test"]
    assert run(*describe).stdout == (
        "VERSION | STATUS   | ENVIRONMENT | APPLICATION INSTANCE\n"
        "--------|----------|-------------|---------------------\n"
        "1       | Deployed | test        | blue                \n"
        "2       | Released | test        | -                   \n"
    )
    assert run(*describe, "--released", "-o", "id").stdout == "2\n"
    assert run(*describe, "--deployed", "-o", "id").stdout == "1\n"


TAG = ["create-version-tag", "-a", "Foo", "-e", "1"]


def test_a_version_is_tagged(run: Run, broker: OtherBroker) -> None:
    for line in (f"GET {FIXED}", f"PUT {FIXED}/tags/prod", f"PUT {FIXED}/tags/a%2Fb"):
        broker.answer(line, {})
    result = run(*TAG, "-t", "prod", "-t", "a/b", "-t", "prod")
    assert result.stdout == "Tagging Foo version 1 as prod\nTagging Foo version 1 as a/b\n"
    assert broker.lines == [f"GET {FIXED}", f"PUT {FIXED}/tags/prod", f"PUT {FIXED}/tags/a%2Fb"]


def test_a_version_that_is_missing_is_not_tagged(run: Run, broker: OtherBroker) -> None:
    result = run(*TAG, "-t", "prod")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[0] == "Could not create tag. Version 1 of Foo does not exist."
    assert broker.lines[0] == f"GET {FIXED}"
    assert all(line.startswith("GET ") for line in broker.lines)


def test_a_version_can_be_created_by_its_tag(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"PUT {FIXED}/tags/prod", {})
    assert run(*TAG, "-t", "prod", "--auto-create-version").exit_code == 0
    assert broker.lines == [f"PUT {FIXED}/tags/prod"]


def test_a_version_is_tagged_with_the_branch(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"PUT {FIXED}/tags/feat", {})
    result = run(*TAG, "-g", "--auto-create-version", GIT_BRANCH="feat")
    assert result.stdout == "Tagging Foo version 1 as feat\n"


def test_a_tag_is_needed(run: Run) -> None:
    result = run(*TAG)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == "No value provided for required options '--tag'"


def test_a_tag_is_deleted_once(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {FOO}", {"_links": {"pb:version-tag": {"href": "/t/{version}/{tag}", "templated": True}}})
    broker.answer("DELETE /t/1/a%2Fb", status=204)
    broker.answer("DELETE /t/1/a%2Fb", NOT_FOUND, status=404)
    delete = ["delete-version-tag", "-a", "Foo", "-e", "1", "-t", "a/b"]
    assert run(*delete).stdout == "Successfully deleted tag 'a/b' from version '1' of pacticipant 'Foo'\n"
    again = run(*delete)
    assert again.exit_code == 0
    missing = "Tag 'a/b' for version '1' of pacticipant 'Foo' was not found (may have already been deleted)\n"
    assert again.stdout == missing


BRANCH = ["delete-branch", "-a", "Foo", "--branch", "feat/x"]


def test_a_branch_is_deleted(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"DELETE {FOO}/branches/feat%2Fx", status=204)
    result = run(*BRANCH, FORCE_COLOR="1")
    assert result.stdout == "\x1b[32mSuccessfully deleted branch feat/x of pacticipant Foo\x1b[0m\n"


def test_a_branch_that_is_missing_may_matter_or_not(run: Run) -> None:
    result = run(*BRANCH)
    text = "Could not delete branch feat/x of pacticipant Foo as it was not found\n"
    assert (result.exit_code, result.stdout) == (1, text)
    result = run(*BRANCH, "--no-error-when-not-found")
    assert (result.exit_code, result.stdout) == (0, "Branch feat/x of pacticipant Foo not found\n")


def test_a_broker_that_cannot_delete_branches_is_reported_as_too_old(run: Run, broker: OtherBroker) -> None:
    broker.answer_index("pb:pacticipant-branch")
    old = "does not support deleting branches. Please upgrade to version 2.108.0 or later.\n"
    assert run(*BRANCH).stdout == f"This version of the Pact Broker {old}"


def test_a_uuid_is_made_up(run: Run) -> None:
    first, second = (run("generate-uuid").stdout for _ in range(2))
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n", first)
    assert first != second
