"""A command with a misspelt name reports the missing name, and suggests a similar one."""

import json

import pytest
from click.testing import CliRunner

from tests.api.commands import answer_with
from tests.cli.commands import WORDS
from tests.databases import on_sqlite
from tests.http_server import serving
from treaty.cli import PACT_BROKER

SHOP = "web-storefront"
STOCK = "stock-service"
ENVIRONMENT = "staging-eu"
HOOK = "https://ci.example.org/hook"


@pytest.fixture
def broker(api, monkeypatch):
    """A broker with two applications, an environment and a webhook, and the command line for it."""
    monkeypatch.setenv("PACT_BROKER_HTTP_RETRIES", "1")
    api.publish(SHOP, "1.4.0", STOCK, "a")
    api.put(f"/pacticipants/{SHOP}/branches/feature%2Flogin/versions/1.4.0", {})
    api.put(f"/pacticipants/{SHOP}/versions/1.4.0/tags/production", {})
    with serving(answer_with(api)) as address:

        def run(*words):
            return CliRunner().invoke(PACT_BROKER, [*words, "-b", address], prog_name="pact-broker")

        yield run


@pytest.fixture
def uuids(api):
    environment = api.post("/environments", {"name": ENVIRONMENT, "production": False}).json()["uuid"]
    body = {"events": [{"name": "contract_published"}], "request": {"method": "POST", "url": HOOK}, "description": "CI"}
    webhook = api.post("/webhooks", body).json()["_links"]["self"]["href"].rpartition("/")[2]
    return {"ENVIRONMENT": environment, "WEBHOOK": webhook}


def misspell(uuid):
    return uuid[:-2] + ("0" if uuid[-2] != "0" else "1") + uuid[-1]


APPLICATION = f"There is no application web-storefrnt. Did you mean {SHOP}?"
VERSION = f"No version 1.4.1 of {SHOP}. Did you mean 1.4.0?"
PLACE = f"There is no environment stagign-eu. Did you mean {ENVIRONMENT}?"
BRANCH = f"There is no branch feature/logn of {SHOP}. Did you mean feature/login?"
TAG = f"There is no tag productoin of {SHOP}. Did you mean production?"
TYPO, RIGHT = ("--pacticipant", "web-storefrnt"), ("--pacticipant", SHOP)
WRONG_VERSION, RIGHT_VERSION = ("--version", "1.4.1"), ("--version", "1.4.0")
WRONG_PLACE, RIGHT_PLACE = ("--environment", "stagign-eu"), ("--environment", ENVIRONMENT)
HOOKED = (HOOK, "--request", "POST", "--contract-published")

