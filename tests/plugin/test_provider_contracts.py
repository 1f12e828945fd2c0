"""A run publishes the provider's own contract, and the outcome of the tests that compare the provider with it."""

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import pytest

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Prices", "version": "1"},
    "paths": {"/prices/{number}": {"get": {"responses": {"200": {"description": "The price."}}}}, "/all": {}},
}
TESTS = {
    "price": """
        import pytest

        @pytest.mark.self_verification("GET /prices/{number}")
        def test_price():
            pass
        """,
    "all": """
        import pytest

        @pytest.mark.self_verification
        def test_all():
            pass
        """,
    "other": "def test_other():\n    pass",
}


@pytest.fixture
def project(pytester):
    """A provider with two self-verification tests and another test; changes replace the bodies of tests."""
    (pytester.path / "openapi.json").write_text(json.dumps(DOCUMENT), "utf-8")

    def project(**bodies):
        for name, text in TESTS.items():
            pytester.makepyfile(**{f"test_{name}": text.replace("pass", bodies.get(name, "pass"))})

    return project


@pytest.fixture
def provider():
    """A name for the provider of this test alone, as all share a broker."""
    return f"Prices {uuid4()}"


@pytest.fixture
def publish(run, broker, provider):
    """Call pytest so that it publishes the contract, and return its output."""

    def publish(*words, code=0, source="openapi.json", version="1"):
        return run(
            *("--publish-provider-contract", version, "--provider-name", provider, "--provider-branch", "main"),
            *(("--provider-contract", source) if source else ()),
            *("--broker-url", broker, *words),
            code=code,
        )

    return publish


@pytest.fixture
def published(broker, provider):
    """Return a part of the published contract, or None if nothing was published."""

    def published(part) -> Any:
        answer = httpx.get(f"{broker}/contracts/bi-directional/provider/{provider}/version/1/{part}")
        return answer.json()["_embedded"] if answer.is_success else None

    return published


@pytest.fixture
def outcome(published):
    """Return the published outcome: True or False, None without a self-verification, or "nothing"."""

    def outcome():
        verification = published("provider-contract-verification-results")
        if verification is None:
            return "nothing"
        return verification["results"][0]["success"] if verification["results"] else None

    return outcome


FAILS = "assert False, 'wrong'"


class Case(NamedTuple):
    outcome: bool | str | None
    line: str
    """A line of the summary."""
    words: tuple[str, ...] = ()
    code: int = 0
    bodies: Mapping[str, str] = {}


PASSED = "*: success (2 passed)"
ENDED = "*not published: the run ended before*"
UNCOLLECTED = "*not published: there are errors in the collection*"
PRICE_FAILED = "  Failed: GET /prices/{number}"
QUICK = {
    "all passed": Case(outcome=True, line=PASSED),
    "one failed": Case(outcome=False, line=PRICE_FAILED, code=1, bodies={"price": FAILS}),
    "another test failed": Case(outcome=True, line=PASSED, code=1, bodies={"other": FAILS}),
    "no such test": Case(None, "*no test is one of Schemathesis*", ("test_other.py",)),
    "one deselected": Case(None, "*only 1 of 2 * were selected*", ("-k", "not price")),
    "one skipped": Case(None, "*1 of 2 * skipped*", bodies={"all": "pytest.skip('no database')"}),
    "exit first": Case("nothing", ENDED, ("-x",), 1, {"all": FAILS}),
    "collection error": Case("nothing", UNCOLLECTED, code=2, bodies={"other": "("}),
    "all passed with xdist": Case(outcome=True, line=PASSED, words=("-n2",)),
}
SLOW = {
    "one failed with xdist": Case(outcome=False, line=PRICE_FAILED, words=("-n2",), code=1, bodies={"price": FAILS}),
    "one deselected with xdist": Case(None, "*only 1 of 2 *", ("-n1", "-k", "not price")),
    "one selected by its id": Case(None, "*the run selects single tests*", ("test_all.py::test_all",)),
    "all deselected": Case("nothing", "*not published: no tests have run.", ("-k", "nothing"), 5),
    "exit first with xdist": Case("nothing", ENDED, ("-x", "-n1"), 2, {"all": FAILS}),
    "interrupted": Case("nothing", ENDED, (), 2, {"all": "pytest.exit('enough')"}),
    "collection error ignored": Case("nothing", UNCOLLECTED, ("--continue-on-collection-errors",), 1, {"other": "("}),
    "collection error with xdist": Case("nothing", UNCOLLECTED, ("-n1",), 1, {"other": "("}),
    "a worker crashed": Case(None, "*not all * have finished*", ("-n1",), 1, {"all": "import os; os._exit(1)"}),
    "expected failure": Case(
        outcome=False, line="*: failure (1 failed, 1 passed)", bodies={"all": "pytest.xfail('known')"}
    ),
    "only planned": Case(None, "*not all * have finished*", ("--setup-plan",)),
}
CASES = [
    *(pytest.param(case, id=name) for name, case in QUICK.items()),
    *(pytest.param(case, id=name, marks=pytest.mark.slow) for name, case in SLOW.items()),
]


