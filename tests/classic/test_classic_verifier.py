"""The classic API's verifier, against files and a broker."""

import base64
import json

import httpx
import pytest

from tests.whole import servers, shop
from treaty.pact import Verifier


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setenv("PACT_DO_NOT_TRACK", "true")


@pytest.fixture(scope="module")
def pact(tmp_path_factory):
    return shop.write_pact(tmp_path_factory.mktemp("pacts"))


@pytest.fixture
def broker(tmp_path_factory, pact):
    folder = tmp_path_factory.mktemp("broker")
    credentials = {"PACT_BROKER_BASIC_AUTH_USERNAME": "pact", "PACT_BROKER_BASIC_AUTH_PASSWORD": "secret"}
    with servers.running(f"sqlite:///{folder / 'treaty.sqlite'}", cwd=folder, environ=credentials) as server:
        contract = {
            "consumerName": shop.CONSUMER,
            "providerName": shop.PROVIDER,
            "specification": "pact",
            "contentType": "application/json",
            "content": base64.b64encode(pact.read_bytes()).decode(),
        }
        body = {
            "pacticipantName": shop.CONSUMER,
            "pacticipantVersionNumber": "1",
            "branch": "main",
            "contracts": [contract],
        }
        httpx.post(f"{server.address}/contracts/publish", json=body, auth=("pact", "secret")).raise_for_status()
        yield server.address


def verify(broker, url, **more):
    return Verifier(provider=shop.PROVIDER).verify_with_broker(
        broker_url=broker,
        broker_username="pact",
        broker_password="secret",  # noqa: S106 - the test's
        provider_base_url=url,
        provider_states_setup_url=f"{url}/states",
        **more,
    )


def result(broker, version):
    path = "/pacts/provider/Prices/consumer/Web%20Shop/latest"
    latest = httpx.get(broker + path, auth=("pact", "secret")).json()
    answer = httpx.get(latest["_links"]["pb:latest-verification-results"]["href"], auth=("pact", "secret"))
    verification = answer.json() if answer.is_success else {}
    return verification.get("success") if verification.get("providerApplicationVersion") == version else None


def test_files_are_verified(pact):
    with shop.prices() as url:
        success, logs = Verifier(provider="Prices", provider_base_url=url).verify_pacts(
            str(pact), provider_states_setup_url=f"{url}/states"
        )
    assert success == 0
    assert "a request for a price" in logs


def test_a_broken_provider_gives_1_and_a_difference(pact):
    with shop.prices(is_broken=True) as url:
        result = Verifier(provider="Prices", provider_base_url=url).verify_pacts(
            pact, provider_states_setup_url=f"{url}/states"
        )
    assert result == 1
    assert "price" in result.logs


def test_a_file_that_is_missing_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        Verifier(provider="Prices", provider_base_url="http://127.0.0.1:9").verify_pacts("nowhere.json")


@pytest.mark.parametrize(("is_broken", "version"), [(False, "good"), (True, "bad")])
def test_results_are_published(broker, is_broken, version):
    with shop.prices(is_broken=is_broken) as url:
        code = verify(
            broker,
            url,
            publish_version=version,
            publish_verification_results=True,
            provider_branch="main",
            provider_tags=["dev"],
            enable_pending=False,
        )
    assert code == int(is_broken)
    assert result(broker, version) is not is_broken
    body = httpx.get(f"{broker}/pacticipants/Prices/versions/{version}", auth=("pact", "secret")).json()
    assert [each["name"] for each in body["_embedded"]["tags"]] == ["dev"]
    assert [each["name"] for each in body["_embedded"]["branchVersions"]] == ["main"]


def test_a_pending_pact_does_not_fail(broker):
    with shop.prices(is_broken=True) as url:
        assert verify(broker, url, publish_version="p", provider_branch="new", enable_pending=True) == 0


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"publish_verification_results": False}])
def test_results_are_published_only_if_that_is_requested(broker, more):
    with shop.prices() as url:
        assert verify(broker, url, publish_version="quiet", **more) == 0
    assert result(broker, "quiet") is None


def test_results_without_a_version_are_refused(broker):
    with pytest.raises(ValueError, match="publish_version"):
        verify(broker, "http://127.0.0.1:9", publish_verification_results=True)


@pytest.mark.slow  # tests/plugin chooses pacts in the same way
@pytest.mark.parametrize("selector", [{"branch": "main"}, json.dumps({"mainBranch": True})])
def test_selectors_choose_pacts(broker, selector):
    with shop.prices(is_broken=True) as url:
        assert verify(broker, url, consumer_version_selectors=[selector]) == 1


def test_a_verification_without_pacts_fails(broker):
    with shop.prices() as url:
        assert verify(broker, url, consumer_version_selectors=[{"branch": "elsewhere"}]) == 1


@pytest.mark.slow
def test_credentials_may_be_in_the_url_beside_arguments(broker):
    with shop.prices() as url:
        for prefix in ("pact:secret@", "somebody:else@"):
            assert verify(broker.replace("://", f"://{prefix}"), url) == 0
        verifier = Verifier(provider=shop.PROVIDER, provider_base_url=url)
        assert verifier.verify_with_broker(broker_url=broker.replace("://", "://pact:secret@")) == 0


def test_each_consumer_of_a_broker_is_verified_with_its_states(broker, pact):
    document = json.loads(pact.read_text("utf-8"))
    document["consumer"]["name"] = "Mobile / App"
    path = "/pacts/provider/Prices/consumer/Mobile%20%2F%20App/version/1"
    httpx.put(broker + path, json=document, auth=("pact", "secret")).raise_for_status()
    with shop.prices() as url:
        result = verify(broker, url, publish_version="5", publish_verification_results=True)
    assert result == 0
    assert result.logs.count("a request for a price") == 2
    matrix = httpx.get(f"{broker}/matrix?q[][pacticipant]=Prices&q[][version]=5", auth=("pact", "secret")).json()
    assert {row["consumer"]["name"] for row in matrix["matrix"] if row["verificationResult"]["success"]} == {
        "Mobile / App",
        shop.CONSUMER,
    }


def test_verifying_a_folder_without_pacts_of_the_provider_is_an_error(pact, tmp_path):
    (tmp_path / "package.json").write_text("{}")
    for folder, provider in ((tmp_path, "Prices"), (pact.parent, "Stock")):
        with pytest.raises(FileNotFoundError, match=f"no pacts of the provider {provider} in the folder"):
            Verifier(provider=provider, provider_base_url="http://127.0.0.1:9").verify_pacts(folder)
    with pytest.raises(FileNotFoundError, match="nothing to verify"):
        Verifier(provider="Prices", provider_base_url="http://127.0.0.1:9").verify_pacts()