FAILING = [
    (
        "wait",
        ("--for", "contract_published", "--timeout", "0", "--consumer", "web-storefrnt"),
        f"There is no application 'web-storefrnt' yet, so there are no events of it. Did you mean {SHOP}?",
    ),
    ("get-pacts", ("--provider", "stock-servcie"), f"There is no application stock-servcie. Did you mean {STOCK}?"),
    ("get-pacts", ("--provider", STOCK, "--consumer", "web-storefrnt"), APPLICATION),
    ("provider-states list", ("--provider", "stock-servcie"), "Did you mean stock-service?"),
    ("who-uses", ("--provider", "stock-servcie", "--field", "x"), f"stock-servcie. Did you mean {STOCK}?"),
    ("can-i-deploy", (*TYPO, *RIGHT_VERSION, "--to-environment", ENVIRONMENT), APPLICATION),
    ("can-i-deploy", (*RIGHT, *RIGHT_VERSION, "--to-environment", "stagign-eu"), PLACE),
    ("can-i-deploy", (*RIGHT, *WRONG_VERSION, "--to-environment", ENVIRONMENT), VERSION),
    ("can-i-deploy", (*RIGHT, "--branch", "feature/logn", "--to-environment", ENVIRONMENT), BRANCH),
    ("can-i-deploy", (*RIGHT, "--latest", "productoin", "--to-environment", ENVIRONMENT), TAG),
    (
        "can-i-deploy",
        (*RIGHT, *RIGHT_VERSION, "--ignore", "stock-servcie", "--to-environment", ENVIRONMENT),
        f"There is no application stock-servcie. Did you mean {STOCK}?",
    ),
    ("can-i-deploy", ("--set", "web-storefrnt@1.4.0", "--to-environment", ENVIRONMENT), APPLICATION),
    ("can-i-deploy", ("--set", f"{SHOP}@1.4.0", "--to-environment", "stagign-eu"), PLACE),
    ("can-i-merge", (*TYPO, *RIGHT_VERSION), APPLICATION),
    ("can-i-merge", (*RIGHT, *WRONG_VERSION), VERSION),
    ("update-environment", ("--uuid", "ENVIRONMENT"), f"ENVIRONMENT ({ENVIRONMENT})"),
    ("describe-environment", ("--uuid", "ENVIRONMENT"), f"ENVIRONMENT ({ENVIRONMENT})"),
    ("delete-environment", ("--uuid", "ENVIRONMENT"), f"ENVIRONMENT ({ENVIRONMENT})"),
    ("record-deployment", (*TYPO, *RIGHT_VERSION, *RIGHT_PLACE), APPLICATION),
    ("record-deployment", (*RIGHT, *WRONG_VERSION, *RIGHT_PLACE), VERSION),
    ("record-deployment", (*RIGHT, *RIGHT_VERSION, *WRONG_PLACE), PLACE),
    ("record-release", (*TYPO, *RIGHT_VERSION, *RIGHT_PLACE), APPLICATION),
    ("record-release", (*RIGHT, *WRONG_VERSION, *RIGHT_PLACE), VERSION),
    ("record-release", (*RIGHT, *RIGHT_VERSION, *WRONG_PLACE), PLACE),
    ("record-undeployment", (*TYPO, *RIGHT_PLACE), APPLICATION),
    ("record-undeployment", (*RIGHT, *WRONG_PLACE), PLACE),
    ("record-support-ended", (*TYPO, *RIGHT_VERSION, *RIGHT_PLACE), APPLICATION),
    ("record-support-ended", (*RIGHT, *WRONG_VERSION, *RIGHT_PLACE), VERSION),
    ("record-support-ended", (*RIGHT, *RIGHT_VERSION, *WRONG_PLACE), PLACE),
    ("override create", (*TYPO, *RIGHT_VERSION, *RIGHT_PLACE, "--reason", "x"), APPLICATION),
    ("override create", (*RIGHT, *WRONG_VERSION, *RIGHT_PLACE, "--reason", "x"), VERSION),
    ("override create", (*RIGHT, *RIGHT_VERSION, *WRONG_PLACE, "--reason", "x"), PLACE),
    ("rename", ("web-storefrnt", "shop"), APPLICATION),
    ("describe-pacticipant", ("--name", "web-storefrnt"), APPLICATION),
    ("describe-version", (*TYPO, *RIGHT_VERSION), APPLICATION),
    ("describe-version", (*RIGHT, *WRONG_VERSION), VERSION),
    ("describe-version", (*RIGHT, "--latest", "productoin"), TAG),
    ("describe-version", (*RIGHT, *WRONG_PLACE), PLACE),
    ("create-version-tag", (*TYPO, *RIGHT_VERSION, "--tag", "x"), APPLICATION),
    ("create-version-tag", (*RIGHT, *WRONG_VERSION, "--tag", "x"), VERSION),
    ("alias", (*TYPO, *RIGHT_VERSION, "--alias", "x"), APPLICATION),
    ("alias", (*RIGHT, *WRONG_VERSION, "--alias", "x"), VERSION),
    ("delete-version-tag", (*TYPO, *RIGHT_VERSION, "--tag", "production"), APPLICATION),
    ("delete-branch", (*TYPO, "--branch", "feature/login"), APPLICATION),
    ("delete-branch", (*RIGHT, "--branch", "feature/logn"), BRANCH),
    ("create-webhook", (*HOOKED, "--consumer", "web-storefrnt"), APPLICATION),
    ("create-webhook", (*HOOKED, "--consumer", SHOP, "--provider", "stock-servcie"), "Did you mean stock-service?"),
    ("create-or-update-webhook", (*HOOKED, "--uuid", "new-hook-1234567", "--consumer", "web-storefrnt"), APPLICATION),
    ("test-webhook", ("--uuid", "WEBHOOK"), "WEBHOOK (CI)"),
]
SUCCEEDING = [
    ("get-pacts", ("--provider", STOCK, "--consumer", SHOP, "--branch", "feature/logn"), BRANCH),
    (
        "get-pacts",
        ("--provider", STOCK, "--branch", "feature/logn"),
        f"There is no branch feature/logn of the consumers of {STOCK}. Did you mean feature/login?",
    ),
    ("provider-states list", ("--provider", STOCK, "--branch", "feature/logn"), "Did you mean feature/login?"),
    ("provider-states list", ("--provider", STOCK, *WRONG_PLACE), PLACE),
    ("delete-version-tag", (*RIGHT, *WRONG_VERSION, "--tag", "production"), VERSION),
    (
        "delete-version-tag",
        (*RIGHT, *RIGHT_VERSION, "--tag", "productoin"),
        f"There is no tag productoin on version 1.4.0 of {SHOP}. Did you mean production?",
    ),
    ("delete-branch", (*RIGHT, "--branch", "feature/logn", "--no-error-when-not-found"), BRANCH),
    ("delete-webhook", ("--uuid", "WEBHOOK"), "WEBHOOK (CI)"),
    ("decisions", WRONG_PLACE, PLACE),
    ("decisions", (*RIGHT, *WRONG_VERSION), VERSION),
    ("decisions", TYPO, APPLICATION),
    ("override list", TYPO, APPLICATION),
    ("override list", WRONG_PLACE, PLACE),
]
"""Commands with an empty answer, and those that, as in the original, succeed although there is nothing to delete."""
UNANSWERED = [
    ("what-if", (*RIGHT_PLACE, "--retire", "web-storefrnt"), APPLICATION),
    ("what-if", (*WRONG_PLACE, "--deploy", f"{SHOP}@1.4.0"), PLACE),
    ("report", (*TYPO, *RIGHT_VERSION, "--to-environment", ENVIRONMENT, "--to", "stdout"), APPLICATION),
    ("report", (*RIGHT, *RIGHT_VERSION, "--to-environment", "stagign-eu", "--to", "stdout"), PLACE),
    ("compare", ("api.yaml", "--main", "--provider", "stock-servcie"), f"Did you mean {STOCK}?"),
    ("compare", ("api.yaml", "--provider", STOCK, *WRONG_PLACE), PLACE),
    ("diff", ("old.yaml", "new.yaml", "--provider", STOCK, *WRONG_PLACE), PLACE),
]
"""Commands that answer a question, for which 1 is a negative answer."""
CREATING = {
    "publish",
    "create-environment",
    "create-or-update-pacticipant",
    "create-or-update-version",
    "pactflow publish-provider-contract",
    "publish-provider-contract",
}
"""Commands that create the resources that they name."""
LISTING = {
    "decision",
    "comparison-engine",
    "list-latest-pact-versions",
    "list-environments",
    "list-pacticipants",
    "override revoke",
}


