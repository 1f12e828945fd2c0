"""The page of clients lists observations: fixed versions, and features whose requests were sent."""

import json
from dataclasses import replace

import pytest

from tests.clients import collection, recordings, registry
from tests.clients.recordings import Recorded
from tests.clients.registry import CLIENTS, FEATURES, PENDING, PUBLISH, TAGS, version_in

PINNED = {
    "packages.txt": ("pact-python==2.3.3\n", "pact-python", "2.3.3"),
    "requirements.lock": ("pact-python-cli==1!0.10.9 \\\n    --hash=x\n", "pact-python-cli", "1!0.10.9"),
    "package.json": ('{"devDependencies": {"@pact-foundation/pact": "17.1.4"}}', "@pact-foundation/pact", "17.1.4"),
    "package-lock.json": ('{"packages": {"node_modules/@a/b": {"version": "0.41.0"}}}', "@a/b", "0.41.0"),
    "go.mod": ("require (\n\texample.org/pact/v2 v2.4.2\n)\n", "example.org/pact/v2", "2.4.2"),
    "one/go.mod": ("require example.org/pact/v2 v2.4.2\n", "example.org/pact/v2", "2.4.2"),
    "pom.xml": ("<pact.version>4.6.20</pact.version>", "pact.version", "4.6.20"),
    "Cargo.toml": ('[dependencies]\npact_verifier = { version = "=1.3.1" }\n', "pact_verifier", "1.3.1"),
}


@pytest.mark.parametrize("name", PINNED)
def test_a_version_is_read_from_each_kind_of_manifest(name, tmp_path):
    text, package, version = PINNED[name]
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    assert version_in(file, package) == version
    with pytest.raises(LookupError, match="fixes no version of another"):
        version_in(file, "another")


@pytest.mark.parametrize("version", ["^17.1.0", "~17.1", "*", "latest", ">=17"])
def test_a_version_that_an_installation_chooses_is_refused(version, tmp_path):
    file = tmp_path / "package.json"
    file.write_text(json.dumps({"dependencies": {"pact": version}}))
    with pytest.raises(LookupError, match="fixes no version of pact"):
        version_in(file, "pact")


def test_every_client_of_the_registry_has_fixed_versions():
    assert all(package.version for client in CLIENTS for package in client.packages)


def test_every_client_and_feature_of_the_registry_is_exercised_on_some_way():
    declarations = collection.declarations()
    assert {client for client, _, _ in declarations} == {client.name for client in CLIENTS}
    assert {feature for _, feature, _ in declarations} == {feature.name for feature in FEATURES}


def test_a_feature_is_seen_only_in_requests_that_it_consists_of():
    publication = 'POST /contracts/publish\n{"branch": "main", "tags": []}'
    assert PUBLISH.is_seen_in(["GET /\n", publication])
    assert not PUBLISH.is_seen_in(["GET /contracts/publish\n", "POST /x\nPOST /contracts/publish"])
    assert not TAGS.is_seen_in([publication])
    assert TAGS.is_seen_in(["PUT /pacticipants/Shop/versions/1/tags/prod\n"])
    verification = 'POST /pacts/provider/Prices/for-verification\n{"includePendingStatus":%s}'
    assert PENDING.is_seen_in([verification % "true"])
    assert not PENDING.is_seen_in([verification % "false"])


def test_a_test_that_declares_nothing_is_refused(request):
    with pytest.raises(LookupError, match=r"declares no client or no features: see tests/clients/registry\.py"):
        registry.declared_by(request.node)


REQUEST = Recorded("client", "GET", "/pacticipants/Till?page=1", [("accept", "*/*")], "", 200, "application/hal+json")


@pytest.mark.parametrize(
    ("change", "is_new"),
    [
        ({"path": "/pacticipants/Shop?page=2"}, False),
        ({"sender": "test", "method": "PUT"}, False),
        ({"method": "PUT"}, True),
        ({"path": "/pacticipants/Till/versions"}, True),
        ({"path": "/pacticipants/Till?size=1"}, True),
        ({"headers": [("accept", "application/json")]}, True),
        ({"headers": [("accept", "*/*"), ("content-type", "application/json")]}, True),
        ({"headers": [("accept", "*/*"), ("accept", "*/*")]}, True),
        ({"headers": [("accept", "*/*"), ("baggage", "x")]}, False),
        ({"body": '{"name": "Till"}'}, True),
    ],
)
def test_a_request_of_another_form_is_noticed(change, is_new):
    new = recordings.forms([replace(REQUEST, **change)]) - recordings.forms([REQUEST])
    assert bool(new) == is_new
