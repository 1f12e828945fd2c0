"""JSON Schemas of the types that routes declare for their responses and request bodies."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from treaty.web.hal.shapes import OMITTABLE_KEY
from treaty.web.http.router import Route

Schema = dict[str, Any]
TypeSchemas = Mapping[object, Schema]
"""By the type that a route declares; most schemas are references to those that the document names."""


class _SchemaGenerator(GenerateJsonSchema):
    """Generates schemas without titles, and schemas of TypedDicts that allow no other members unless they say so."""

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> Schema:
        described: Schema = {"additionalProperties": False, **super().typed_dict_schema(schema)}
        properties = described["properties"]
        omittable = {name for name, member in properties.items() if member.pop(OMITTABLE_KEY, False)}
        described["required"] = [name for name in described.get("required", ()) if name not in omittable]
        return _without_title(described)

    def model_schema(self, schema: core_schema.ModelSchema) -> Schema:
        return _without_title(super().model_schema(schema))

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - overrides a method
        return False

    def normalize_name(self, name: str) -> str:
        """Name schemas after their types; types are called documents where a name is taken by what they represent."""
        return super().normalize_name(name).removesuffix("Document")


def _without_title(schema: Schema) -> Schema:
    return {name: value for name, value in schema.items() if name != "title"}


def build_schemas(routes: Collection[Route]) -> tuple[TypeSchemas, dict[str, Schema]]:
    """Build the schemas of all types that routes declare, and by name the schemas that these refer to."""
    types: dict[Any, None] = {}
    for route in routes:
        declared = (route.response, route.extended_response, route.body, *(parameter.type for parameter in route.query))
        types.update(dict.fromkeys(declared_type for declared_type in declared if declared_type is not None))
    schemas, definitions = TypeAdapter.json_schemas(
        [(declared, "validation", TypeAdapter(declared)) for declared in types],
        ref_template="#/components/schemas/{model}",
        schema_generator=_SchemaGenerator,
    )
    type_schemas = {declared: schema for (declared, _), schema in schemas.items()}
    _add_warnings(routes, type_schemas, definitions["$defs"])
    return type_schemas, definitions["$defs"]


_WARNINGS_SCHEMA: Final = {
    "description": "Sentences about the request, such as unknown members that were ignored, or an alias of a version.",
    "type": "array",
    "items": {"type": "string"},
}


def _add_warnings(routes: Iterable[Route], types: TypeSchemas, definitions: Mapping[str, Schema]) -> None:
    """Add the member `warnings` to the documents that are responses to a body, or to a version in the path.

    The version may be named by an alias.
    """
    for route in routes:
        has_warnings = route.response and (route.body or route.url.owners_of_versions)
        name = types[route.response].get("$ref", "").rpartition("/")[2] if has_warnings else ""
        if name and not definitions[name].get("additionalProperties"):
            definitions[name]["properties"] = {**definitions[name]["properties"], "warnings": _WARNINGS_SCHEMA}
