"""Brokers that accept one pact per request, and brokers that do not change names within pacts."""

import pytest

from tests.cli.conftest import broker as older  # noqa: F401 - a fixture
from treaty.cli.pactfiles import PactFile
from treaty.client import BrokerClient, BrokerConnection, RetryPolicy
from treaty.testing import publishing

PACT = {"consumer": {"name": "Shop"}, "provider": {"name": "Prices"}, "interactions": []}
URL = "/pacts/provider/Prices/consumer/Shop/version/1"


@pytest.fixture
def publish(older):  # noqa: F811 - the fixture above
    older.answer_index("pb:publish-contracts")
    older.answer("PUT /pacticipants/Shop/versions/1/tags/dev", {})

    def publish():
        build = publishing.detect_build("1", branch="main", tags=["dev"])
        with BrokerClient(BrokerConnection(base_url=older.url, retry_policy=RetryPolicy(attempts=1))) as client:
            return publishing.publish(client, build, [PactFile("shop-prices.json", PACT)])

    return publish


def test_a_pact_is_published_at_its_own_address(older, publish):  # noqa: F811 - the fixture above
    older.answer(f"PUT {URL}", {"_links": {"pb:latest-pact-version": {"href": "http://there"}}})
    published = publish()
    assert published.is_complete
    assert "http://there" in published.text
    assert f"PUT {URL}" in older.lines


def test_a_refused_pact_is_reported(older, publish):  # noqa: F811 - the fixture above
    older.answer(f"PUT {URL}", {"error": "no"}, status=400)
    published = publish()
    assert not published.is_complete
    assert "Failed to publish Shop/Prices pact" in published.text


def test_a_renamed_provider_verifies_a_pact_that_has_its_former_name(older, run, pytester):  # noqa: F811 - the fixture above
    message = {"description": "an order", "contents": {"number": 7}}
    pact = {"consumer": {"name": "Shop"}, "provider": {"name": "Prices"}, "messages": [message]}
    links = {"pb:provider": {"href": f"{older.url}/pacticipants/Costs", "name": "Costs"}}
    older.answer(f"GET {URL}", {**pact, "metadata": {"pactSpecification": {"version": "3.0.0"}}, "_links": links})
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.pact(provider="Costs")
        def test_it(pact_verifier):
            pact_verifier.verify(messages={"an order": {"number": 7}})
        """
    )
    printed = run("--broker-url", older.url, "--pact-url", older.url + URL)
    printed.fnmatch_lines(["Verified: * against Shop: 1 of 1 interactions"])
