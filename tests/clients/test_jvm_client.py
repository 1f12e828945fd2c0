"""The client of a broker inside pact-jvm, which plugins of Maven and Gradle and tests share: its methods."""

import json
import re

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
CONSUMER, PROVIDER = "Order Page/ü", "OrderService"
PROGRAM = toolchains.ROOT / "tests/clients/BrokerCalls.java"


@pytest.fixture
def lines(broker, tmp_path):
    """The result of each method."""
    toolchains.require("mvn", "java", "keytool")
    classpath = toolchains.installed("jvm", *toolchains.MAVEN) / "classpath.txt"
    broker.environment("production")
    options = []
    if broker.authority:
        store = access.trust_store(broker.authority)
        options = [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStorePassword=changeit"]
    pacts = [write_pact(tmp_path / f"{order}.json", order) for order in (7, 8)]
    credentials = ("bearer", "PACT_BROKER_TOKEN"), ("basic", "PACT_BROKER_USERNAME", "PACT_BROKER_PASSWORD")
    (authentication,) = (
        [scheme, *(broker.environ[name] for name in names)]
        for scheme, *names in credentials
        if names[0] in broker.environ
    )
    java = ("java", *options, str(PROGRAM), broker.url, *pacts, *authentication)
    printed = broker.call(*java, cwd=tmp_path, CLASSPATH=classpath.read_text("utf-8").strip())
    return dict(re.findall(r"^([a-z ]+) = (.*)$", printed, re.MULTILINE)) or printed


def write_pact(path, order):
    request = {"method": "GET", "path": f"/orders/{order}"}
    interaction = {"description": f"a request for order {order}", "request": request, "response": {"status": 200}}
    pact = {
        "consumer": {"name": CONSUMER},
        "provider": {"name": PROVIDER},
        "interactions": [interaction],
        "metadata": {"pactSpecification": {"version": "2.0.0"}},
    }
    path.write_text(json.dumps(pact), "utf-8")
    return str(path)


@pytest.mark.long
@exercises(PUBLISH, VERIFY, VERIFY_BY_TAG, PENDING, WIP, RESULTS, CAN_I_DEPLOY, BRANCHES, TAGS)
def test_the_methods_of_the_client_work(lines, broker):
    assert (lines["publish"], lines["publish again"], lines["publish on a branch"]) == ("Ok(value=OK)",) * 3
    assert "409" in lines["publish other content"]
    assert lines["consumers"] == lines["consumers with a tag"] == f"[{CONSUMER}]"
    assert lines["consumers of an unknown provider"] == lines["consumers with an unknown tag"] == "[]"
    for selector in ("main branch", "branch", "matching branch", "tag", "latest tag", "older form"):
        assert re.fullmatch(r"selected pending notices:\d, wip pending notices:\d", lines[f"select {selector}"])
    for selector in ("deployed or released", "deployed", "released", "environment"):
        assert re.fullmatch(r"wip pending notices:\d, wip pending notices:\d", lines[f"select {selector}"])
    for step in ("result with failures", "result", "provider tags", "provider branch"):
        assert lines[step] == "Ok(value=true)"
    assert lines["version tag"].startswith("Ok(")
    deployable = {step.removeprefix("deployable ") for step, result in lines.items() if result.startswith("true, ")}
    assert deployable == {"to tag", "to main branch", "if ignored", "latest of a tag deployable"}
    assert lines["deployable to tag"].startswith("true, unknown 0, result true: All required verification results")
    assert "failed with HTTP response 401" in lines["deployable with a wrong token"]

    assert broker.is_verified(CONSUMER, "1", PROVIDER, "5")
    version = broker.http.get(f"pacticipants/{PROVIDER}/versions/5").json()
    assert {tag["name"] for tag in version["_embedded"]["tags"]} == {"prod", "feat/y"}
    # The first tag of a version is its branch, too.
    assert {branch["name"] for branch in version["_embedded"]["branchVersions"]} == {"prod", "main"}
