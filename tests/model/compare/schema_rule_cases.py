"""Cases for the rules about the transformation of schemas, and for how pacts are read."""

from tests.model.compare.http_cases import (
    FLAG,
    NUMBER,
    TEXT,
    WHOLE,
    Case,
    items,
    ref,
    request_case,
    response_case,
    thing,
)
from treaty.model.compare.profiles import Profile

LOOSE = {"a": TEXT, "b": WHOLE}
ORDER = thing(id=WHOLE, note=TEXT)
NODE = thing(value=WHOLE, next=ref("Node"))
CAT = {**thing(kind={"type": "string", "enum": ["cat"]}, lives=WHOLE), "required": ["kind"]}
DOG = {**thing(kind={"type": "string", "const": "dog"}, barks=FLAG), "required": ["kind"]}
PETS = {"oneOf": [ref("Cat"), ref("Dog")], "discriminator": {"propertyName": "kind"}}
MAPPED = {
    **PETS,
    "discriminator": {
        "propertyName": "kind",
        "mapping": {"tom": "#/components/schemas/Cat", "rex": "#/components/schemas/Dog"},
    },
}

SCHEMAS = {
    "Order": ORDER,
    "Node": NODE,
    "Cat": CAT,
    "Dog": DOG,
    "Pet": {**thing(kind=TEXT), "required": ["kind"]},
    "Alias": ref("Order"),
    "Broken": ref("Nothing"),
    "Looped": ref("Looped"),
}

BRANCHES = [thing(a=TEXT), thing(a=TEXT, b=WHOLE)]
ANY = {"anyOf": [thing(a=TEXT), thing(b=WHOLE)]}


def both(rule, schema, body, expected=None, **more):
    """Build the same case for a response and a request."""
    return [make(rule, schema, body, expected, **more) for make in (response_case, request_case)]


def of_format(name, schema, good, bad):
    """Build cases for a format: the first value has it, the second does not."""
    declared = {**schema, "format": name}
    return [
        response_case(f"X12: {name}", declared, good),
        response_case(f"X12: not {name}", declared, bad, {"format": ""}),
    ]


def stated(rule, body, version, expected):
    """Build a case about the body of a pact of some version."""
    case = response_case(rule, thing(a=WHOLE), body, expected)
    return Case(
        rule=rule, responses=case.responses, response=case.response, expected=case.expected, pact={"metadata": version}
    )


