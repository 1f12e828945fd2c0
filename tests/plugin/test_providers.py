"""Providers: a test for each interaction, and results that are published."""

import base64
import fnmatch
import json
from typing import Any

import httpx
import pytest

from tests.api.client import publication


@pytest.fixture(scope="module")
def pacts():
    """The pact that the plugin wrote for the first consumer; those of the others differ in the name only."""
    return []


@pytest.fixture
def published(run, consumer, broker, pytester, pacts):
    """A pact of a consumer of this test's own, in the broker."""

    def published(name, version="1", branch="main"):
        if not pacts:
            consumer(**{"Web Shop": name})
            run("test_consumer.py")
            (written,) = (pytester.path / "pacts").glob("*.json")
            pacts.append(json.loads(written.read_text("utf-8")))
            written.unlink()
        pact = pacts[0] | {"consumer": {"name": name}}
        body = publication(name, version, "Prices", branch=branch)
        body["contracts"][0]["content"] = base64.b64encode(json.dumps(pact).encode()).decode()
        httpx.post(f"{broker}/contracts/publish", json=body).raise_for_status()

    return published


def results(broker, consumer, version="1") -> Any:
    pact = httpx.get(f"{broker}/pacts/provider/Prices/consumer/{consumer}/version/{version}").json()
    answer = httpx.get(pact["_links"]["pb:latest-verification-results"]["href"])
    return answer.json() if answer.is_success else None


@pytest.mark.parametrize(
    "workers", [pytest.param((), id="alone"), pytest.param(("-n", "2"), id="with xdist", marks=pytest.mark.slow)]
)
def test_each_interaction_is_a_test_and_the_result_is_published(run, provider, broker, published, workers):
    name = f"Good{len(workers)}"
    published(name)
    provider(more=f", consumer='{name}'")
    printed = run(
        "test_provider.py",
        *("--broker-url", broker, "--provider-version", "p1", "--provider-branch", "main", "--provider-tag", "dev"),
        *("--publish-verification", *workers),
    )
    printed.fnmatch_lines(
        [
            f"Verified: Prices against {name} 1*: 2 of 2 interactions",
            "  Result published: http*",
            "can-i-deploy Prices p1:",
        ]
    )
    for number in (7, 8):
        printed.fnmatch_lines([f"PASSED *{name}: a request for the price of {number} given {number} is for sale*"])
    result = results(broker, name)
    assert result["success"] is True
    assert len(result["testResults"]) == 2
    version = httpx.get(f"{broker}/pacticipants/Prices/versions/p1").json()
    assert [each["name"] for each in version["_embedded"]["branchVersions"]] == ["main"]


def test_a_failing_interaction_is_a_failing_test_with_a_difference(run, provider, broker, published):
    published("Bad")
    provider(name="amount", more=", consumer='Bad', include_pending=False")
    printed = run(
        "test_provider.py", "--broker-url", broker, "--provider-version", "p2", "--publish-verification", code=1
    )
    printed.fnmatch_lines(
        [
            "Prices does not honour its pact with Bad 1: a request for the price of 7 given 7 is for sale",
            "*Actual map is missing the following keys: price*",
            "Verified: Prices against Bad 1: 0 of 2 interactions",
        ]
    )
    result = results(broker, "Bad")
    assert result["success"] is False
    assert result["testResults"][0]["mismatches"][0]["attribute"] == "body"


def test_a_pending_pact_does_not_fail_the_run(run, provider, broker, published):
    published("Pending")
    provider(name="amount", more=", consumer='Pending'")
    printed = run(
        "test_provider.py",
        *("--broker-url", broker, "--provider-version", "p3", "--provider-branch", "other"),
        "--publish-verification",
    )
    printed.fnmatch_lines(["Verified: * (pending): 0 of 2 *", "XFAIL *Pending: a request for the price of 7*"])
    assert results(broker, "Pending")["success"] is False


def test_a_part_of_a_pact_publishes_no_result(run, provider, broker, published):
    published("Partly")
    provider(more=", consumer='Partly'")
    words = ("--broker-url", broker, "--provider-version", "p4", "--publish-verification", "-k", "7")
    run("test_provider.py", *words).fnmatch_lines(["*Not published: only 1 of its 2 interactions were verified."])
    assert results(broker, "Partly") is None


def test_results_stay_here_unless_they_are_to_be_published(run, provider, broker, published):
    published("Quiet")
    provider(more=", consumer='Quiet'")
    run("test_provider.py", "--broker-url", broker).fnmatch_lines(["Verified: Prices against Quiet 1: 2 of 2 *"])
    assert results(broker, "Quiet") is None


