"""The example for the JVM: pact-jvm's JUnit 5 extensions and its Maven plugin, with branches and with tags alone."""

from functools import partial

import pytest

from tests.clients import access, toolchains
from tests.clients.registry import (
    BRANCHES,
    CAN_I_DEPLOY,
    JVM,
    PENDING,
    PUBLISH,
    RESULTS,
    TAGS,
    VERIFY,
    VERIFY_BY_TAG,
    WIP,
    client,
    exercises,
)

pytestmark = client(JVM)
CONSUMER, PROVIDER = "JvmOrderPage", "JvmOrderService"
PUBLISHED = {"pact.verifier.publishResults": "true"}
NEW_EXPECTATION = """
  @Pact(consumer = CONSUMER)
  V4Pact cancelledOrder(PactBuilder builder) {
    return builder
        .given("order 7 exists")
        .expectsToReceiveHttpInteraction("a request for a cancelled order", http -> http
            .withRequest(request -> request.method("GET").path("/orders/7"))
            .willRespondWith(response -> response.status(410)))
        .toPact();
  }

  @Test
  @PactTestFor(pactMethod = "cancelledOrder")
  void noticesCancellation(MockServer server) {
    org.junit.jupiter.api.Assertions.assertThrows(java.io.IOException.class,
        () -> new OrderClient(server.getUrl()).total(7));
  }
}
"""


@pytest.fixture
def maven(broker, tmp_path):
    """Run a goal of Maven in the example."""
    toolchains.require("mvn", "keytool")
    toolchains.installed("jvm", *toolchains.MAVEN)
    return partial(run_goal, broker, toolchains.copied("jvm", tmp_path))


def run_goal(broker, folder, *goals, code=0, **properties):
    variables = {}
    if broker.authority:
        store = access.trust_store(broker.authority)
        options = f"-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit"
        # Maven itself, and the process in which it runs the tests.
        variables, properties = {"MAVEN_OPTS": options}, {**properties, "argLine": options}
    words = [f"-D{name}={value}" for name, value in properties.items()]
    return broker.call("mvn", "-q", "-B", *goals, *words, cwd=folder, code=code, **variables)


def publish(maven, **properties):
    maven("test", "pact:publish", test="ConsumerTest", **properties)


def verify(maven, **properties):
    return maven("test", test="ProviderTest", **PUBLISHED, **properties)


@pytest.mark.long
@exercises(PUBLISH, TAGS, VERIFY, VERIFY_BY_TAG, RESULTS, CAN_I_DEPLOY)
def test_both_sides_are_deployed_with_tags_alone(maven, broker):
    publish(maven, **{"pact.consumer.tags": "master"})
    verify(maven, **{"consumer.tag": "master", "pact.provider.tag": "master"})
    assert broker.is_verified(CONSUMER, "1.0.0", PROVIDER, "1.0.0")
    question = {"pacticipantVersion": "1.0.0", "toTag": "prod"}
    assert "Computer says no" in maven("pact:can-i-deploy", code=1, pacticipant=CONSUMER, **question)
    for application in (PROVIDER, CONSUMER):
        assert "Computer says yes" in maven("pact:can-i-deploy", pacticipant=application, **question)
        maven("pact:create-version-tag", pacticipant=application, pacticipantVersion="1.0.0", tag="prod")
    tags = broker.http.get(f"pacticipants/{CONSUMER}/versions/1.0.0").json()["_embedded"]["tags"]
    assert {tag["name"] for tag in tags} == {"master", "prod"}


@access.ESPECIALLY_GUARDED
@exercises(PUBLISH, BRANCHES, VERIFY, PENDING, WIP, RESULTS, CAN_I_DEPLOY)
def test_a_new_expectation_is_pending_on_a_branch(maven, broker, tmp_path):
    broker.environment("production")
    first = {"pact.projectVersion": "1", "pact.branch": "main"}
    publish(maven, **first)
    verify(maven, **first)
    question = {"pacticipant": CONSUMER, "toEnvironment": "production"}
    assert "Computer says no" in maven("pact:can-i-deploy", code=1, pacticipantVersion="1", **question)
    broker.deploy(PROVIDER, "1", "production")
    assert "Computer says yes" in maven("pact:can-i-deploy", pacticipantVersion="1", **question)

    test = tmp_path / "jvm/src/test/java/example/ConsumerTest.java"
    test.write_text(test.read_text("utf-8").rstrip().removesuffix("}") + NEW_EXPECTATION, "utf-8")
    publish(maven, **{"pact.projectVersion": "2", "pact.branch": "feature/cancelled"})
    pending = {"pactbroker.enablePending": "true", "pactbroker.includeWipPactsSince": "2020-01-01"}
    assert "pending" in verify(maven, **{"pact.projectVersion": "2", "pact.branch": "main"}, **pending)
    assert broker.is_verified(CONSUMER, "1", PROVIDER, "2")
    assert not broker.is_verified(CONSUMER, "2", PROVIDER, "2")
