"""`treaty import`: the data of one broker is copied to another, and can be copied again."""

import json
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing

import httpx
import pytest

from tests.api.client import publication
from tests.waiting import PATIENCE
from tests.whole.servers import BIN, run, running

OPEN = {"TREATY_WEBHOOK_SCHEME_WHITELIST": "http https", "TREATY_WEBHOOK_HOST_WHITELIST": "127.0.0.1"}
CLOSED = {"PACT_BROKER_BASIC_AUTH_USERNAME": "pact", "PACT_BROKER_BASIC_AUTH_PASSWORD": "secret"}
TILL, LEDGER = "Till/2 ü", "Ledger"
VERSIONS = 12
FILE = "source.sqlite"


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A broker with a history, which the tests do not change, and its folder."""
    folder = tmp_path_factory.mktemp("source")
    with running(f"sqlite:///{folder / FILE}", cwd=folder, environ=OPEN | CLOSED) as server:
        fill(httpx.Client(base_url=server.address, auth=("pact", "secret")))
        yield server.address, folder


@pytest.fixture
def source(filled):
    address, _ = filled
    return address


@pytest.fixture
def changing_source(filled, tmp_path):
    """A broker with the same history, which only this test uses."""
    _, original = filled
    folder = tmp_path / "source"
    folder.mkdir()
    shutil.copy(original / "treaty.key", folder)
    with closing(sqlite3.connect(original / FILE)) as theirs, closing(sqlite3.connect(folder / FILE)) as own:
        theirs.backup(own)
    with running(f"sqlite:///{folder / FILE}", cwd=folder, environ=OPEN | CLOSED) as server:
        yield server.address


@pytest.fixture
def target(tmp_path):
    with running(f"sqlite:///{tmp_path / 'target.sqlite'}", cwd=tmp_path, environ=OPEN) as server:
        yield server.address


@pytest.fixture
def copied(tmp_path, source, target):
    """Runs `treaty import`, and returns its report."""

    def copied(*words, code=0, **environ):
        address = {"PACT_BROKER_BASE_URL": target, "TREATY_IMPORT_FROM": source}
        identity = {"TREATY_IMPORT_FROM_USERNAME": "pact", "TREATY_IMPORT_FROM_PASSWORD": "secret"}
        done = run("treaty", "import", "-o", "json", *words, cwd=tmp_path, **(address | identity | environ))
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    return copied


def fill(client):
    """Create a history: versions, branches, tags, changing pacts, results, deployments and webhooks."""
    with client:
        send(client, "POST", "/pacticipants", name=TILL, mainBranch="main", displayName="The Till")
        send(client, "PUT", "/pacticipants/Till%2F2%20%C3%BC/labels/shop")
        for number in range(1, VERSIONS + 1):
            branch = "main" if number % 3 else "feat/x"
            more = {"branch": branch, "tags": ["dev", f"t{number}"], "buildUrl": f"http://ci/{number}"}
            content = f"thing {number // 4}"
            published = send(
                client, "POST", "/contracts/publish", **publication(TILL, str(number), LEDGER, content, **more)
            )
            verify(client, published["_links"]["pb:contracts"][0]["href"], str(number), success=number != 5)
        uuid = send(client, "POST", "/environments", name="test", production=False, contacts=[{"name": "Us"}])["uuid"]
        till, ledger = "/pacticipants/Till%2F2%20%C3%BC/versions/4", "/pacticipants/Ledger/versions/4"
        for instance in ("blue", "green"):
            send(client, "POST", f"{till}/deployed-versions/environment/{uuid}", applicationInstance=instance)
        send(client, "POST", f"{ledger}/deployed-versions/environment/{uuid}")
        send(client, "POST", f"{ledger}/released-versions/environment/{uuid}")
        webhook(client, "plain", headers={"X-A": "b"})
        secrets = {"username": "me", "password": "hidden", "headers": {"Authorization": "hidden", "X-A": "b"}}
        webhook(client, "secret", **secrets)


def webhook(client, description, **request):
    events = [{"name": "contract_content_changed"}]
    request = {"method": "POST", "url": "http://127.0.0.1:9/", "body": {"a": "${pactbroker.pactUrl}"}} | request
    send(client, "POST", "/webhooks", description=description, events=events, request=request, consumer={"name": TILL})


def verify(client, pact, version, *, success):
    results = client.get(pact).raise_for_status().json()["_links"]["pb:publish-verification-results"]["href"]
    body = {"success": success, "providerApplicationVersion": version, "testResults": [{"success": success}]}
    send(client, "POST", results, **body)
    if version == "4":
        send(client, "POST", results, **body, buildUrl="http://ci/again")


def send(client, method, url, **body):
    return client.request(method, url, json=body).raise_for_status().json()


def snapshot(url, auth=None):
    """Return the responses of a broker, without its address and without times."""
    with httpx.Client(base_url=url, auth=auth, timeout=PATIENCE) as client:

        def get(path):
            return client.get(path).raise_for_status().json()

        pair = f"/matrix?q[][pacticipant]={TILL}&q[][pacticipant]={LEDGER}&limit=1000"
        pacticipants = get("/pacticipants")["_embedded"]["pacticipants"]
        versions = [
            version for each in pacticipants for version in get(path(each) + "/versions")["_embedded"]["versions"]
        ]
        environments = get("/environments")["_embedded"]["environments"]
        hooks = [get(link["href"]) for link in get("/webhooks")["_links"]["pb:webhooks"]]
        return {
            "pacticipants": [
                (each["name"], each["displayName"], each.get("mainBranch"), labels(get(path(each))))
                for each in pacticipants
            ],
            "versions": [described(version) for version in versions],
            "pacts": [content(get(link["href"])) for each in versions for link in each["_links"]["pb:pact-versions"]],
            "results": sorted(row(each) for each in get(pair)["matrix"]),
            "environments": [(each["name"], each["production"], each.get("contacts")) for each in environments],
            "inside": [inside(get(link(each, name))) for each in environments for name in INSIDE],
            "webhooks": sorted(json.dumps(hooked(each)) for each in hooks),
        }


INSIDE = ("pb:currently-deployed-deployed-versions", "pb:currently-supported-released-versions")


def link(resource, name):
    return resource["_links"][name]["href"]


def path(resource):
    return link(resource, "self")


def labels(pacticipant):
    return [label["name"] for label in pacticipant["_embedded"]["labels"]]


def described(version):
    branches = [(each["name"], each["latest"]) for each in version["_embedded"]["branchVersions"]]
    return version["number"], version.get("buildUrl"), branches, [tag["name"] for tag in version["_embedded"]["tags"]]


def content(pact):
    return [interaction["description"] for interaction in pact["interactions"]], pact["_links"]["self"]["name"]


def row(each):
    result = each["verificationResult"]
    number = int(path(result).rpartition("/")[2])
    return each["consumer"]["version"]["number"], each["provider"]["version"]["number"], result["success"], number


def inside(listed):
    (rows,) = [each for name, each in listed["_embedded"].items() if name != "environment"] or [[]]
    return sorted(
        (
            each["_embedded"]["pacticipant"]["name"],
            each["_embedded"]["version"]["number"],
            each.get("applicationInstance") or "",
        )
        for each in rows
    )


def hooked(webhook):
    names = ("description", "events", "consumer", "provider", "request")
    kept = {name: webhook[name] for name in names if name in webhook}
    return kept | {"consumer": {"name": webhook["consumer"]["name"]}, "enabled": webhook["enabled"]}


def without_webhooks(taken):
    return {name: value for name, value in taken.items() if name != "webhooks"}


ALL = {
    "pacticipants": 2,
    "versions": 2 * VERSIONS,
    "environments": 1,
    "pacts": VERSIONS,
    "results": VERSIONS + 1,
    "provider-contracts": 0,
    "deployments": 3,
    "releases": 1,
    "webhooks": 2,
}
NONE = dict.fromkeys(ALL, 0)


def test_all_data_is_the_same_after_an_import_and_a_second_import_copies_nothing(copied, source, target):
    report = copied()
    assert (report["copied"], report["found"], report["refused"]) == (ALL, NONE, [])
    theirs, ours = snapshot(source, ("pact", "secret")), snapshot(target)
    assert without_webhooks(ours) == without_webhooks(theirs)
    plain, secret = map(json.loads, ours["webhooks"])
    assert json.dumps(plain) in theirs["webhooks"]
    assert (secret["enabled"], secret["request"]["headers"]) == (False, {"x-a": "b"})
    assert "password" not in secret["request"]
    assert report["notes"] == ["The webhook secret is disabled: its secrets are hidden. Add them, and enable it."]
    again = copied()
    assert (again["copied"], again["found"]) == (NONE, ALL)
    assert snapshot(target) == ours


def test_a_dry_run_has_the_same_report_and_changes_nothing(copied, target):
    report = copied("--dry-run")
    assert report["copied"] == ALL
    assert httpx.get(f"{target}/pacticipants").json()["pacticipants"] == []


def test_an_import_continues_after_it_was_killed(tmp_path, copied, source, target):
    words = ("import", "--from", source, "--from-username", "pact", "--from-password", "secret", "-b", target)
    with subprocess.Popen([BIN / "treaty", *words], cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        while not httpx.get(f"{target}/pacts/latest").json()["pacts"]:
            assert process.poll() is None
        process.kill()
    report = copied()
    assert report["found"]["versions"]
    assert without_webhooks(snapshot(target)) == without_webhooks(snapshot(source, ("pact", "secret")))


def test_data_added_to_the_source_is_copied_by_a_later_import(copied, changing_source, target):
    source = changing_source
    copied(TREATY_IMPORT_FROM=source)
    with httpx.Client(base_url=source, auth=("pact", "secret")) as client:
        published = send(client, "POST", "/contracts/publish", **publication(TILL, "99", LEDGER, "new", branch="main"))
        verify(client, published["_links"]["pb:contracts"][0]["href"], "98", success=True)
        verify(client, f"/pacts/provider/Ledger/consumer/Till%2F2%20%C3%BC/version/{VERSIONS}", "12", success=True)
        send(client, "PUT", "/pacticipants/Ledger/versions/4/tags/late")
    report = copied(TREATY_IMPORT_FROM=source)
    assert report["copied"] == NONE | {"versions": 3, "pacts": 1, "results": 2}
    theirs, ours = snapshot(source, ("pact", "secret"))["results"], snapshot(target)["results"]
    assert sorted(result[:3] for result in ours) == sorted(result[:3] for result in theirs)


def test_a_pact_that_differs_is_reported_and_not_changed(copied, target):
    mine = publication(TILL, "1", LEDGER, "mine")
    httpx.post(f"{target}/contracts/publish", json=mine).raise_for_status()
    report = copied(code=1)
    assert report["refused"] == [
        f"the pact of {TILL} 1 with {LEDGER}: this version has another pact here, which stays as it is"
    ]
    pact = httpx.get(f"{target}/pacts/provider/Ledger/consumer/Till%2F2%20%C3%BC/version/1").json()
    assert pact["interactions"][0]["description"] == "a request for mine"
    assert report["copied"]["pacts"] == VERSIONS - 1


def test_webhooks_that_the_target_refuses_are_reported_and_all_other_data_is_copied(tmp_path, copied):
    with running(f"sqlite:///{tmp_path / 'strict.sqlite'}", cwd=tmp_path) as strict:
        report = copied(code=1, PACT_BROKER_BASE_URL=strict.address)
    assert [text.partition(":")[0] for text in report["refused"]] == ["The webhook plain", "The webhook secret"]
    assert report["copied"] == ALL | {"webhooks": 0}


def test_missing_credentials_for_the_source_are_reported_with_the_next_step(tmp_path, source, target):
    done = run("treaty", "import", "--from", source, "-b", target, cwd=tmp_path)
    assert done.returncode == 1
    assert f"Error making request to {source} status=401" in done.stdout
    assert "Run the command again to continue" in done.stderr


def test_the_command_prints_progress_and_a_table_of_copied_and_skipped_data(tmp_path, source, target):
    words = ("--from-username", "pact", "--from-password", "secret")
    done = run("treaty", "import", "--from", source, "-b", target, *words, cwd=tmp_path)
    rows = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines()]
    assert ["pacts", str(VERSIONS), "0", "0", "0"] in rows
    assert ["Not copied", "users, teams and tokens", "no broker returns them"] in rows
    assert "The webhook secret is disabled" in done.stdout
    assert re.search(rf"^\[2/9\] versions: {2 * VERSIONS} in \d+ s$", done.stderr, re.MULTILINE)


def test_a_broker_is_not_copied_to_itself(tmp_path, target):
    done = run("treaty", "import", "--from", f"{target}/", "-b", target, cwd=tmp_path)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "Both brokers are the same.")