def test_publishing_without_a_version_is_an_error(run, provider, broker, published):
    published("Versionless")
    provider(more=", consumer='Versionless'")
    printed = run("test_provider.py", "--broker-url", broker, "--publish-verification", code=1)
    printed.fnmatch_lines(["ERROR: *--provider-version*"])


def test_selectors_choose_the_pacts(run, provider, broker, published):
    published("Choosy", "1", "main")
    published("Choosy", "2", "feat")
    provider(more=", consumer='Choosy', selectors=[{'branch': 'feat'}]")
    run("test_provider.py", "--broker-url", broker).fnmatch_lines(["Verified: Prices against Choosy 2: 2 of 2 *"])


def test_the_pact_that_a_webhook_names_is_verified_alone(run, provider, broker, published):
    published("Named")
    provider()
    url = f"{broker}/pacts/provider/Prices/consumer/Named/version/1"
    printed = run("test_provider.py", "--broker-url", broker, "--pact-url", url)
    printed.fnmatch_lines(["Verified: Prices against Named 1: 2 of 2 *"])
    assert sum(line.startswith("Verified:") for line in printed.lines) == 1


def test_files_are_verified_without_a_broker(run, consumer, provider):
    consumer()
    run("test_consumer.py")
    provider()
    run("test_provider.py").fnmatch_lines(["Verified: Prices against Web Shop: 2 of 2 interactions"])


@pytest.mark.slow
def test_files_may_be_elsewhere(run, consumer, provider):
    consumer()
    run("test_consumer.py", "--pact-dir", "elsewhere")
    provider(more=", pacts='elsewhere/*.json'")
    run("test_provider.py").fnmatch_lines(["Verified: Prices against Web Shop: 2 of 2 interactions"])


def test_without_pacts_and_broker_the_test_fails_with_the_reason(run, provider):
    provider()
    run(code=1).fnmatch_lines(
        ["*There are no pacts to verify: no broker is configured (--broker-url), and there is no file *"]
    )


@pytest.mark.parametrize(
    ("misspelt", "reason"),
    [
        ({'provider="Prices"': 'provider="Prcies"'}, "*There is no application Prcies. Did you mean Prices?"),
        ({"'main'": "'mian'"}, "*There are no pacts of Kiosk with Prices to verify."),
        ({"'Kiosk'": "'Kiosq'"}, "*There are no pacts of Kiosq with Prices to verify, but of *Kiosk*"),
    ],
    ids=["provider", "selector", "consumer"],
)
def test_a_misspelt_name_fails_the_test(run, broker, provider, published, pytester, misspelt, reason):  # noqa: PLR0913, PLR0917 - fixtures
    published("Kiosk")
    provider(more=", consumer='Kiosk', selectors=[{'branch': 'main'}]")
    test = pytester.path / "test_provider.py"
    for right, wrong in misspelt.items():
        test.write_text(test.read_text("utf-8").replace(right, wrong), "utf-8")
    run("test_provider.py", "--broker-url", broker, code=1).fnmatch_lines([reason, "*--allow-no-pacts*"])


def test_a_provider_without_pacts_is_skipped_if_that_is_allowed(run, broker, provider):
    skipped = ["SKIPPED *There are no pacts of Nobody with Prices to verify*"]
    provider(more=", consumer='Nobody'")
    run("--broker-url", broker, "--allow-no-pacts").fnmatch_lines(skipped)
    provider(more=", consumer='Nobody', allow_no_pacts=True")
    run("--broker-url", broker).fnmatch_lines(skipped)
    run("--broker-url", broker, "--allow-no-pacts=False").fnmatch_lines(skipped)


def test_files_without_a_pact_of_the_provider_fail_the_test(run, consumer, provider):
    consumer(Prices="Other")
    run("test_consumer.py")
    provider()
    run("test_provider.py", code=1).fnmatch_lines(["*There are no pacts with Prices to verify.*"])


def test_a_test_for_another_consumer_than_that_of_a_webhooks_pact_is_skipped(run, broker, provider, published):
    published("Triggering")
    provider(more=", consumer='Other'")
    url = f"{broker}/pacts/provider/Prices/consumer/Triggering/version/1"
    printed = run("test_provider.py", "--broker-url", broker, "--pact-url", url)
    printed.fnmatch_lines(["SKIPPED *There are no pacts of Other with Prices to verify, but of Triggering.*"])


