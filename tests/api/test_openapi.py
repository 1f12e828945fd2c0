"""The OpenAPI document is complete, and its examples are correct."""

import json
from dataclasses import replace
from typing import NoReturn, get_type_hints

import jsonschema_rs
import pytest

from tests.api import examples
from tests.api.described import all_routes, document, hold, operations, problems, references
from tests.databases import on_sqlite
from treaty.web.http.media_types import HAL
from treaty.web.http.results import Deleted

pytestmark = pytest.mark.slow_on_postgresql  # about a document, and not about data

WITHOUT_EXAMPLE = {
    "OpenApi": "this is one",
    "WebhookTrial": "it would send a request",
    "TriggeredWebhook": "it answers POST, and is part of another",
    "IssuedToken": "there are no users in the example",
    "PublishedContracts": "it is answered to POST, and tested with publishing",
    "PublishedProviderContract": "likewise, with publishing contracts of providers",
    "PublishedProviderContracts": "likewise",
    "ImportOutcomes": "it answers POST, and is tested with importing",
    "ImportedFacts": "likewise",
}


def routes():
    return [route for endpoint in map(all_routes().load, all_routes().templates) for route in endpoint.routes.values()]


@pytest.fixture
def described():
    return document()


@on_sqlite
def test_the_document_is_of_version_3_1_and_names_the_address_of_the_broker(api):
    document = api.get("/openapi.json", accept="*/*").json()
    assert document["openapi"] == "3.1.0"
    assert document["servers"] == [{"url": "http://localhost"}]


def test_the_document_describes_exactly_the_operations_of_the_routes(described):
    operations = {(template, method) for template, methods in described["paths"].items() for method in methods}
    expected = {(route.url.template, route.method.lower()) for route in routes()}
    assert operations - {(template, "parameters") for template in described["paths"]} == expected


def test_every_operation_with_a_json_response_declares_its_type():
    undeclared = {
        route.handler.__name__
        for route in routes()
        if HAL in route.produces and route.response is None and returns_a_document(route.handler)
    }
    assert undeclared == set()


def returns_a_document(handler):
    return get_type_hints(handler)["return"] not in {Deleted, NoReturn}


def test_every_operation_that_takes_a_body_declares_its_type():
    assert {route.handler.__name__ for route in routes() if route.consumes is not None and route.body is None} == set()


def test_every_handler_has_a_docstring_whose_first_line_is_a_sentence():
    first_lines = {
        route.handler.__name__: (route.handler.__doc__ or "").strip().partition("\n")[0] for route in routes()
    }
    assert [name for name, line in first_lines.items() if not line.endswith(".")] == []


def test_operations_have_names_of_their_own(described):
    names = [operation["operationId"] for methods in described["paths"].values() for operation in operations(methods)]
    assert len(names) == len(set(names))


def test_everything_that_the_document_refers_to_is_in_it(described):
    for reference in references(described):
        node = described
        for step in reference.split("/"):
            node = node[step]


def test_links_lead_to_operations_with_the_names_that_these_take(described):
    paths = described["paths"].values()
    takes = {
        operation["operationId"]: {name["name"] for name in methods.get("parameters", [])}
        for methods in paths
        for operation in operations(methods)
    }
    for methods in paths:
        for operation in operations(methods):
            for answer in operation["responses"].values():
                for link in answer.get("links", {}).values():
                    assert set(link["parameters"]) <= takes[link["operationId"]], link


def test_every_schema_is_one(described):
    for schema in described["components"]["schemas"].values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_every_example_fits_its_schema(described):
    for name, schema in described["components"]["schemas"].items():
        for example in schema.get("examples", []):
            assert problems({"$ref": f"#/components/schemas/{name}"}, example) == [], name


def test_answers_have_examples(described):
    names = {declared.__name__.removesuffix("Document") for route in routes() for declared in response_types(route)}
    schemas = described["components"]["schemas"]
    assert {name for name in names if "examples" not in schemas[name]} == set(WITHOUT_EXAMPLE)


def response_types(route):
    return [declared for declared in (route.response, route.extended_response) if declared is not None]


def test_the_examples_equal_the_responses_of_the_broker():
    assert examples.DOCUMENT.read_text("utf-8") == examples.part(), "renew them: ./run renew"


def test_every_get_answers_as_it_is_described(database_url):
    with examples.broker(database_url) as api:
        parameters = examples.enrich(lambda method, path, body: api.request(method, path, body).json())
        done = [
            held(api, examples.filled(template, parameters), media)
            for template, methods in document()["paths"].items()
            for media in medias(methods.get("get", {}))
        ]
    assert done.count(200) > 90
    assert set(done) <= {200, 307}


def medias(operation):
    return operation.get("responses", {}).get("200", {}).get("content", {})


def held(api, path, media):
    """Ask for a path; the client holds the answer to the document."""
    answer = api.get(path, accept=media if media == "*/*" else f"{media}, application/hal+json;q=0.1")
    assert answer.status == 307 or media == "*/*" or answer.headers["content-type"].startswith(media), path
    return answer.status


TAG = {"self": {"href": "/"}, "version": {"href": "/"}, "pacticipant": {"href": "/"}}
SHOWN = {"name": "main", "createdAt": "2024-05-06T07:08:09+00:00", "_links": TAG}


@pytest.mark.parametrize(
    ("shown", "problem"),
    [
        (SHOWN, None),
        ({**SHOWN, "colour": "red"}, "colour"),
        ({**SHOWN, "_links": {**TAG, "pb:colour": {"href": "/"}}}, "pb:colour"),
        ({**SHOWN, "_embedded": {}}, "_embedded"),
        ({**SHOWN, "updatedAt": None}, "updatedAt"),
        ({"name": "main", "_links": TAG}, "createdAt"),
    ],
)
def test_an_answer_with_a_field_too_many_or_too_few_does_not_fit(shown, problem):
    texts = problems({"$ref": "#/components/schemas/Tag"}, shown)
    assert texts == [] if problem is None else [problem in text for text in texts] == [True]


@on_sqlite
def test_the_client_of_the_tests_refuses_answers_that_do_not_fit(api):
    answer = api.get("/labels")
    hold("GET", "/labels", answer)
    for shown in ({**answer.json(), "colour": "red"}, {}):
        with pytest.raises(AssertionError):
            hold("GET", "/labels", replace(answer, body=json.dumps(shown).encode()))


OPEN = {
    "Link": "links to deployed versions have members of their own",
    "IndexLinks": "any other relation is a link",
    "Pact": "it has the members of the content that was published",
    "OpenApi": "it is defined elsewhere",
    "Problem": "so is this",
}


def test_documents_have_no_members_but_those_of_their_types(described):
    responses = [operation["responses"] for methods in described["paths"].values() for operation in operations(methods)]
    reachable, waiting = set(), references(responses)
    while waiting:
        reachable |= {reference := waiting.pop()}
        _, kind, name = reference.split("/")
        waiting |= references(described["components"][kind][name]) - reachable
    schemas = {name: described["components"]["schemas"].get(name.rpartition("/")[2], {}) for name in reachable}
    objects = {name: schema for name, schema in schemas.items() if schema.get("type") == "object"}
    is_open = {name for name, schema in objects.items() if schema.get("additionalProperties") is not False}
    assert {name.rpartition("/")[2] for name in is_open} == set(OPEN)
