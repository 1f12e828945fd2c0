"""The example in JavaScript with the newest pact-js, which needs Node 22."""

import os

from tests.clients import access, toolchains
from tests.clients.registry import JAVASCRIPT, RESULTS, VERIFY, client, exercises
from tests.whole import servers

pytestmark = client(JAVASCRIPT)
CONSUMER, PROVIDER = "UserPage", "UserService"
PUBLISH = (str(servers.BIN / "pact-broker"), "publish", "pacts", "--consumer-app-version", "1", "--branch", "main")


@access.ESPECIALLY_GUARDED
@exercises(VERIFY, RESULTS)
def test_pact_js_17_verifies_its_published_pact(broker, tmp_path):
    modules = toolchains.newest_node()
    folder = toolchains.copied("javascript", tmp_path)
    (folder / "node_modules").symlink_to(modules)
    path = f"{modules / '.bin'}{os.pathsep}{os.environ['PATH']}"
    assert broker.call("node", "--version", cwd=folder, PATH=path) >= "v22"

    broker.call("node", "--test", "consumer.test.js", cwd=folder, PATH=path)
    broker.call(*PUBLISH, cwd=folder)
    broker.main_branch(CONSUMER)
    broker.call("node", "--test", "provider.test.js", cwd=folder, PATH=path, PROVIDER_VERSION="17")
    assert broker.is_verified(CONSUMER, "1", PROVIDER, "17")
