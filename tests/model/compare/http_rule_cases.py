"""Cases for the rules about routes, credentials, requests and responses, with the findings of the reference engine."""

from typing import Any

from tests.model.compare.http_cases import FLAG, TEXT, WHOLE, Case, items, json_content, parameter, thing

UNKNOWN_PATH = "E request.path-or-method.unknown | request.path | [root].paths"
UNAUTHORIZED = "E request.authorization.missing | request.headers | "
FORM = "application/x-www-form-urlencoded"
SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
    "basic": {"type": "http", "scheme": "basic"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "oauth": {"type": "oauth2", "flows": {}},
}

MULTIPART = '--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--X--\r\n'


def route(rule, template, path, *, is_known=True, schema=TEXT, **more):
    more.setdefault("operation", {"parameters": [parameter("id", "path", schema, required=True)]})
    return Case(rule=rule, template=template, path=path, expected=() if is_known else (UNKNOWN_PATH,), **more)


def secured(rule, requirements, expected=(), headers=None, **more):
    document = {"components": {"securitySchemes": SCHEMES}}
    operation = {"security": requirements}
    return Case(
        rule=rule, operation=operation, document=document, request={"headers": headers or {}}, expected=expected, **more
    )


def header(rule, expected=(), *, value: Any = "1", schema=WHOLE, **more):
    request = {} if value is None else {"headers": {"x-count": value}}
    operation = {"parameters": [parameter("X-Count", "header", schema, required=True)]}
    return Case(rule=rule, operation=operation, request=request, expected=expected, **more)


def query(rule, text, schema, expected=(), **more):
    operation = {"parameters": [parameter("a", "query", schema, required=True)]}
    return Case(rule=rule, operation=operation, request={"query": text}, expected=expected, **more)


def swagger_array(rule, text, style, expected=()):
    declared = {"name": "a", "in": "query", "type": "array", "items": WHOLE, "collectionFormat": style}
    return Case(
        rule=rule, version="2.0", operation={"parameters": [declared]}, request={"query": text}, expected=expected
    )


def accept(rule, value, offered, expected=(), **more):
    responses = {"200": {"description": "OK", "content": {name: {} for name in offered}}}
    return Case(rule=rule, responses=responses, request={"headers": {"Accept": value}}, expected=expected, **more)


def body(rule, body, schema, expected=(), **more):
    content_type, media_type = more.pop("content_type", "application/json"), more.pop("media_type", None)
    declared = {"required": more.pop("is_required", True), "content": {media_type or content_type: {"schema": schema}}}
    request = {"headers": {"Content-Type": content_type} if content_type else {}}
    if body is not None:
        request["body"] = body
    return Case(
        rule=rule, method="post", operation={"requestBody": declared}, request=request, expected=expected, **more
    )


def returned(rule, responses, response, expected=(), **more):
    return Case(rule=rule, responses=responses, response=response, expected=expected, **more)


def sent_back(rule, headers, declared, expected=()):
    responses = {"200": {"description": "OK", "headers": declared}}
    return returned(rule, responses, {"headers": headers}, expected)


BODY = "E request.body.incompatible | request.body{} | requestBody.content.{}.schema.{}"
JSON_BODY = "E request.body.incompatible | request.body{} | requestBody.content.application/json.schema.{}"
RETURNED = "E response.body.incompatible | response.body{} | responses.200.content.application/json.schema.{}"
QUERY = "E request.query.incompatible | request.query.a{} | parameters[0].schema.{}"
HEADER = "E request.header.incompatible | request.headers.X-Count | parameters[0]{}"
TWO_FAULTS = {
    "parameters": [parameter("id", "path", WHOLE, required=True), parameter("a", "query", WHOLE, required=True)],
    "security": [{"key": []}],
}