V4 = {"pactSpecification": {"version": "4.0"}}
CASES = [
    response_case("X1: an object is closed", thing(a=TEXT), {"b": 1}, {"additionalProperties": ""}),
    response_case(
        "X1: true is closed, too", {**thing(), "additionalProperties": True}, {"b": 1}, {"additionalProperties": ""}
    ),
    response_case(
        "X1: a schema of other properties stays", {"type": "object", "additionalProperties": WHOLE}, {"b": 1}
    ),
    response_case("X1: without a type, it stays open", {"properties": {"a": TEXT}}, {"b": 1}),
    request_case("X1: requests are open", thing(a=TEXT), {"b": 1}),
    response_case("X2: a response may be a subset", {**thing(a=TEXT), "required": ["a"]}, {}),
    request_case("X2: a request must be complete", {**thing(a=TEXT), "required": ["a"]}, {}, {"required": ""}),
    response_case(
        "X2: beside oneOf, required stays",
        {"type": "object", "required": ["a"], "oneOf": [thing(b=WHOLE), TEXT]},
        {"b": 1},
        {"required": ""},
    ),
    response_case("X3: a subset of allOf", {"allOf": [thing(a=TEXT), thing(b=WHOLE)]}, {"a": "x"}),
    response_case("X3: the properties are united", {"allOf": [thing(a=TEXT), thing(b=WHOLE)]}, {"a": "x", "b": 1}),
    response_case(
        "X3: others are excluded", {"allOf": [thing(a=TEXT), thing(b=WHOLE)]}, {"c": 1}, {"additionalProperties": ""}
    ),
    response_case(
        "X3: references are followed",
        {"allOf": [ref("Order"), thing(b=WHOLE)]},
        {"id": "x"},
        {"properties.id.type": ".id"},
        schemas=SCHEMAS,
    ),
    response_case(
        "X3: a property with more than a reference",
        {"allOf": [thing(a={**ref("Short"), "maxLength": 1}), thing(b=WHOLE)]},
        {"a": "xx"},
        {"properties.a.maxLength": ".a"},
        schemas={"Short": TEXT},
        version="3.1.0",
    ),
    response_case("X3: in items", items({"allOf": [thing(a=TEXT), thing(b=WHOLE)]}), [{"a": "x", "b": 1}]),
    *both("X4: nullable", thing(a={**TEXT, "nullable": True}), {"a": None}),
    *both("X4: not nullable", thing(a=TEXT), {"a": None}, {"properties.a.type": ".a"}),
    *both("X4: nullable without type is an object", {"nullable": True}, "x", {"type": ""}),
    response_case(
        "X4: nullable beside a reference", thing(a={**ref("Order"), "nullable": True}), {"a": None}, schemas=SCHEMAS
    ),
    *both("X6: exclusive maximum", {**NUMBER, "maximum": 5, "exclusiveMaximum": True}, 5, {"exclusiveMaximum": ""}),
    *both("X6: exclusive minimum", {**NUMBER, "minimum": 5, "exclusiveMinimum": True}, 5, {"exclusiveMinimum": ""}),
    *both("X6: false is dropped", {**NUMBER, "minimum": 5, "exclusiveMinimum": False}, 5),
    *both("X7: the tag chooses the branch", PETS, {"kind": "dog", "barks": True}, schemas=SCHEMAS),
    *both(
        "X7: the chosen branch counts",
        PETS,
        {"kind": "cat", "lives": "x"},
        {"components.schemas.Cat.properties.lives.type": ".lives"},
        schemas=SCHEMAS,
    ),
    *both("X7: an unknown tag", PETS, {"kind": "cow"}, {"discriminator": ""}, schemas=SCHEMAS),
    *both("X7: a missing tag", PETS, {"lives": 9}, {"required": "", "discriminator": ""}, schemas=SCHEMAS),
    response_case(
        "X7: through the mapping",
        {
            **MAPPED,
            "oneOf": [ref("Pet"), ref("Dog")],
            "discriminator": {
                "propertyName": "kind",
                "mapping": {"p": "#/components/schemas/Pet", "d": "#/components/schemas/Dog"},
            },
        },
        {"kind": "p", "barks": True},
        {"components.schemas.Pet.additionalProperties": ""},
        schemas=SCHEMAS,
        profile=Profile.STRICT,
    ),
    *both(
        "X8: a discriminator without oneOf", {**thing(a=TEXT), "discriminator": {"propertyName": "kind"}}, {"a": "x"}
    ),
    *both("X9: a branch fits", {"oneOf": [TEXT, WHOLE]}, 1),
    *both("X9: no branch fits", {"oneOf": [TEXT, WHOLE]}, 1.5, {"oneOf.0.type": "", "oneOf.1.type": "", "oneOf": ""}),
    response_case("X9: a subset that fits two branches", {"oneOf": BRANCHES}, {"a": "x"}, {"oneOf": ""}),
    *both(
        "X9: of the branches after the second that fits, none is reported",
        {"oneOf": [TEXT, WHOLE, FLAG, NUMBER, thing()]},
        1,
        {"oneOf.0.type": "", "oneOf.2.type": "", "oneOf": ""},
    ),
    *both("X10: a branch of anyOf fits", ANY, {"b": 1}),
    response_case(
        "X10: the branches are closed",
        ANY,
        {"c": 1},
        {"anyOf.0.additionalProperties": "", "anyOf.1.additionalProperties": "", "anyOf": ""},
    ),
    *both("X11: const", {"const": "A"}, "B", {"const": ""}, version="3.1.0"),
    *both("X11: types", {"type": ["string", "null"]}, 1, {"type": ""}, version="3.1.0"),
    request_case(
        "X11: if and then",
        {"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}},
        {"a": 1},
        {"then.required": "", "if": ""},
        version="3.1.0",
    ),
    request_case(
        "X11: unevaluated properties",
        {**thing(a=TEXT), "unevaluatedProperties": False},
        {"b": 1},
        {"unevaluatedProperties": ""},
        version="3.1.0",
    ),
    *both("X11: prefixItems has no effect", {"type": "array", "prefixItems": [TEXT]}, [1], version="3.1.0"),
    *of_format("date", TEXT, "2026-02-28", "2026-02-30"),
    *of_format("date-time", TEXT, "2026-02-28T10:00:00Z", "2026-02-28"),
    *of_format("uuid", TEXT, "5a3e2d7e-0b7c-4a52-9a4e-6c1f6d6f2b11", "5a3e"),
    *of_format("email", TEXT, "a@example.com", "a@b"),
    *of_format("uri", TEXT, "https://example.com/a", "a b"),
    *of_format("ipv4", TEXT, "192.0.2.1", "192.0.2"),
    *of_format("int32", WHOLE, 2**31 - 1, 2**31),
    *of_format("int64", NUMBER, 2**40, 1.5),
    response_case(
        "X12: int32 in a definition",
        ref("Small"),
        {"a": 2**31},
        {"components.schemas.Small.properties.a.format": ".a"},
        schemas={"Small": thing(a={**WHOLE, "format": "int32"})},
    ),
    response_case("X12: a float may be any number", {**NUMBER, "format": "float"}, 1.5),
    response_case("X12: a password may be any text", {**TEXT, "format": "password"}, "x"),
    response_case("X12: unknown formats are ignored", {**TEXT, "format": "color"}, "x"),
    *both("X13: the example counts", {**TEXT, "enum": ["A"]}, "B", {"enum": ""}),
    *both(
        "X14: a reference",
        ref("Order"),
        {"id": "x"},
        {"components.schemas.Order.properties.id.type": ".id"},
        schemas=SCHEMAS,
    ),
    *both(
        "X14: a chain of references",
        ref("Alias"),
        {"id": "x"},
        {"components.schemas.Alias.properties.id.type": ".id"},
        schemas=SCHEMAS,
    ),
    *both(
        "X14: a cycle",
        ref("Node"),
        {"next": {"next": {"value": "x"}}},
        {"properties.value.type": ".next.next.value"},
        schemas=SCHEMAS,
    ),
    *both("X14: a broken reference", thing(a=ref("Broken")), {"a": 1}, schemas=SCHEMAS),
    response_case("an array is compared item by item", items(WHOLE), [1, "x"], {"items.type": ".1"}),
    response_case("an empty array fits", items(WHOLE), []),
    stated(
        "V2: the body of version 3 is the value",
        {"a": "x"},
        {"pactSpecification": {"version": "3.0.0"}},
        {"properties.a.type": ".a"},
    ),
    stated(
        "V1: an older name of the version",
        {"content": {"a": "x"}},
        {"pact-specification": {"version": "4.0"}},
        {"properties.a.type": ".a"},
    ),
    stated(
        "V1: a flat name of the version",
        {"content": {"a": "x"}},
        {"pactSpecificationVersion": "4.0"},
        {"properties.a.type": ".a"},
    ),
    stated("V2: JSON as text", {"content": '{"a": "x"}', "encoded": "JSON"}, V4, {"properties.a.type": ".a"}),
    stated("V2: Base64 is decoded to text", {"content": "eyJhIjoxfQ==", "encoded": "base64"}, V4, {"type": ""}),
    stated("V2: content that cannot be decoded", {"content": "{", "encoded": "JSON"}, V4, {"type": ""}),
    stated("V2: content as it is", {"content": {"a": 1}, "encoded": False}, V4, {}),
    Case(
        rule="V3: lists of header values are joined",
        operation={"parameters": [{"name": "X-Tag", "in": "header", "schema": {**TEXT, "enum": ["a,b"]}}]},
        request={"headers": {"X-Tag": ["a", "\r\nb"]}},
    ),
    Case(rule="V4: synchronous HTTP is HTTP", interaction={"type": "Synchronous/HTTP"}),
    Case(rule="V4: messages are not HTTP", path="/x", interaction={"type": "Asynchronous/Messages"}),
]
