"""Cases for the switches of a document, and for the stricter rules of the profile `strict`."""

from dataclasses import replace

from tests.model.compare.http_cases import (
    FLAG,
    TEXT,
    WHOLE,
    Case,
    items,
    parameter,
    ref,
    request_case,
    response_case,
    thing,
)

UNKNOWN_PATH = "E request.path-or-method.unknown | request.path | [root].paths"
RETURNED = "E response.body.incompatible | response.body{} | responses.200.content.application/json.schema.{}"
PARTS = "multipart/form-data"
FORM = "application/x-www-form-urlencoded"
MULTIPART = '--X\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--X--\r\n'
SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


def query(text, schema, **more):
    operation = {"parameters": [parameter("a", "query", schema)]}
    return Case(rule="query", operation=operation, request={"query": text}, **more)


def body(content_type, body, schema):
    declared = {"content": {content_type.partition(";")[0]: {"schema": schema}}}
    request = {"headers": {"Content-Type": content_type}, "body": body}
    return Case(rule="body", method="post", operation={"requestBody": declared}, request=request)


def secured(requirement, headers):
    return Case(
        rule="security",
        operation={"security": [requirement]},
        document={"components": {"securitySchemes": SCHEMES}},
        request={"headers": headers},
    )


UNAUTHORIZED = "E request.authorization.missing | request.headers | "
QUERY = "E request.query.incompatible | request.query.a{} | parameters[0].schema.{}"

# The name of a switch, a case, and its findings while the switch is off and on.
SWITCHES = [
    ("cast-objects-in-pact", query("a=[object Object]", thing()), (QUERY.format("", "type"),), ()),
    ("case-insensitive", Case(rule="case", path="/ORDERS"), (UNKNOWN_PATH,), ()),
    (
        "disable-multipart-formdata",
        body("multipart/form-data; boundary=X", MULTIPART, thing(a=WHOLE)),
        (f"E request.body.incompatible | request.body.a | requestBody.content.{PARTS}.schema.properties.a.type",),
        ("W request.body.unvalidatable | request.body | requestBody.content",),
    ),
    ("ignore-duplicate-slashes", Case(rule="slashes", path="//orders"), (UNKNOWN_PATH,), ()),
    ("ignore-trailing-slash", Case(rule="slash", path="/orders/"), (UNKNOWN_PATH,), ()),
    (
        "legacy-parser",
        query("a.b=1", thing(b=WHOLE)),
        (),
        ("W request.query.unknown | request.query.a.b | ",),
    ),
    (
        "legacy-parser",
        body(FORM, "a=1,2", thing(a=TEXT)),
        (f"E request.body.incompatible | request.body.a | requestBody.content.{FORM}.schema.properties.a.type",),
        (),
    ),
    ("no-authorization-schema", secured({"bearer": []}, {"Authorization": "x"}), (UNAUTHORIZED,), ()),
    ("no-percent-encoding", Case(rule="percent", template="/100%", path="/100%"), (UNKNOWN_PATH,), ()),
    (
        "no-transform-non-nullable-response-schema",
        response_case(
            "nullable", thing(a={**ref("Order"), "nullable": True}), {"a": {"b": 1}}, schemas={"Order": thing()}
        ),
        (RETURNED.format(".a", "components.schemas.Order.additionalProperties"),),
        (),
    ),
    ("no-validate-complex-parameters", query("a=x", items(WHOLE)), (QUERY.format(".0", "items.type"),), ()),
    (
        "no-validate-request-body-unless-application-json",
        body(FORM, "a=x", thing(a=WHOLE)),
        (f"E request.body.incompatible | request.body.a | requestBody.content.{FORM}.schema.properties.a.type",),
        (),
    ),
]

ONE_OF = {"oneOf": [thing(a=TEXT), thing(a=TEXT, b=WHOLE)]}
HIDDEN = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {"id": {**TEXT, "readOnly": True}, "name": TEXT},
}

SECRET = {
    "required": ["name", "password"],
    "oneOf": [{}],
    "properties": {"password": {**TEXT, "writeOnly": True}, "name": TEXT},
}

SERVERS = {"servers": [{"url": "https://example.com/{version}", "variables": {"version": {"default": "v1"}}}]}
ENUM = {"type": "string", "enum": ["A", "B"]}


def ruled(schema, body, rules):
    """Build a case about a response with matching rules of version 3."""
    case = response_case("rules", schema, body)
    return replace(case, response={"body": body, "matchingRules": {"body": rules}})


def sent_back(rule, headers, declared):
    return Case(rule=rule, responses={"200": {"description": "OK", "headers": declared}}, response={"headers": headers})


TYPE_RULE = {"matchers": [{"match": "type"}]}
NO_BRANCH = tuple(
    RETURNED.format("", step) for step in ("oneOf", "oneOf.0.additionalProperties", "oneOf.1.additionalProperties")
)

