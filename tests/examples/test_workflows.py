"""Files for CI systems and Docker are valid, and their commands have the intended effect."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from tests.examples import environments
from tests.waiting import PATIENCE
from tests.whole import servers
from treaty.settings import read_settings

EXAMPLES = environments.ROOT / "examples"
PIPELINE = EXAMPLES / "pipeline"
GITHUB = environments.ROOT / ".github"
DOCUMENTS = {
    "vendor.github-workflows": [*sorted((PIPELINE / "github").iterdir()), *sorted((GITHUB / "workflows").iterdir())],
    "vendor.github-issue-forms": [GITHUB / "ISSUE_TEMPLATE" / "bug.yml", GITHUB / "ISSUE_TEMPLATE" / "idea.yml"],
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
    "vendor.gitlab-ci": sorted((PIPELINE / "gitlab").iterdir()),
    "vendor.compose-spec": [EXAMPLES / "broker" / "compose.yaml", *sorted(environments.ROOT.glob("compose*.yaml"))],
}


@pytest.mark.slow
@pytest.mark.parametrize("schema", DOCUMENTS)
def test_files_for_ci_systems_and_docker_are_valid(schema):
    program = Path(sys.executable).with_name("check-jsonschema")
    assert DOCUMENTS[schema]
    done = subprocess.run([program, "--builtin-schema", schema, *DOCUMENTS[schema]], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", DOCUMENTS["vendor.compose-spec"], ids=str)
def test_a_compose_file_uses_existing_files_services_and_volumes(file):
    services = read(file)["services"]
    treaty = services["treaty"]
    assert (file.parent / treaty["build"] / "Dockerfile").samefile(environments.ROOT / "Dockerfile")
    assert treaty["ports"][0].endswith(":9292")
    assert {*treaty.get("depends_on", {})} <= services.keys()
    volumes = {volume.partition(":")[0] for service in services.values() for volume in service.get("volumes", [])}
    assert volumes == read(file)["volumes"].keys()
    fill = {"DATABASE_PASSWORD": "p", "SECRET_KEY": "a key of sixteen or more", "BROKER_PASSWORD": "a password"}
    environ = {name: VARIABLE.sub(partial(filled, fill), value) for name, value in treaty["environment"].items()}
    assert read_settings({}, environ, file.parent).basic_auth_username


VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")


def filled(values, match):
    return values.get(match[1], match[2])


def read(file: Path) -> Any:
    return YAML(typ="safe").load(file.read_text("utf-8"))


@dataclass(frozen=True)
class Repository:
    """A project of its own, with the program that deploys it."""

    folder: Path
    programs: Path
    commit: str


@pytest.fixture
def repositories(tmp_path):
    """Copies of a consumer and a provider, each committed."""
    examples = shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return {name: committed(examples / folder) for name, folder in FOLDERS.items()}


FOLDERS = {"consumer": "consumer", "provider": "flask_provider"}
PACTICIPANTS = {"consumer": "UserServiceClient", "provider": "UserService"}


def committed(folder):
    (folder / "deploy.sh").write_text("#!/bin/sh\necho deployed >> deployed.txt\n")
    (folder / "deploy.sh").chmod(0o755)
    (folder / ".gitignore").write_text("*.log\n*.txt\n__pycache__\n")

    def git(*words):
        identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
        command = ["git", "-c", "init.defaultBranch=main", *identity, *words]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    git("init")
    git("add", ".")
    git("commit", "-m", folder.name)
    return Repository(folder, environments.programs(folder.name), git("rev-parse", "HEAD"))


@pytest.fixture
def broker(tmp_path):
    with servers.running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", cwd=tmp_path) as server:
        httpx.post(f"{server.address}/environments", json={"name": "production", "production": True}).raise_for_status()
        yield server.address


def github_job(role, job):
    """Give the commands of a job, and the variables that it counts on."""
    workflow = read(PIPELINE / "github" / f"{role}.yml")
    return [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step], set(workflow["env"])


def gitlab_job(role, job):
    pipeline = read(PIPELINE / "gitlab" / f"{role}.gitlab-ci.yml")
    return pipeline[{"test": "contract", "deploy": "production"}[job]]["script"], set()


def github(commit):
    return {
        "GITHUB_SHA": commit,
        "GITHUB_REF": "refs/heads/main",
        "PACT_URL": "",
        "TREATY": "",
        "VERSION": commit,
        "BRANCH": "main",
        "PACT_BROKER_USERNAME": "",
        "PACT_BROKER_PASSWORD": "",
    }


def gitlab(commit):
    return {"CI_COMMIT_SHA": commit, "CI_COMMIT_REF_NAME": "main", "CI_PIPELINE_URL": "http://ci/1"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("commands_of", "variables"), [(github_job, github), (gitlab_job, gitlab)], ids=["GitHub", "GitLab"]
)
def test_both_sides_are_published_verified_and_deployed(repositories, broker, tmp_path, commands_of, variables):
    for role, job in [("consumer", "test"), ("provider", "test"), ("provider", "deploy"), ("consumer", "deploy")]:
        repository = repositories[role]
        commands, expected = commands_of(role, job)
        environ = variables(repository.commit) | {"PACT_BROKER_BASE_URL": broker}
        assert expected <= set(environ)
        for command in commands:
            call(command, repository, tmp_path, environ)
    (production,) = httpx.get(f"{broker}/environments").json()["_embedded"]["environments"]
    listed = production["_links"]["pb:currently-deployed-deployed-versions"]["href"]
    deployed = [each["_embedded"] for each in httpx.get(listed).json()["_embedded"]["deployedVersions"]]
    assert {each["pacticipant"]["name"]: each["version"]["number"] for each in deployed} == {
        PACTICIPANTS[role]: repository.commit for role, repository in repositories.items()
    }
    assert all((repository.folder / "deployed.txt").exists() for repository in repositories.values())


@pytest.mark.slow
def test_a_version_with_an_unverified_pact_is_not_deployed(repositories, broker, tmp_path):
    consumer = repositories["consumer"]
    environ = github(consumer.commit) | {"PACT_BROKER_BASE_URL": broker}
    for command in github_job("consumer", "test")[0]:
        call(command, consumer, tmp_path, environ)
    _, asking, *_ = github_job("consumer", "deploy")[0]
    call(asking.replace("--retry-interval 10", "--retry-interval 0"), consumer, tmp_path, environ, code=1)


@pytest.mark.slow
def test_the_webhook_for_github_is_made(repositories, broker, tmp_path):
    environ = {"PACT_BROKER_BASE_URL": broker, "REPOSITORY": "us/service", "GITHUB_TOKEN": "hidden"}
    call(f"sh {PIPELINE / 'webhook.sh'}", repositories["provider"], tmp_path, environ)
    (link,) = httpx.get(f"{broker}/webhooks").json()["_links"]["pb:webhooks"]
    webhook = httpx.get(link["href"]).json()
    assert webhook["request"]["url"] == "https://api.github.com/repos/us/service/dispatches"
    assert [event["name"] for event in webhook["events"]] == ["contract_requiring_verification_published"]


def call(command, repository, tmp_path, environ, *, code=0):
    """Run a command as a CI system does; its packages are in the environment, so pip has nothing to do."""
    instead = tmp_path / "instead"
    instead.mkdir(exist_ok=True)
    (instead / "pip").write_text("#!/bin/sh\n")
    (instead / "pip").chmod(0o755)
    path = os.pathsep.join([str(instead), str(repository.programs), os.environ["PATH"]])
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        ["bash", "-e", "-c", command],
        cwd=repository.folder,
        env=kept | environ | {"PATH": path, "PACT_DO_NOT_TRACK": "true"},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == code, f"{command}\n{done.stdout}{done.stderr}"
