"""A short way to write down JSON Schemas: closed objects, and HAL documents with the relations they link to."""

from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
NAME: Final[Schema] = {"type": "string", "minLength": 1}
FLAG: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "integer"}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
UUID: Final[Schema] = {"type": "string", "description": "The identifier that the broker gave."}
ANYTHING: Final[Schema] = {}
ANY_OBJECT: Final[Schema] = {"type": "object"}


def one_of(*values: object) -> Schema:
    return {"enum": list(values)}


def ref(name: str) -> Schema:
    """Refer to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def array_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def nullable(schema: Schema) -> Schema:
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def closed_object(members: Mapping[str, Schema]) -> Schema:
    """Describe an object that has these members and no others; `name?` need not be there."""
    required = [name for name in members if not name.endswith("?")]
    described = {name.removesuffix("?"): schema for name, schema in members.items()}
    shape: Schema = {"type": "object", "properties": described, "additionalProperties": False}
    return {**shape, "required": required} if required else shape


def open_object(members: Mapping[str, Schema]) -> Schema:
    """Describe an object that has at least these members; `name?` need not be there."""
    return {**closed_object(members), "additionalProperties": True}


def links(relations: str) -> Schema:
    """Describe links: `rel` is one link, `rel*` a list of them; a `?` behind either says that it need not be there."""
    members: dict[str, Schema] = {}
    for one in relations.split():
        optional = "?" if one.endswith("?") else ""
        relation = one.removesuffix("?")
        name = relation.removesuffix("*")
        members[name + optional] = array_of(ref("Link")) if relation.endswith("*") else ref("Link")
    return closed_object(members)


def hal(members: Mapping[str, Schema], relations: str = "", embedded: Mapping[str, Schema] | None = None) -> Schema:
    """Describe a HAL document."""
    whole = dict(members)
    if embedded:
        whole["_embedded"] = closed_object(embedded)
    if relations:
        whole["_links"] = links(relations)
    return closed_object(whole)