@pytest.mark.parametrize("case", CASES)
def test_the_outcome_of_a_run(publish, project, outcome, case):
    project(**case.bodies)
    publish(*case.words, code=case.code).fnmatch_lines([case.line])
    assert outcome() == case.outcome


@pytest.mark.slow
def test_a_failed_teardown_is_a_failure(publish, project, outcome, pytester):
    project()
    pytester.makeconftest("import pytest\n@pytest.fixture(autouse=True)\ndef end():\n    yield\n    assert False")
    publish(code=1)
    assert outcome() is False


@pytest.mark.slow
def test_tests_that_failed_last_prove_nothing_about_the_others(run, publish, project, outcome):
    project(other=FAILS)
    run("-p", "cacheprovider", "test_other.py", code=1)
    publish("-p", "cacheprovider", "--lf", code=1).fnmatch_lines(["*none is published*"])
    assert outcome() is None


@pytest.mark.slow
def test_a_run_that_a_plugin_fails_publishes_no_outcome(publish, project, outcome, pytester):
    project()
    pytester.makeconftest("def pytest_sessionfinish(session):\n    session.exitstatus = 1")
    publish(code=1).fnmatch_lines(["*the run has failed although no test has*"])
    assert outcome() is None


@pytest.mark.slow
def test_tests_of_another_api_prove_nothing(publish, project, outcome, pytester):
    project()
    other = json.dumps({**DOCUMENT, "paths": {"/orders": {}}})
    (pytester.path / "openapi.json").write_text(other, "utf-8")
    publish().fnmatch_lines(["*such as GET /prices/{number}, are not in the document*"])
    assert outcome() is None


@pytest.mark.slow
def test_a_failed_subtest_is_a_failure(publish, pytester, project, outcome):
    project()
    pytester.makepyfile(
        test_all="""
        import pytest

        @pytest.mark.self_verification
        def test_all(subtests):
            with subtests.test(label="GET /prices/{number}"):
                assert False
            with subtests.test(label="GET /all"):
                pass
        """
    )
    publish(code=1).fnmatch_lines(["  Failed: GET /prices/{number}"])
    assert outcome() is False


def test_a_later_run_replaces_the_outcome(publish, project, outcome):
    project(price=FAILS)
    publish(code=1)
    project()
    publish()
    assert outcome() is True


def test_the_contract_is_the_document_with_a_report_of_each_operation(publish, project, published, broker, provider):
    project(price=FAILS)
    publish("--provider-tag", "dev", code=1)
    (contract,) = published("provider-contract")["contracts"]
    assert json.loads(base64.b64decode(contract["content"])) == DOCUMENT
    (result,) = published("provider-contract-verification-results")["results"]
    assert (result["verifier"], result["verifierVersion"]) == ("pytest", pytest.__version__)
    assert (result["format"], result["contentType"]) == ("ctrf", "application/json")
    report = json.loads(base64.b64decode(result["content"]))["results"]
    assert {key: report["summary"][key] for key in ("tests", "passed", "failed")} == {
        "tests": 2,
        "passed": 1,
        "failed": 1,
    }
    assert [(test["name"], test["status"]) for test in report["tests"]] == [
        ("test_all.py::test_all", "passed"),
        ("GET /prices/{number}", "failed"),
    ]
    assert "wrong" in report["tests"][1]["message"]
    version = httpx.get(f"{broker}/pacticipants/{provider}/versions/1").json()
    assert [each["name"] for each in version["_embedded"]["branchVersions"]] == ["main"]
    assert [each["name"] for each in version["_embedded"]["tags"]] == ["dev"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--broker-url", "http://127.0.0.1:9"), "*needs the provider's name: give --provider-name*"),
        (("--provider-name", "A"), "*needs a broker: give --broker-url*"),
        (
            ("--provider-name", "A", "--broker-url", "http://127.0.0.1:9", "--provider-version", "2"),
            "*name different versions, 1 and 2*",
        ),
        (
            ("--provider-name", "A", "--broker-url", "http://127.0.0.1:9", "--provider-contract", "missing.json"),
            "*The contract of A cannot be published. There is no file 'missing.json'*",
        ),
    ],
)
def test_missing_options_are_reported_before_any_test_runs(pytester, project, run, words, message):
    project(all="import pathlib; pathlib.Path('has-run').touch()")
    run("--publish-provider-contract", "1", *words, code=4).fnmatch_lines([message])
    assert not (pytester.path / "has-run").exists()


@pytest.mark.slow
def test_a_worker_of_xdist_without_a_document_fails_the_run(publish, project, outcome):
    project()
    printed = publish("-n1", source="missing:app", code=1)
    printed.fnmatch_lines(["ERROR: * was not published. *ModuleNotFoundError: No module named 'missing'*"])
    assert outcome() == "nothing"