CASES = [
    Case(
        rule="O2: findings follow the order of the request and the response",
        method="post",
        operation={
            "parameters": [parameter("X-Count", "header", WHOLE), parameter("a", "query", WHOLE)],
            "security": [{"key": []}],
            "requestBody": json_content(thing(a=WHOLE)),
        },
        document={"components": {"securitySchemes": SCHEMES}},
        responses={"200": json_content(thing(a=WHOLE))},
        request={"headers": {"X-Count": "x", "Content-Type": "application/json"}, "query": "a=x", "body": {"a": "x"}},
        response={"headers": {"X-New": "1"}, "body": {"a": "x"}},
        expected=(
            UNAUTHORIZED,
            HEADER.format(".schema.type"),
            "E request.query.incompatible | request.query.a | parameters[1].schema.type",
            JSON_BODY.format(".a", "properties.a.type"),
            "E response.header.unknown | response.headers.x-new | responses.200.headers",
            RETURNED.format(".a", "properties.a.type"),
        ),
    ),
    Case(
        rule="O3: a path parameter that does not fit is the only finding",
        template="/orders/{id}",
        path="/orders/x",
        operation=TWO_FAULTS,
        expected=(UNKNOWN_PATH,),
    ),
    body(
        "O4: the body of a request with another content type is not compared",
        {"a": "x"},
        thing(a=WHOLE),
        ("E request.content-type.incompatible | request.headers.content-type | requestBody.content",),
        content_type="text/plain",
        media_type="application/json",
    ),
    returned(
        "O5: the body of a response with another content type is not compared",
        {"200": json_content(thing(a=WHOLE))},
        {"headers": {"Content-Type": "text/plain"}, "body": {"a": "x"}},
        ("E response.content-type.incompatible | response.headers.content-type | responses.200.content",),
    ),
    Case(
        rule="O6: a request that the provider refuses may break the document",
        method="post",
        operation={
            "parameters": [parameter("X-Count", "header", WHOLE, required=True), parameter("a", "query", WHOLE)],
            "security": [{"key": []}],
            "requestBody": json_content(thing(a=WHOLE)),
        },
        document={"components": {"securitySchemes": SCHEMES}},
        responses={"400": {"description": "Bad request"}},
        request={
            "headers": {"X-New": "1", "Content-Type": "application/json"},
            "query": "a=x&b=1",
            "body": {"a": "x"},
        },
        response={"status": 400},
    ),
    Case(
        rule="O6: the content type and the response of a refused request are compared",
        method="post",
        operation={"requestBody": json_content(TEXT)},
        responses={"400": json_content(TEXT)},
        request={"headers": {"Content-Type": "text/plain"}},
        response={"status": 400, "body": {"a": 1}},
        expected=(
            "E request.content-type.incompatible | request.headers.content-type | requestBody.content",
            "E response.body.incompatible | response.body | responses.400.content.application/json.schema.type",
        ),
    ),
    returned(
        "O7: matching rules do not count",
        {"200": json_content({"type": "string", "enum": ["A"]})},
        {"body": "X", "matchingRules": {"$.body": {"match": "type"}}},
        ("E response.body.incompatible | response.body | responses.200.content.application/json.schema.enum",),
    ),
    Case(rule="O8: an interaction of an unknown type is left out", path="/x", interaction={"type": "Future"}),
    Case(rule="O8: null is no interaction", pact={"interactions": [None]}),
    Case(rule="O8: a pact may have no interactions", pact={"interactions": []}),
    Case(rule="P1: the path is unknown", path="/other", expected=(UNKNOWN_PATH,)),
    Case(rule="P2: the method is unknown", request={"method": "PUT"}, expected=(UNKNOWN_PATH,)),
    route("P3: a path parameter of another type", "/orders/{id}", "/orders/x", schema=WHOLE, is_known=False),
    route("P3: a path parameter of the type", "/orders/{id}", "/orders/7", schema=WHOLE),
    route(
        "P3: a path parameter below its minimum",
        "/orders/{id}",
        "/orders/1",
        schema={**WHOLE, "minimum": 2},
        is_known=False,
    ),
    route("P4: a path with a query", "/orders", "/orders?a=1", is_known=False),
    Case(
        rule="P5: fixed segments win over parameters",
        template="/orders/{id}",
        path="/orders/mine",
        document={
            "paths": {
                "/orders/{id}": {"get": {"parameters": [parameter("id", "path", WHOLE)], "responses": {}}},
                "/orders/mine": {"get": {"responses": {"200": {"description": "OK"}}}},
            }
        },
    ),
    route("P6: a parameter needs a character", "/orders/{id}", "/orders/", is_known=False),
    route("P6: a parameter does not reach over a slash", "/orders/{id}", "/orders/1/2", is_known=False),
    route("P6: names of parameters may have dashes", "/orders/{order-id}", "/orders/1"),
    route("P6: a colon is literal", "/orders:{id}", "/orders:7", schema=WHOLE),
    route("P6: text may follow a parameter", "/orders/{id}.json", "/orders/7.json", schema=WHOLE),
    route("P7: paths are case-sensitive", "/Orders", "/orders", is_known=False),
    Case(rule="P8: Swagger 2 has a base path", version="2.0", document={"basePath": "/v1"}, path="/v1/orders"),
    Case(rule="P8: the base path is required", version="2.0", document={"basePath": "/v1"}, expected=(UNKNOWN_PATH,)),
    Case(rule="P8: servers do not count", document={"servers": [{"url": "https://example.com/v1"}]}),
    Case(
        rule="P8: the setting of the document wins",
        version="2.0",
        document={"basePath": "/v1"},
        info={"x-opc-config-base-path": "/v2"},
        path="/v2/orders",
    ),
    *(
        route(
            f"P9: an array in the path, style {style}",
            "/orders/{id}",
            f"/orders/{text}",
            is_known=is_known,
            operation={
                "parameters": [
                    parameter("id", "path", items(WHOLE), required=True, style=style, explode=explode),
                ]
            },
        )
        for style, explode, text, is_known in [
            ("simple", False, "1,2", True),
            ("label", True, "1.2", True),
            ("matrix", True, "1;2", True),
            ("simple", False, "1;2", False),
            ("label", False, "1.5", False),
        ]
    ),
    Case(
        rule="P10: parameters of the path are inherited",
        path_item={"parameters": [parameter("a", "query", WHOLE)]},
        request={"query": "a=x"},
        expected=(QUERY.format("", "type"),),
    ),
    Case(
        rule="P10: those of the operation win",
        operation={"parameters": [parameter("a", "query", TEXT)]},
        path_item={"parameters": [parameter("a", "query", WHOLE)]},
        request={"query": "a=x"},
    ),
    Case(
        rule="P11: a parameter that the path lacks is ignored",
        operation={"parameters": [parameter("id", "path", WHOLE)]},
    ),
    *(
        Case(rule=f"P12: the method {method}", method=method)
        for method in ("get", "post", "put", "patch", "delete", "head", "options", "trace")
    ),
    Case(rule="P13: a path without a leading slash gets one", path="orders"),
    Case(rule="S1: the operation requires nothing"),
    secured("S2: an empty requirement", [{"key": []}, {}]),
    secured("S3: one alternative is enough", [{"key": []}, {"basic": []}], headers={"Authorization": "Basic x"}),
    secured("S3: each missing alternative is reported", [{"key": []}, {"basic": []}], (UNAUTHORIZED, UNAUTHORIZED)),
    secured("S4: an API key in a header", [{"key": []}], headers={"x-key": "1"}),
    secured("S4: a missing API key in a header", [{"key": []}], (UNAUTHORIZED,)),
    secured(
        "S4: a missing API key in the query", [{"query": []}], ("E request.authorization.missing | request.query | ",)
    ),
    secured("S5: an API key in a cookie", [{"cookie": []}]),
    secured("S6: basic", [{"basic": []}], headers={"authorization": "bAsIc x"}),
    secured("S6: another scheme than basic", [{"basic": []}], (UNAUTHORIZED,), headers={"authorization": "Bearer x"}),
    secured("S7: bearer", [{"bearer": []}], headers={"authorization": "bearer x"}),
    secured("S7: another scheme than bearer", [{"bearer": []}], (UNAUTHORIZED,), headers={"authorization": "x"}),
    secured("S8: OAuth cannot be checked", [{"oauth": []}]),
    secured("S9: one scheme of a requirement is enough", [{"key": [], "basic": []}], headers={"X-Key": "1"}),
    Case(
        rule="S10: the document's requirements are inherited",
        document={"security": [{"key": []}], "components": {"securitySchemes": SCHEMES}},
        expected=(UNAUTHORIZED,),
    ),
    Case(
        rule="S10: an empty list of the operation means none",
        operation={"security": []},
        document={"security": [{"key": []}], "components": {"securitySchemes": SCHEMES}},
    ),
    accept("H1: nothing is produced", "text/plain", (), ("W request.accept.unknown | request.headers.accept | ",)),
    accept(
        "H2: no type fits", "text/plain", ["image/png"], ("E request.accept.incompatible | request.headers.accept | ",)
    ),
    accept("H2: a type fits", "text/plain;q=0.5, image/png", ["text/plain"]),
    Case(
        rule="H3: nothing is consumed",
        request={"headers": {"Content-Type": "text/plain"}},
        expected=("W request.content-type.unknown | request.headers.content-type | ",),
    ),
    body(
        "H4: no type fits",
        "x",
        TEXT,
        ("E request.content-type.incompatible | request.headers.content-type | requestBody.content",),
        content_type="text/plain",
        media_type="image/png",
    ),
    body(
        "H5: the content type is missing",
        "x",
        TEXT,
        ("W request.content-type.missing | request.headers.content-type | ",),
        content_type="",
        media_type="application/json",
    ),
    header("H6: a header of the type"),
    header("H6: a header of another type", (HEADER.format(".schema.type"),), value="x"),
    header("H6: true is a boolean", value="true", schema=FLAG),
    header("H7: a required header is missing", (HEADER.format(""),), value=None),
    Case(
        rule="H8: an undeclared header",
        request={"headers": {"X-New": "1", "Accept-Language": "en"}},
        expected=("W request.header.unknown | request.headers.x-new | ",),
    ),
    secured("H8: the header of an API key is known", [{"key": []}, {}], headers={"X-KEY": "1"}),
    header("H9: several values are a list", value=["1", "2"], schema=items(WHOLE)),
    query("Q1: a parameter of the type", "a=1", WHOLE),
    query("Q1: a parameter of another type", "a=x", WHOLE, (QUERY.format("", "type"),)),
    query("Q2: a required parameter is missing", "", WHOLE, (QUERY.format("", "type"),)),
    Case(
        rule="Q3: an undeclared parameter",
        request={"query": "b=1"},
        expected=("W request.query.unknown | request.query.b | ",),
    ),
    Case(
        rule="Q3: an API key of a header is no parameter of the query",
        operation={"security": [{"key": []}, {}]},
        document={"components": {"securitySchemes": SCHEMES}},
        request={"query": "X-Key=1"},
        expected=("W request.query.unknown | request.query.X-Key | ",),
    ),
    Case(
        rule="Q3: an API key is no undeclared parameter",
        operation={"security": [{"query": []}]},
        document={"components": {"securitySchemes": SCHEMES}},
        request={"query": "key=1"},
    ),
    query("Q4: an object of texts", {"a": "x"}, WHOLE, (QUERY.format("", "type"),)),
    query("Q4: an object of lists", {"a": ["1", "x"]}, items(WHOLE), (QUERY.format(".1", "items.type"),)),
    query("Q5: commas separate the items", "a=1,x", items(WHOLE), (QUERY.format(".1", "items.type"),)),
    query("Q5: a repeated parameter is a list", "a=1&a=x", items(WHOLE), (QUERY.format(".1", "items.type"),)),
    swagger_array("Q5: spaces separate the items", "a=1 x", "ssv", (QUERY.format(".1", "items.type"),)),
    swagger_array("Q5: tabs separate the items", "a=1%09x", "tsv", (QUERY.format(".1", "items.type"),)),
    swagger_array("Q5: bars separate the items", "a=1|x", "pipes", (QUERY.format(".1", "items.type"),)),
    query("Q6: text is not split", "a=1,2", TEXT),
    query("Q7: brackets nest", "a[b]=x", thing(b=WHOLE), (QUERY.format(".b", "properties.b.type"),)),
    query("Q7: dots nest", "a.b=x", thing(b=WHOLE), (QUERY.format(".b", "properties.b.type"),)),
    body("B1: an optional body is missing", None, TEXT, is_required=False),
    body("B2: a required body is missing", None, TEXT, (JSON_BODY.format("", "type"),)),
    body("B3: the body breaks the schema", {"a": "x"}, thing(a=WHOLE), (JSON_BODY.format(".a", "properties.a.type"),)),
    body("B4: an unlisted property", {"b": 1}, thing(a=WHOLE)),
    body(
        "B5: an excluded property",
        {"b": 1},
        {**thing(a=WHOLE), "additionalProperties": False},
        (JSON_BODY.format("", "additionalProperties"),),
    ),
    body("B6: a missing property", {}, {**thing(a=WHOLE), "required": ["a"]}, (JSON_BODY.format("", "required"),)),
    Case(
        rule="B7: the body has no schema",
        method="post",
        request={"body": {"a": 1}},
        expected=("W request.body.unknown | request.body | requestBody.content",),
    ),
    body("B8: a form", "a=x", thing(a=WHOLE), (BODY.format(".a", FORM, "properties.a.type"),), content_type=FORM),
    body(
        "B9: a multipart form",
        MULTIPART,
        thing(a=WHOLE),
        (BODY.format(".a", "multipart/form-data", "properties.a.type"),),
        content_type="multipart/form-data; boundary=X",
        media_type="multipart/form-data",
    ),
    body(
        "B10: a body of another type",
        "<a/>",
        thing(),
        ("W request.body.unvalidatable | request.body | requestBody.content",),
        content_type="application/xml",
    ),
    body("B11: text is not a number", {"a": "1"}, thing(a=WHOLE), (JSON_BODY.format(".a", "properties.a.type"),)),
    body(
        "B12: a vendor's type is JSON",
        {"a": "x"},
        thing(a=WHOLE),
        (BODY.format(".a", "application/vnd.x+json", "properties.a.type"),),
        content_type="application/vnd.x+json",
    ),
    body(
        "B13: without a content type, the body is JSON",
        {"a": "x"},
        thing(a=WHOLE),
        (
            "W request.content-type.missing | request.headers.content-type | ",
            JSON_BODY.format(".a", "properties.a.type"),
        ),
        content_type="",
        media_type="application/json",
    ),
    returned("R1: the exact status", {"200": {}, "2XX": json_content(TEXT)}, {"headers": {}}),
    returned(
        "R1: the range of the status",
        {"2XX": json_content(TEXT)},
        {"body": {"a": 1}},
        ("E response.body.incompatible | response.body | responses.200.content.application/json.schema.type",),
    ),
    returned("R2: an unknown status", {"201": {}}, {}, ("E response.status.unknown | response.status | responses",)),
    returned(
        "R3: the default response", {"default": {}}, {}, ("W response.status.default | response.status | responses",)
    ),
    returned(
        "R4: the response has no content",
        {"200": {}},
        {"headers": {"Content-Type": "text/plain"}},
        ("W response.content-type.unknown | response.headers.content-type | ",),
    ),
    returned(
        "R5: no content type fits",
        {"200": json_content(TEXT)},
        {"headers": {"Content-Type": "text/plain"}},
        ("E response.content-type.incompatible | response.headers.content-type | responses.200.content",),
    ),
    sent_back(
        "R6: a header of another type",
        {"X-Count": "x"},
        {"X-Count": {"schema": WHOLE}},
        ("E response.header.incompatible | response.headers.X-Count | responses.200.headers.X-Count.schema.type",),
    ),
    sent_back("R7: the pact may lack a required header", {}, {"X-Count": {"required": True, "schema": WHOLE}}),
    sent_back("R8: a standard header", {"ETag": "x"}, {}, ("W response.header.undefined | response.headers.etag | ",)),
    sent_back(
        "R9: an undeclared header",
        {"X-New": "x"},
        {},
        ("E response.header.unknown | response.headers.x-new | responses.200.headers",),
    ),
    returned(
        "R10: the body has no schema",
        {"200": {}},
        {"body": {"a": 1}},
        ("E response.body.unknown | response.body | responses.200.content",),
    ),
    returned("R11: the pact has no body", {"200": json_content(TEXT)}, {}),
    returned(
        "R12: a body of another type",
        {"200": {"content": {"image/png": {}}}},
        {"body": "x"},
        ("W response.body.unvalidatable | response.body | responses.200.content",),
    ),
    returned(
        "R13: one finding for each error",
        {"200": json_content(thing(a=WHOLE, b=WHOLE))},
        {"body": {"a": "x", "b": "x", "c": 1}},
        (
            RETURNED.format("", "additionalProperties"),
            RETURNED.format(".a", "properties.a.type"),
            RETURNED.format(".b", "properties.b.type"),
        ),
    ),
    returned(
        "R14: the type that the request accepts",
        {"200": {"content": {"application/json": {"schema": TEXT}, "application/vnd.x+json": {"schema": WHOLE}}}},
        {"body": "x"},
        ("E response.body.incompatible | response.body | responses.200.content.application/vnd.x+json.schema.type",),
        request={"headers": {"Accept": "application/vnd.x+json"}},
    ),
    returned(
        "R14: the first type that is listed",
        {"200": {"content": {"application/vnd.x+json": {"schema": WHOLE}, "text/plain": {}}}},
        {"body": "x"},
        ("E response.body.incompatible | response.body | responses.200.content.application/vnd.x+json.schema.type",),
        request={"headers": {"Accept": "*/*"}},
    ),
]