def test_a_test_of_another_provider_than_that_of_a_webhooks_pact_is_skipped(run, broker, provider, published, pytester):
    published("Triggering")
    provider()
    mixed = pytester.path / "test_provider.py"
    other = mixed.read_text("utf-8").replace('provider="Prices"', 'provider="Stock"')
    (pytester.path / "test_stock.py").write_text(other, "utf-8")
    words = ("--broker-url", broker, "--pact-url", f"{broker}/pacts/provider/Prices/consumer/Triggering/version/1")
    skipped = "SKIPPED *The pact of --pact-url (PACT_URL) is with Prices, and not with Stock.*"
    printed = run("test_provider.py", "test_stock.py", *words)
    printed.fnmatch_lines([skipped])
    printed.fnmatch_lines(["Verified: Prices against Triggering 1: 2 of 2 *", "*2 passed, 1 skipped*"])

    printed = run("test_stock.py", *words, code=1)
    printed.fnmatch_lines(
        ["ERROR: The pact of --pact-url (PACT_URL) was not verified: it is with Prices, and no test *"]
    )
    printed.fnmatch_lines([skipped])
    printed.no_fnmatch_line("Verified:*")


@pytest.mark.slow
def test_workers_without_a_test_of_the_webhooks_provider_fail_the_run(run, broker, provider, published, pytester):
    published("Triggering")
    provider()
    test = pytester.path / "test_provider.py"
    test.write_text(test.read_text("utf-8").replace('provider="Prices"', 'provider="Stock"'), "utf-8")
    url = f"{broker}/pacts/provider/Prices/consumer/Triggering/version/1"
    printed = run("test_provider.py", "--broker-url", broker, "--pact-url", url, "-n", "2", code=1)
    printed.fnmatch_lines(["ERROR: The pact of --pact-url (PACT_URL) was not verified: *"])


def test_the_pact_of_a_webhook_needs_its_broker(run, provider):
    provider()
    printed = run("test_provider.py", "--pact-url", "http://127.0.0.1:9/pact", code=1)
    printed.fnmatch_lines(["*--pact-url (PACT_URL) needs the broker of the pact: give --broker-url.*"])


def test_invalid_arguments_of_markers_fail_each_test_with_a_message(run, pytester):
    """The tests of a consumer, of a provider, and of a self-verification have the argument in their marker."""
    markers = {
        "pact(selector=[])": "has no argument `selector`. Did you mean selectors?",
        "pact(answer=42)": "has no argument `answer`. It has consumer, provider, specification, selectors, *",
        'pact(selectors="main")': "The argument `selectors` of @* must be a list of selectors *, but is 'main'.",
        'pact(selectors=["main"])': "The argument `selectors` of @* must be a list of selectors such as *",
        'pact(include_pending="no")': "The argument `include_pending` of @* must be True or False, but is 'no'.",
        "pact(allow_no_pacts=1)": "The argument `allow_no_pacts` of @* must be True or False, but is 1.",
        "pact(include_wip_since=2030)": "The argument `include_wip_since` of @* must be a date, *",
        "pact(specification=4)": "The argument `specification` of @* must be a version *",
        "pact(pacts=7)": "The argument `pacts` of @* must be a file, a pattern, or a list of them, but is 7.",
        'pact(consumer=["A"])': "The argument `consumer` of @* must be a name, *",
        'pact("A", "B", "C")': "*accepts two values without a name, but has 3.",
        'pact("A", consumer="B")': "*has two values for its argument `consumer`.",
        'self_verification(operations=["GET /a"])': "*self_verification has no argument `operations`. It has no *",
        'self_verification(["GET /a"])': "*self_verification must be operations such as *",
    }
    tests = [
        f"@pytest.mark.{marker}\ndef test_{index}_{fixture}({fixture}): pass\n"
        for index, marker in enumerate(markers)
        for fixture in ("pact", "pact_verifier")
    ]
    # The marker of the module is valid, so that a test without its own marker's arguments would have all it needs.
    module = 'pytestmark = pytest.mark.pact(consumer="Web Shop", provider="Prices", allow_no_pacts=True)\n'
    (pytester.path / "test_it.py").write_text("import pytest\n" + module + "\n".join(tests), "utf-8")
    printed = run(code=1)
    for reason in markers.values():
        assert sum(fnmatch.fnmatchcase(line, f"*{reason}*") for line in printed.lines) >= 2, reason
    printed.fnmatch_lines([f"*{2 * len(markers)} errors*"])


