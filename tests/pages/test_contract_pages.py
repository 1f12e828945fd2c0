"""The pages of a provider's contract: its documents, operations with their consumers, schemas and texts."""

from urllib.parse import quote, urlencode

import pytest

from tests.api.contracts import PUBLISH, RESULT, build, document, encode
from tests.api.history import History
from tests.pages.comparisons import interaction, pact, publish_document, publish_pact

PAGE = "/contracts/bi-directional/provider/Prices/version/1/provider-contract"
TEXT = f"{PAGE}/document"
LARGE = """\
openapi: 3.1.0
info: {title: Large, version: 2.0.0}
servers: [{url: 'https://api.example.org/v1'}]
paths:
  /prices/{id}:
    parameters: [{$ref: '#/components/parameters/Id'}]
    get:
      summary: Find a price
      responses: {200: {$ref: '#/components/responses/Price'}}
    delete:
      deprecated: true
      responses: {204: {description: deleted}}
  /prices/latest:
    get: {operationId: latestPrice, responses: {200: {description: fine}}}
components:
  parameters:
    Id: {name: id, in: path, required: true, schema: {$ref: '#/components/schemas/Id'}}
  responses:
    Price: {description: A price, content: {application/json: {schema: {$ref: '#/components/schemas/Price'}}}}
  schemas:
    Id: {type: string}
    Price: {type: object, properties: {amount: {$ref: '#/components/schemas/Amount'}}}
    Amount: {type: number}
    Unused: {type: object, properties: {again: {$ref: '#/components/schemas/Unused'}}}
"""


MESSAGES = """\
asyncapi: 3.0.0
info: {title: Changes, version: 1.0.0}
channels:
  prices:
    address: prices
    messages: {changed: {$ref: '#/components/messages/Changed'}}
operations:
  sendChange:
    action: send
    summary: A price has changed
    channel: {$ref: '#/channels/prices'}
components:
  messages: {Changed: {payload: {$ref: '#/components/schemas/Change'}}}
  schemas: {Change: {type: object}}
"""


@pytest.fixture
def api(make_api):
    """A broker that has the time to compare within each request, however busy the machine is."""
    return make_api(comparison_budget=600)


@pytest.fixture
def shop(api):
    """A contract, a pact that it satisfies, and one with an error and a request that it does not describe."""
    publish_pact(api, pact(interaction({"amount": 1}, path="/v1/prices/7")))
    content = pact(interaction({"amount": "1"}, path="/v1/prices/7"), interaction({}, "other", "/orders/5"))
    content["consumer"]["name"] = "Café/2"
    assert api.put("/pacts/provider/Prices/consumer/Caf%C3%A9%2F2/version/1", content).status == 201
    publish_document(api, LARGE)
    return api


@pytest.mark.usefixtures("shop")
def test_a_contract_is_shown_with_its_operations_and_their_consumers(show):
    page = show(PAGE)
    assert page.status == 200
    for text in ("Title Large", "Version of the API 2.0.0", "Format OpenAPI 3.1.0, YAML", "Operations 3"):
        assert text in page.text
    assert "1 of 3 operations is used by consumers" in page.text
    operation = "GET /prices/{id} Find a price ? Unknown Café/2 ✕ Incompatible with Café/2 Shop ✓ Compatible with Shop"
    assert operation in page.text
    assert "DELETE /prices/{id} deprecated ? Unknown none" in page.text
    (comparison,) = (
        link for link in page.links if link.startswith("/contracts/provider/Prices/version/1/consumer/Shop")
    )
    assert "Verdict ✓ Verified" in show(comparison).text


@pytest.mark.usefixtures("shop")
def test_expected_operations_outside_the_contract_are_listed(show):
    page = show(PAGE)
    assert "Expected, but not in the contract" in page.text
    assert "GET /orders/{id} Café/2" in page.text


@pytest.mark.usefixtures("shop")
def test_schemas_are_listed_with_the_operations_that_use_them_directly_or_not(show):
    text = show(PAGE).text
    assert (
        "Id GET /prices/{id} DELETE /prices/{id} Price GET /prices/{id} Amount GET /prices/{id} Unused no operation"
        in (text)
    )


@pytest.mark.usefixtures("shop")
def test_operations_and_schemas_are_searched(show):
    page = show(f"{PAGE}?q=LATEST")
    assert "GET /prices/latest latestPrice" in page.text
    assert "DELETE" not in page.text
    assert "Amount GET" in show(f"{PAGE}?q=amount").text
    assert "No operation contains “zebra”." in show(f"{PAGE}?q=zebra").text


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("location", "line"),
    [("[root].paths./prices/{id}.delete", 10), ("[root].components.schemas.Price", 22), ("[root].nowhere", 1)],
)
def test_an_operation_or_schema_leads_to_its_line(show, location, line):
    query = urlencode({"name": "", "location": location})
    if line > 1:
        assert f"{TEXT}?{query}" in show(PAGE).links
    target = show(f"{TEXT}?{query}").moved_to
    assert target == f"{TEXT}?name=&line={line}#line-{line}"
    page = show(target.partition("#")[0])
    (marked,) = page.all("mark")
    assert marked.attributes["id"] == f"line-{line}"


def test_several_documents_of_both_kinds_are_shown_together(api, show):
    contracts = [{"name": "a/b", **document(LARGE)}]
    changes = {**document(MESSAGES, specification="asyncapi"), "name": "<changes>", "selfVerificationResults": None}
    answer = api.post(f"{PUBLISH}-contracts", build(contracts=[*contracts, changes]))
    assert answer.status == 200, answer.text
    page = show(PAGE)
    assert "2 documents" in page.text
    assert "Format AsyncAPI 3.0.0, YAML" in page.text
    assert "send sendChange A price has changed <changes> ? Unknown" in page.text
    assert "Change <changes> send sendChange" in page.text
    assert "The self-verification of <changes> is missing" in page.text
    assert "asyncapi: 3.0.0" in show(f"{TEXT}?name=%3Cchanges%3E").text
    assert show(TEXT).status == 404