def test_the_table_has_every_command_that_names_something():
    assert {name for name, _, _ in (*FAILING, *SUCCEEDING, *UNANSWERED)} | CREATING | LISTING == set(WORDS)


@on_sqlite
@pytest.mark.parametrize(
    ("exit_code", "name", "words", "sentence"),
    [
        *((1, *case) for case in FAILING),
        *((0, *case) for case in SUCCEEDING),
        *((2, *case) for case in UNANSWERED),
    ],
)
def test_a_misspelt_name_is_reported_with_a_similar_existing_name(broker, uuids, exit_code, name, words, sentence):
    misspelt = {kind: misspell(uuid) for kind, uuid in uuids.items()}
    result = broker(*name.split(), *(misspelt.get(word, word) for word in words))
    assert result.exit_code == exit_code
    assert result.exception is None or isinstance(result.exception, SystemExit)
    for kind, uuid in uuids.items():
        sentence = sentence.replace(f"{kind} ", f"Did you mean {uuid} ")
    assert sentence in result.output
    assert "Did you mean" in result.output


@on_sqlite
def test_json_has_the_brokers_response_and_stderr_the_sentence(broker, uuids):  # noqa: ARG001 - the environment
    result = broker("describe-pacticipant", "--name", "web-storefrnt", "-o", "json")
    assert "error" in json.loads(result.stdout)
    assert result.stderr == f"{APPLICATION}\n"


@on_sqlite
def test_a_name_that_is_like_no_other_leads_to_the_list(broker):
    result = broker("describe-pacticipant", "--name", "zzz")
    sentence = "There is no application zzz. `pact-broker list-pacticipants` lists the applications."
    assert (result.exit_code, result.stdout, result.stderr) == (1, f"{sentence}\n", "")


@on_sqlite
def test_right_names_are_not_blamed_for_another_reason(broker):
    result = broker("create-webhook", "ftp://x", "--request", "POST", "--contract-published", "--consumer", SHOP)
    assert result.exit_code == 1
    assert "There is no" not in result.output


@on_sqlite
def test_an_environment_that_is_like_no_other_can_be_created(broker):
    result = broker("can-i-deploy", *RIGHT, *RIGHT_VERSION, "--to-environment", "x;y")
    assert "There is no environment x;y. " in result.stdout
    assert "Create it: pact-broker create-environment --name 'x;y'\n" in result.stdout
