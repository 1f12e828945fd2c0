"""The requests of pact-jvm's client, in its order: it follows links, and sends types and queries of its own."""

from typing import Any, Final

import pytest

from tests.api.client import HAL, Answer, Api, publication

pytestmark = pytest.mark.slow_on_postgresql  # about requests; other tests have the same statements

CONSUMER, PROVIDER = "Order Page/ü", "OrderService"
TEXT: Final = "application/json; charset=UTF-8"
ANY: Final = "*/*"
"""How HTTP treats the absence of `Accept`, which the client leaves out where it does not read the response."""


class Client:
    """Sends requests as pact-jvm does."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def read(self, path: str) -> Any:
        # Each request without a body has the type of a body.
        answer = self._api.get(path, accept=f"{HAL}, application/json", type="application/json")
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, HAL), answer.text
        return answer.json()

    def follow(self, document: Any, relation: str, **values: str) -> str:
        """Fill in the template of a link."""
        href: str = document["_links"][relation]["href"]
        for name, value in values.items():
            href = href.replace(f"{{{name}}}", value)
        return href

    def post(self, path: str, body: object) -> Answer:
        return self._api.post(path, body, accept=f"{HAL}, application/json", type=TEXT)


@pytest.fixture
def client(api):
    return Client(api)


@pytest.fixture
def pact(client):
    """The pact that the client has published and found."""
    index = client.read("/")
    body = publication(CONSUMER, "1", PROVIDER, tags=["dev", "feat/x"])
    assert client.post(client.follow(index, "pb:publish-contracts"), body).status == 200
    latest = client.read(client.follow(index, "pb:latest-provider-pacts", provider=PROVIDER))
    tagged = client.follow(index, "pb:latest-provider-pacts-with-tag", provider=PROVIDER, tag="feat%2Fx")
    (link,) = client.read(tagged)["_links"]["pb:pacts"]
    assert [pact_link["name"] for pact_link in latest["_links"]["pb:pacts"]] == [link["name"]] == [CONSUMER]
    return client.read(link["href"])


SELECTORS: Final = [
    {"mainBranch": True},
    {"branch": "none", "consumer": CONSUMER, "fallbackBranch": "main"},
    {"matchingBranch": True},
    {"deployedOrReleased": True},
    {"deployed": True, "environment": "production"},
    {"released": True, "environment": "production"},
    {"environment": "production"},
    {"tag": "dev"},
    {"tag": "none", "latest": True, "fallbackTag": "dev"},
    {"tag": "dev", "consumer": CONSUMER, "latest": False},
]


@pytest.mark.usefixtures("pact")
def test_pacts_are_selected(client, api):
    api.post("/environments", {"name": "production", "production": True})
    path = client.follow(client.read("/"), "pb:provider-pacts-for-verification", provider=PROVIDER)
    for selector in SELECTORS:
        body = {
            "consumerVersionSelectors": [selector],
            "includePendingStatus": True,
            "providerVersionTags": ["prod"],
            "includeWipPactsSince": "2020-01-01",
            "providerVersionBranch": "main",
        }
        answer = client.post(path, body)
        assert answer.status == 200, (selector, answer.text)
        (selected,) = answer.json()["_embedded"]["pacts"]  # by the selector, or as work in progress
        assert selected["_links"]["self"]["href"].startswith("http"), selector
        assert selected["verificationProperties"]["pending"] is True, selector
        assert selected["verificationProperties"]["notices"], selector


def test_results_are_published_and_read(client, api, pact):
    mismatch = {"attribute": "body", "identifier": "$.total", "description": "Expected a number"}
    exception = {"message": "no database", "exceptionClass": "java.lang.IllegalStateException"}
    failures = [
        {"interactionId": "1", "success": False, "mismatches": [mismatch], "interactionDescription": "an order"},
        {"interactionId": "2", "success": False, "mismatches": [], "exceptions": [exception]},
    ]
    verifier = {"implementation": "Pact-JVM", "version": "4.6.20"}
    failed = {"success": False, "providerApplicationVersion": "4", "verifiedBy": verifier, "testResults": failures}
    passed = {"success": True, "providerApplicationVersion": "5", "verifiedBy": verifier}
    for result in (failed, passed):
        href = client.follow(pact, "pb:publish-verification-results")
        assert api.post(href, result, accept=ANY, type=TEXT).status == 201
    provider = client.read(client.follow(pact, "pb:provider"))
    for link in (
        client.follow(provider, "pb:version-tag", version="5", tag="feat%2Fy"),
        client.follow(provider, "pb:branch-version", version="5", branch="main"),
    ):
        assert api.put(link, {}, accept=ANY, type=TEXT).status == 201

    # Brackets of the query are sent as they are.
    of_version = "/matrix?q[][pacticipant]=Order+Page%2F%C3%BC&latestby=cvp&q[][version]=1"
    ignored = "&ignore[][pacticipant]=Billing&ignore[][version]=5&ignore[][pacticipant]=OrderService"
    deployable = {
        "&latest=true&tag=feat%2Fy": True,
        "&mainBranch=true&latest=true": True,
        "&environment=production": False,
        f"&environment=production{ignored}": True,
        "&latest=true": True,
    }
    api.post("/environments", {"name": "production", "production": True})
    answers = {query: client.read(of_version + query) for query in deployable}
    assert {query: answer["summary"]["deployable"] is True for query, answer in answers.items()} == deployable
    row = answers["&latest=true"]["matrix"][0]
    assert row["verificationResult"]["_links"]["self"]["href"].startswith("http")