# A case, its findings in `reference`, and in `strict`.
STRICT = [
    (secured({"key": [], "bearer": []}, {"X-Key": "1"}), (), (UNAUTHORIZED,)),
    (response_case("subset", ONE_OF, {"a": "x"}), (RETURNED.format("", "oneOf"),), ()),
    (
        response_case("no branch", ONE_OF, {"c": "x"}),
        NO_BRANCH,
        NO_BRANCH,
    ),
    (
        request_case("requests", ONE_OF, {"a": "x"}),
        ("E request.body.incompatible | request.body | requestBody.content.application/json.schema.oneOf",),
        ("E request.body.incompatible | request.body | requestBody.content.application/json.schema.oneOf",),
    ),
    (Case(rule="servers", document=SERVERS, path="/v1/orders"), (UNKNOWN_PATH,), ()),
    (Case(rule="servers", document=SERVERS), (), (UNKNOWN_PATH,)),
    (Case(rule="relative server", document={"servers": [{"url": "/v2/"}]}, path="/v2/orders"), (UNKNOWN_PATH,), ()),
    (
        Case(rule="the root as base path", version="2.0", document={"basePath": "/"}, path="/orders"),
        (UNKNOWN_PATH,),
        (),
    ),
    (
        Case(rule="a base path", version="2.0", document={"basePath": "/v1"}, path="/v1/orders"),
        (),
        (),
    ),
    (
        sent_back("a list in a header", {"X-Ids": "1, 2"}, {"X-Ids": {"schema": items(WHOLE)}}),
        ("E response.header.incompatible | response.headers.X-Ids | responses.200.headers.X-Ids.schema.type",),
        (),
    ),
    (
        sent_back("a comma in a header of text", {"X-Name": "a, b"}, {"X-Name": {"schema": {**TEXT, "maxLength": 4}}}),
        (),
        (),
    ),
    (
        sent_back(
            "a content type in a header's declaration",
            {"Content-Type": "text/plain"},
            {"Content-Type": {"schema": WHOLE}},
        ),
        ("W response.content-type.unknown | response.headers.content-type | ",),
        ("W response.content-type.unknown | response.headers.content-type | ",),
    ),
    (
        Case(rule="server of the path", document=SERVERS, path_item={"servers": [{"url": "/"}]}),
        (),
        (),
    ),
    (ruled(ENUM, "X", {"$": TYPE_RULE}), (RETURNED.format("", "enum"),), ()),
    (
        ruled(ENUM, 5, {"$": TYPE_RULE}),
        (RETURNED.format("", "enum"), RETURNED.format("", "type")),
        (RETURNED.format("", "type"),),
    ),
    (
        ruled(thing(a=items(ENUM)), {"a": ["X"]}, {"$.a": {"matchers": [{"match": "type", "min": 1}]}}),
        (RETURNED.format(".a.0", "properties.a.items.enum"),),
        (),
    ),
    (
        ruled(thing(a=ENUM), {"a": "X"}, {"$": TYPE_RULE, "$.a": {"matchers": [{"match": "equality"}]}}),
        (RETURNED.format(".a", "properties.a.enum"),),
        (RETURNED.format(".a", "properties.a.enum"),),
    ),
    (
        ruled(
            thing(a=items(ENUM)), {"a": ["X"]}, {"$.a[0]": {"matchers": [{"match": "equality"}]}, "$.a[*]": TYPE_RULE}
        ),
        (RETURNED.format(".a.0", "properties.a.items.enum"),),
        (RETURNED.format(".a.0", "properties.a.items.enum"),),
    ),
    (
        ruled(ENUM, "X", {"$": {"matchers": [{"match": "regex", "regex": "^[A-Z]$"}]}}),
        (RETURNED.format("", "enum"),),
        (),
    ),
    (
        ruled(ENUM, "X", {"$": {"matchers": [{"match": "regex", "regex": "^[AX]$"}]}}),
        (RETURNED.format("", "enum"),),
        (RETURNED.format("", "enum"),),
    ),
    (
        ruled({"anyOf": [ENUM, WHOLE]}, "X", {"$": TYPE_RULE}),
        (RETURNED.format("", "anyOf.0.enum"), RETURNED.format("", "anyOf.1.type"), RETURNED.format("", "anyOf")),
        (),
    ),
    (
        request_case("read only", HIDDEN, {"name": "x"}),
        ("E request.body.incompatible | request.body | requestBody.content.application/json.schema.required",),
        (),
    ),
    (response_case("write only", SECRET, {"name": "x"}), (RETURNED.format("", "required"),), ()),
    (
        response_case(
            "several types", {"type": ["object", "null"], "properties": {"a": TEXT}}, {"b": 1}, version="3.1.0"
        ),
        (),
        (RETURNED.format("", "additionalProperties"),),
    ),
    (
        response_case("two anyOf", {"allOf": [{"anyOf": [TEXT, WHOLE]}, {"anyOf": [WHOLE, FLAG]}]}, body=True),
        (),
        (RETURNED.format("", "anyOf.0.type"), RETURNED.format("", "anyOf.1.type"), RETURNED.format("", "anyOf")),
    ),
    (
        response_case(
            "prefixItems", {"prefixItems": [TEXT, thing()], "items": FLAG}, [1, {"a": 1}, "x"], version="3.1.0"
        ),
        (RETURNED.format(".0", "items.type"), RETURNED.format(".1", "items.type"), RETURNED.format(".2", "items.type")),
        (
            RETURNED.format(".0", "prefixItems.0.type"),
            RETURNED.format(".1", "prefixItems.1.additionalProperties"),
            RETURNED.format(".2", "items.type"),
        ),
    ),
    (
        request_case("united", {"allOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"b": 1}),
        (),
        ("E request.body.incompatible | request.body | requestBody.content.application/json.schema.required",),
    ),
]
