"""The OpenAPI document is whole, and its examples are true."""

import jsonschema_rs
import pytest

from tests.api import examples
from tests.api.described import Described, operations, references
from treaty.settings import Settings
from treaty.web.openapi.operations import OPERATIONS
from treaty.web.openapi.schemas import RESPONSE_SCHEMAS
from treaty.web.routers import list_routers

WITHOUT_EXAMPLE = {
    "OpenApi": "this is one",
    "WebhookTrial": "it would send a request",
    "MatrixRow": "it is part of another",
    "PacticipantInMatrix": "likewise",
    "VersionInMatrix": "likewise",
    "DashboardItem": "likewise",
    "TriggeredWebhook": "likewise",
    "Token": "likewise",
    "IssuedToken": "there are no users in the example",
    "AuditEvent": "likewise",
    "PublishedContracts": "it is answered to POST, and tested with publishing",
    "ImportOutcomes": "it answers POST, and is tested with importing",
    "ImportedFacts": "likewise",
}

only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def handlers():
    for router in list_routers(Settings()):
        for resource in router.endpoints.values():
            for route in resource.routes.values():
                yield route.handler


@pytest.fixture
def described(api):
    return Described(api)


@only_sqlite
def test_the_document_is_of_version_3_1_and_names_the_address_of_the_broker(described):
    assert described.document["openapi"] == "3.1.0"
    assert described.document["servers"] == [{"url": "http://localhost"}]


def test_every_operation_is_described_and_none_that_is_not_there():
    assert {handler.__name__ for handler in handlers()} == set(OPERATIONS)


def test_every_handler_says_what_it_does():
    first_lines = {one.__name__: (one.__doc__ or "").strip().partition("\n")[0] for one in handlers()}
    assert [name for name, line in first_lines.items() if not line.endswith(".")] == []


@only_sqlite
def test_operations_have_names_of_their_own(described):
    names = [one["operationId"] for methods in described.document["paths"].values() for one in operations(methods)]
    assert len(names) == len(set(names))


@only_sqlite
def test_everything_that_the_document_refers_to_is_in_it(described):
    for reference in references(described.document):
        found = described.document
        for step in reference.split("/"):
            found = found[step]


@only_sqlite
def test_links_lead_to_operations_with_the_names_that_these_take(described):
    paths = described.document["paths"].values()
    takes = {
        one["operationId"]: {name["name"] for name in methods.get("parameters", [])}
        for methods in paths
        for one in operations(methods)
    }
    for methods in paths:
        for operation in operations(methods):
            for answer in operation["responses"].values():
                for link in answer.get("links", {}).values():
                    assert set(link["parameters"]) <= takes[link["operationId"]], link


@only_sqlite
def test_every_schema_is_one(described):
    for schema in described.document["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


@only_sqlite
def test_every_example_fits_its_schema(described):
    for name, schema in described.document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            assert described.problems({"$ref": f"#/components/schemas/{name}"}, example) == [], name


@only_sqlite
def test_answers_have_examples(described):
    schemas = described.document["components"]["schemas"]
    assert {name for name in RESPONSE_SCHEMAS if "examples" not in schemas[name]} == set(WITHOUT_EXAMPLE)


def test_the_examples_are_what_the_broker_answers():
    assert examples.DOCUMENT.read_text("utf-8") == examples.part(), "renew them: ./run renew"


def test_every_get_answers_as_it_is_described(database_url):
    with examples.broker(database_url) as api:
        described = Described(api)
        given = examples.enrich(lambda method, path, body: api.request(method, path, body).json())
        done = [
            held(api, described, examples.filled(template, given), media)
            for template, methods in described.document["paths"].items()
            for media in medias(methods.get("get", {}))
        ]
    assert done.count(200) > 90
    assert set(done) <= {200, 307}


def medias(operation):
    return operation.get("responses", {}).get("200", {}).get("content", {})


def held(api, described, path, media):
    answer = api.get(path, accept=media if media == "*/*" else f"{media}, application/hal+json;q=0.1")
    described.hold("GET", path, answer)
    assert answer.status == 307 or media == "*/*" or answer.headers["content-type"].startswith(media), path
    return answer.status


def test_an_answer_that_does_not_fit_is_noticed(api):
    described = Described(api)
    assert described.problems({"$ref": "#/components/schemas/Tag"}, {"name": "main", "colour": "red"}) != []
