"""Builder of small documents and pacts, and a short notation for findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treaty.model.compare.documents import Document
from treaty.model.compare.engine import compare
from treaty.model.compare.findings import Comparison, Finding
from treaty.model.compare.profiles import Profile

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer"}
NUMBER: Json = {"type": "number"}
FLAG: Json = {"type": "boolean"}


def thing(**properties: Any) -> Json:
    return {"type": "object", "properties": properties}


def items(schema: Any) -> Json:
    return {"type": "array", "items": schema}


def ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def parameter(name: str, place: str, schema: Any, **more: Any) -> Json:
    return {"name": name, "in": place, "schema": schema, **more}


def json_content(schema: Any) -> Json:
    return {"content": {"application/json": {"schema": schema}}}


@dataclass(frozen=True, kw_only=True)
class Case:
    """An operation and an interaction. `expected` has findings in the notation of `note`."""

    rule: str
    expected: Sequence[str] = ()
    template: str = "/orders"
    path: str | None = None
    method: str = "get"
    version: str = "3.0.3"
    operation: Json = field(default_factory=dict)
    responses: Json = field(default_factory=lambda: {"200": {"description": "OK"}})
    document: Json = field(default_factory=dict)
    info: Json = field(default_factory=dict)
    path_item: Json = field(default_factory=dict)
    schemas: Json = field(default_factory=dict)
    request: Json = field(default_factory=dict)
    response: Json = field(default_factory=dict)
    pact: Json = field(default_factory=dict)
    interaction: Json = field(default_factory=dict)
    profile: Profile = Profile.REFERENCE

    @property
    def content(self) -> Json:
        item = {self.method: {"responses": self.responses, **self.operation}, **self.path_item}
        kind = {"swagger": "2.0"} if self.version == "2.0" else {"openapi": self.version}
        components = {"components": {"schemas": self.schemas}} if self.schemas else {}
        info = {"title": "Orders", "version": "1", **self.info}
        return {**kind, "info": info, "paths": {self.template: item}, **components, **self.document}

    @property
    def contract(self) -> Json:
        interaction = {
            "description": "an interaction",
            "request": {"method": self.method.upper(), "path": self.path or self.template, **self.request},
            "response": {"status": 200, **self.response},
            **self.interaction,
        }
        return {"interactions": [interaction], "metadata": {"pactSpecification": {"version": "2.0.0"}}, **self.pact}

    def compare(self) -> Comparison:
        return compare(self.contract, [Document("api.json", "oas", self.content)], self.profile)

    def notes(self) -> list[str]:
        operation = f"[root].paths.{self.template}.{self.method}"
        return [note(finding, operation) for finding in self.compare().findings]


def note(finding: Finding, operation: str) -> str:
    """Write a finding as `E code | location in the pact | location in the document`, without parts that cases share."""
    assert finding.pact
    assert finding.document
    pact = finding.pact.location.removeprefix("[root].interactions[0]").removeprefix(".")
    document = finding.document.location.removeprefix(operation).removeprefix(".")
    return f"{finding.type.value[0].upper()} {finding.code} | {pact} | {document}"


def response_case(rule: str, schema: Any, body: Any, expected: Mapping[str, str] | None = None, **more: Any) -> Case:
    """Build a case about a response body. `expected` maps locations in the schema to those in the body."""
    return Case(
        rule=rule,
        responses={"200": json_content(schema)},
        response={"body": body},
        expected=[
            f"E response.body.incompatible | response.body{value} | "
            f"responses.200.content.application/json.schema.{location}"
            for location, value in (expected or {}).items()
        ],
        **more,
    )


def request_case(rule: str, schema: Any, body: Any, expected: Mapping[str, str] | None = None, **more: Any) -> Case:
    """Build a case about a request body, like `response_case`."""
    return Case(
        rule=rule,
        method="post",
        operation={"requestBody": json_content(schema)},
        request={"headers": {"Content-Type": "application/json"}, "body": body},
        expected=[
            f"E request.body.incompatible | request.body{value} | "
            f"requestBody.content.application/json.schema.{location}"
            for location, value in (expected or {}).items()
        ],
        **more,
    )