def test_a_broker_that_cannot_be_reached_fails_the_test_in_a_line(run, provider):
    provider()
    printed = run("--broker-url", "http://127.0.0.1:9", code=1)
    printed.fnmatch_lines(["*Error making request to http://127.0.0.1:9*"])
    printed.no_fnmatch_line("*Traceback*")


def test_an_unknown_state_fails_with_its_name(run, consumer, provider, pytester):
    consumer()
    run("test_consumer.py")
    provider()
    source = (pytester.path / "test_provider.py").read_text("utf-8")
    changed = source.replace("states=is_for_sale", "states={'7 is for sale': is_for_sale}")
    (pytester.path / "test_provider.py").write_text(changed, "utf-8")
    printed = run("test_provider.py", code=1)
    printed.fnmatch_lines(
        ["*No handler for the provider state '8 is for sale'. There are handlers for '7 is for sale'.*"]
    )
    printed.fnmatch_lines(["*1 failed, 1 passed*"])


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        ("{'an order': {'number': 7}}", 0),
        ("{'an order': lambda: {'contents': b'{\"number\": 7}'}}", 0),
        ("lambda name, metadata: b'{\"number\": 7}'", 0),
        ("{'an order': {'count': 7}}", 1),
        ("{'another order': {'number': 7}}", 1),
    ],
)
def test_a_provider_of_messages_is_verified_through_its_handlers(run, pytester, handler, code):
    pact = {
        "consumer": {"name": "Mailer"},
        "provider": {"name": "Shop"},
        "messages": [{"description": "an order", "contents": {"number": 7}}],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }
    (pytester.path / "pacts").mkdir()
    (pytester.path / "pacts/mailer-shop.json").write_text(json.dumps(pact))
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.pact(provider="Shop")
        def test_it(pact_verifier):
            pact_verifier.verify(messages={handler})
        """
    )
    run(code=code).fnmatch_lines([f"Verified: Shop against Mailer: {1 - code} of 1 interactions"])


def test_parameters_of_a_state_reach_its_handler(run, pytester):
    pact = {
        "consumer": {"name": "Mailer"},
        "provider": {"name": "Shop"},
        "messages": [
            {
                "description": "an order",
                "contents": {"number": 7},
                "providerStates": [{"name": "ordered", "params": {"number": 7}}],
            }
        ],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }
    (pytester.path / "pacts").mkdir()
    (pytester.path / "pacts/mailer-shop.json").write_text(json.dumps(pact))
    pytester.makepyfile(
        """
        import pytest

        ORDERS, ACTIONS = [], []

        @pytest.mark.pact(provider="Shop")
        def test_it(pact_verifier):
            def ordered(number, action):
                ACTIONS.append(action)
                ORDERS.append(number)

            pact_verifier.verify(states={"ordered": ordered}, messages=lambda: {"number": ORDERS[0]})
            assert ACTIONS == ["setup", "teardown"]
        """
    )
    run()


def test_a_state_with_an_empty_name_has_a_handler_if_there_is_one(run, pytester):
    """The verifier requests the empty name for an interaction without any state, too."""
    message = {"description": "an order", "contents": {"number": 7}}
    pact = {
        "consumer": {"name": "Mailer"},
        "provider": {"name": "Shop"},
        "messages": [message, {**message, "description": "given nothing", "providerStates": [{"name": ""}]}],
        "metadata": {"pactSpecification": {"version": "3.0.0"}},
    }
    (pytester.path / "pacts").mkdir()
    (pytester.path / "pacts/mailer-shop.json").write_text(json.dumps(pact))
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.pact(provider="Shop")
        def test_it(pact_verifier):
            has_state, calls = bool(pact_verifier.interaction.states), []
            message = lambda: {"number": 7}
            pact_verifier.verify(states={"other": lambda: None}, messages=message)
            pact_verifier.verify(states=lambda state: calls.append(state), messages=message)
            assert calls == [""] * has_state
            pact_verifier.verify(states={"": lambda: calls.append("named")}, messages=message)
            assert calls.count("named") == 1
        """
    )
    run()


def test_a_test_that_verifies_nothing_fails(run, consumer, pytester):
    consumer()
    run("test_consumer.py")
    pytester.makepyfile(
        test_provider="""
        import pytest

        @pytest.mark.pact(provider="Prices")
        def test_it(pact_verifier):
            pass
        """
    )
    run("test_provider.py", code=1).fnmatch_lines(["*The test did not use `pact_verifier`: call its method `verify`.*"])