def test_a_run_without_a_document_fails_with_the_ways_to_name_one(publish, project, outcome):
    project()
    publish(source="", code=1).fnmatch_lines(
        ["ERROR: * There is no OpenAPI document. *--provider-contract shop.app:app*"]
    )
    assert outcome() == "nothing"


def test_another_document_for_the_same_version_fails_the_run(publish, project, pytester):
    project()
    publish()
    other = json.dumps({**DOCUMENT, "info": {"title": "Prices", "version": "2"}})
    (pytester.path / "openapi.json").write_text(other, "utf-8")
    publish(code=1).fnmatch_lines(["ERROR: The contract of * was not published. *"])


def test_a_broker_that_cannot_be_reached_fails_the_run(publish, project):
    project()
    printed = publish("--broker-url", "http://127.0.0.1:9", code=1)
    printed.fnmatch_lines(["ERROR: The contract of * was not published. *http://127.0.0.1:9*"])


@pytest.mark.parametrize(
    "workers", [pytest.param((), id="alone"), pytest.param(("-n2",), id="with xdist", marks=pytest.mark.slow)]
)
def test_a_fixture_passes_the_application(publish, project, published, outcome, pytester, workers):
    project()
    pytester.makepyfile(
        test_price="""
        import pytest
        from fastapi import FastAPI

        @pytest.fixture(scope="session")
        def document(provider_contract):
            app = FastAPI(title="Made by a fixture")
            app.get("/prices/{number}")(lambda number: 12)
            return provider_contract(app)

        @pytest.mark.self_verification("GET /prices/{number}")
        def test_price(document):
            assert list(document["paths"]) == ["/prices/{number}"]
        """
    )
    publish(*workers)
    (contract,) = published("provider-contract")["contracts"]
    assert json.loads(base64.b64decode(contract["content"]))["info"]["title"] == "Made by a fixture"
    assert outcome() is True


@pytest.mark.slow
def test_applications_with_different_documents_fail_the_second_test(publish, project, pytester):
    project()
    pytester.makepyfile(
        test_price="""
        import pytest

        @pytest.mark.parametrize("title", "AB")
        def test_price(provider_contract, title):
            provider_contract({"openapi": "3.1.0", "info": {"title": title, "version": "1"}, "paths": {}})
        """
    )
    publish(code=1).fnmatch_lines(["*The fixture `provider_contract` has received * different documents.*"])


@pytest.mark.slow
def test_the_fixture_returns_the_document_of_a_run_that_publishes_nothing(run, pytester):
    pytester.makepyfile(
        """
        def test_it(provider_contract):
            assert provider_contract(lambda: {"openapi": "3.1.0"}) == {"openapi": "3.1.0"}
        """
    )
    run().no_fnmatch_line("*contract*")


SCHEMATHESIS = """
    import schemathesis
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Price(BaseModel):
        cents: int

    app = FastAPI()

    @app.get("/prices/{number}")
    def price(number: int) -> Price:
        return Price(cents=12)

    @app.get("/all")
    def all_prices() -> list[Price]:
        return RETURNED

    @schemathesis.openapi.from_asgi("/openapi.json", app).parametrize()
    def test_prices(case):
        case.call_and_validate()
    """


def read_report(published):
    (result,) = published("provider-contract-verification-results")["results"]
    report = json.loads(base64.b64decode(result["content"]))["results"]
    assert report["tool"]["name"] == result["verifier"] == "schemathesis"
    return {test["name"]: test["status"] for test in report["tests"]}


@pytest.fixture
def publish_with_schemathesis(publish, pytester):
    def publish_with_schemathesis(*words, returned="[]", code=0):
        pytester.makepyfile(SCHEMATHESIS.replace("RETURNED", returned))
        return publish("-p", "schemathesis", *words, source="", code=code)

    return publish_with_schemathesis


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "with xdist"])
def test_tests_of_schemathesis_need_no_marker_and_no_option(publish_with_schemathesis, published, outcome, workers):
    publish_with_schemathesis(*workers)
    assert outcome() is True
    assert read_report(published) == {"GET /prices/{number}": "passed", "GET /all": "passed"}
    (contract,) = published("provider-contract")["contracts"]
    assert {operation["path"] for operation in contract["operations"]} == {"/prices/{number}", "/all"}


@pytest.mark.slow
def test_an_operation_that_fails_a_test_of_schemathesis_is_reported(publish_with_schemathesis, published, outcome):
    publish_with_schemathesis(returned="[{'euros': 1}]", code=1).fnmatch_lines(["  Failed: GET /all"])
    assert outcome() is False
    assert read_report(published) == {"GET /prices/{number}": "passed", "GET /all": "failed"}


@pytest.mark.slow
def test_some_of_the_tests_of_schemathesis_prove_nothing(publish_with_schemathesis, outcome):
    publish_with_schemathesis("-k", "number").fnmatch_lines(["*only 1 of 2 * were selected*"])
    assert outcome() is None