REPORT = """\
<testsuites><testsuite><testcase name="GET /prices/latest"/>
<testcase name="DELETE /prices/{id}"><failure message="500"/></testcase></testsuite></testsuites>
"""


def test_each_operation_has_its_evidence_from_the_self_verification(api, show):
    publish_pact(api, pact(interaction({"amount": 1}, path="/v1/prices/7")))
    result = {**RESULT, "content": encode(REPORT), "contentType": "application/xml", "format": "junit"}
    publish_document(api, LARGE, selfVerificationResults=result)
    page = show(PAGE)
    assert "GET /prices/{id} Find a price - Not exercised △ Claimed, not shown Shop" in page.text
    assert "DELETE /prices/{id} deprecated ✕ Failed none" in page.text
    assert "GET /prices/latest latestPrice ✓ Passed none" in page.text
    assert "2 of 3 operations exercised; 1 that consumers use was not: GET /prices/{id}." in page.text
    assert "/contracts/bi-directional/provider/Prices/version/1/coverage" in page.links


def test_the_report_of_a_self_verification_is_shown_as_text(api, show):
    result = {**RESULT, "success": False, "content": encode("<b>2 failures</b>")}
    publish_document(api, selfVerificationResults=result)
    page = show(PAGE)
    assert "<b>2 failures</b>" in page.text
    assert "The self-verification of Prices failed, just now , by my tool 1.0." in page.text


def test_a_document_is_downloaded_as_it_was_published(api):
    publish_document(api, LARGE + "# end \N{SNOWMAN}\n", contentType="application/json;x=y")
    for accept in ("text/html", "*/*"):
        answer = api.get(f"{TEXT}/download?name=", accept=accept)
        assert answer.body == (LARGE + "# end \N{SNOWMAN}\n").encode()
        assert answer.headers["content-type"].startswith("application/yaml")
        assert answer.headers["content-disposition"] == 'attachment; filename="Prices.yaml"'


def test_a_long_document_is_shown_in_parts(api, show):
    operations = "".join(f"  /x{number}:\n    get: {{responses: {{}}}}\n" for number in range(2000))
    publish_document(api, f"openapi: 3.1.0\ninfo: {{title: Long, version: '1'}}\npaths:\n{operations}")
    page = show(PAGE)
    assert "0 of 2,000 operations are used" in page.text
    assert "1-100 of 2,000 operations" in page.text
    assert page.text.count("GET /x") == 100
    assert show(f"{PAGE}?page=20").text.count("GET /x") == 100
    text = show(TEXT)
    assert "Lines 1-1,000 of 4,004" in text.text
    assert f"{TEXT}?name=&line=1001#line-1001" in text.links
    end = show(f"{TEXT}?name=&line=3999")
    assert "Lines 3,001-4,000 of 4,004" in end.text
    assert "line-3999" in end.ids
    assert show(f"{TEXT}?line=99999999").status == 200


def test_the_newest_contract_is_reached_from_the_provider(api, show):
    publish_document(api, version="1")
    publish_document(api, version="2/ü")
    History(api).version("Prices", "3")
    provider = show("/pacticipants/Prices")
    assert "/pacticipants/Prices/provider-contract" in provider.links
    newest = show("/pacticipants/Prices/provider-contract").moved_to
    assert newest == PAGE.replace("/version/1/", f"/version/{quote('2/ü', safe='')}/")
    assert {PAGE, newest} <= set(provider.links)
    assert show(newest).status == 200


def test_without_a_contract_the_page_has_the_command_that_publishes_one(api, show):
    History(api).version("it's $(me)", "1")
    name = quote("it's $(me)", safe="")
    page = show(f"/pacticipants/{name}/provider-contract")
    assert page.status == 200
    command = "pact-broker publish-provider-contract openapi.yaml --provider 'it'\"'\"'s $(me)' --provider-app-version"
    assert command in page.text
    version = show(f"/contracts/bi-directional/provider/{name}/version/1/provider-contract")
    assert "has published no contract" in version.text
    assert show("/contracts/bi-directional/provider/Nobody/version/1/provider-contract").status == 404
    assert show("/pacticipants/Nobody/provider-contract").status == 404


def test_a_document_of_no_known_kind_is_shown(api, show):
    publish_document(api, "not: a contract\n")
    assert "Format neither OpenAPI nor AsyncAPI, YAML" in show(PAGE).text


MALFORMED = {
    "nothing is an operation": """\
openapi: 3.1.0
info: 7
paths: {/x: {$ref: '#/paths/~1x'}, '': null, /y: {get: 7, post: {summary: [1]}}}
""",
    "schemas refer to each other": """\
openapi: 3.1.0
info: {title: {a: 1}, version: 1.0}
paths: []
components: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}}}
""",
    "Swagger": """\
swagger: '2.0'
info: {}
paths: {/x: {get: {responses: {200: {schema: {$ref: '#/definitions/A'}}}}}}
definitions: {A: {}}
""",
    "a path behind a reference": """\
openapi: 3.1.0
paths: {/x: {$ref: '#/components/pathItems/X'}}
components: {pathItems: {X: {get: {deprecated: true}}}}
""",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_rare_and_malformed_documents_are_shown_too(api, show, text):
    publish_document(api, text)
    assert show(PAGE).status == 200
    assert show(TEXT).status == 200
