"""Transformation of a document's schemas into JSON Schema 2019-09.

The result has known keywords with valid values only, so that it compiles: other values are left out and noted.
References lead to `$defs`, of which a schema gets those that a value reaches (`reach`). Where the result is arranged
differently from the document, `x-origin` has the document's arrangement, so that findings name its locations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from treaty.model.compare import pointers
from treaty.model.compare.all_of import ALSO, MERGED, AllOfMerger, is_number
from treaty.model.compare.findings import ABSENT, Note
from treaty.model.compare.profiles import Switches

if TYPE_CHECKING:
    from jsonschema_rs import FancyRegexOptions

Schema = dict[str, Any] | bool

MAX_DEPTH: Final = 80
"""Levels of schemas within schemas, references not counted. jsonschema-rs allows 255 levels of JSON."""


_MAX_BACKTRACKS: Final = 100_000
"""Steps back of a pattern with lookaround or back-references."""
_MAX_PATTERN_SIZE: Final = 2_000_000
"""Bytes of a compiled pattern."""


@cache
def pattern_options() -> "FancyRegexOptions":
    """Patterns run in linear time, except those with lookaround or back-references, whose backtracking is limited."""
    from jsonschema_rs import FancyRegexOptions  # noqa: PLC0415 - takes 3 MiB, which servers without OpenAPI do not need

    return FancyRegexOptions(
        backtrack_limit=_MAX_BACKTRACKS, size_limit=_MAX_PATTERN_SIZE, dfa_size_limit=_MAX_PATTERN_SIZE
    )


class Direction(StrEnum):
    """Whether the provider has to accept a value, or produces it.

    A value that it produces may have no member that the schema does not list, and the consumer may expect a subset.
    """

    REQUEST = "request"
    RESPONSE = "response"


@dataclass(slots=True)
class _Build:
    """State of the transformation of one schema."""

    open_schemas: set[int] = field(default_factory=set)
    """Identities of the schemas with `allOf` that the current one is within."""


_TYPES: Final = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})
_NUMBER_FORMATS: Final = frozenset({"int32", "int64"})
_ANY_VALUE_FORMATS: Final = frozenset({"float", "double", "password", "binary"})
_TEXT_FORMATS: Final = frozenset(
    {
        *("byte", "date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "iso-date-time", "iso-time"),
        *(
            "json-pointer",
            "json-pointer-uri-fragment",
            "regex",
            "relative-json-pointer",
            "time",
            "uri",
            "uri-reference",
        ),
        *("uri-template", "url", "uuid"),
    }
)
_COUNTS: Final = (
    *("maxLength", "minLength", "maxItems", "minItems", "minContains", "maxContains"),
    *("maxProperties", "minProperties"),
)
_LIMITS: Final = ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum")
# Most schemas of a document have a type and annotations only.
_OF_SIMPLE_SCHEMAS: Final = frozenset({"type", "title", "description", "example", "examples", "default", "xml"})
_UNNAMED: Final = "\0"
_MAX_TEXT: Final = 80
_UNTRANSFORMED: Final = (
    *("if", "then", "else", "contains", "propertyNames", "unevaluatedItems"),
    *("unevaluatedProperties", "additionalItems"),
)


class SchemaTransformer:
    """Transforms the schemas of one document. Transformed references are cached."""

    def __init__(self, content: Mapping[str, Any], switches: Switches) -> None:
        self.content = content
        self.switches = switches
        self._all_of = AllOfMerger(content, switches, self.note)
        self._definitions: dict[str, Schema] = {}
        self._keys: dict[tuple[str, Direction, bool, bool], str] = {}
        self._targets: dict[str, tuple[str, Direction, bool, bool]] = {}
        self._unnamed: dict[str, Mapping[str, Any]] = {}
        self.notes: dict[tuple[str, str], Note] = {}

    def transform(self, schema: Any, direction: Direction) -> dict[str, Any]:
        """Transform a schema. Its references lead to the keys of `definition`."""
        root = self.node(schema, direction, _Build(), depth=0, is_loose=direction is Direction.RESPONSE)
        return root if isinstance(root, dict) else {} if root else {"not": {}}

    def definition(self, key: str) -> Schema:
        """Return the transformed schema that a reference leads to. It is transformed when it is needed first."""
        definition = self._definitions.get(key)
        if definition is None:
            definition = self._definitions[key] = self._define(key)
        return definition

    def reference_of(self, key: str) -> str:
        """Return the document's reference for a key of `$defs`."""
        reference = self._targets[key][0]
        return "" if reference in self._unnamed else reference

    def _define(self, key: str) -> Schema:
        reference, direction, is_loose, is_nullable = self._targets[key]
        target = self._follow(reference)
        if is_nullable and isinstance(target, Mapping):
            target = {**target, "nullable": True, MERGED: True}
        return self.node(target, direction, _Build(), depth=0, is_loose=is_loose)

    def _follow(self, reference: str) -> Any:
        """Return the schema at the end of references that have no keywords beside them."""
        if reference in self._unnamed:
            return self._unnamed[reference]
        node: Any = {"$ref": reference}
        for _ in range(pointers.MAX_REFERENCES):
            target = pointers.reference_of(node)
            if target is None or not _is_plain_reference(node):
                return node
            node = pointers.find(self.content, target)
            if node is ABSENT:
                self.note("reference.broken", f"The document refers to {target}, which it does not have.", target)
                return {}
        self.note("reference.circular", f"The reference {reference} leads back to itself.", reference)
        return {}

    def flatten(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Merge the schemas of `allOf` into the one that has it."""
        return self._all_of.flatten(schema)

    def note(self, code: str, message: str, location: str) -> None:
        self.notes.setdefault((code, message), Note(code=code, message=message, location=location))

    def key_of(self, reference: str, direction: Direction, *, is_loose: bool, is_nullable: bool) -> str:
        target = (reference, direction, is_loose, is_nullable)
        key = self._keys.setdefault(target, str(len(self._keys)))
        self._targets[key] = target
        return key

    def node(self, schema: Any, direction: Direction, build: _Build, *, depth: int, is_loose: bool) -> Schema:
        """Transform one schema. `is_loose`: it is closed, and its `required` dropped, as in a response."""
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            self.note("schema.malformed", f"A schema is {_kind(schema)} instead of an object.", "")
            return {}
        if depth > MAX_DEPTH:
            self.note("schema.deep", f"Schemas are nested deeper than {MAX_DEPTH} levels.", "")
            return {}
        if schema.keys() <= _OF_SIMPLE_SCHEMAS and _is_scalar(schema.get("type")):
            return {"type": schema["type"]}
        identity = id(schema) if "allOf" in schema else None
        if identity in build.open_schemas:
            # Merging would go on forever, because it leads back to a schema that this one is within.
            return {"$ref": self._name(schema, direction, is_loose=is_loose)}
        if identity is not None:
            build.open_schemas.add(identity)
        result = _Node(self, self.flatten(schema), direction, build, depth, is_loose=is_loose).transform()
        build.open_schemas.discard(identity or 0)
        return result

    def _name(self, schema: Mapping[str, Any], direction: Direction, *, is_loose: bool) -> str:
        """Make a definition of a schema that is within itself, and return the reference to it."""
        reference = f"{_UNNAMED}{id(schema)}"
        self._unnamed[reference] = schema
        key = self.key_of(reference, direction, is_loose=is_loose, is_nullable=False)
        return f"#/$defs/{key}"


class _Node:
    """Transformation of one schema, after its `allOf` has been merged."""

    def __init__(
        self,
        transformer: SchemaTransformer,
        schema: Mapping[str, Any],
        direction: Direction,
        build: _Build,
        depth: int,
        *,
        is_loose: bool,
    ) -> None:
        self._transformer = transformer
        self._schema = schema
        self._direction = direction
        self._build = build
        self._depth = depth
        self._is_loose = is_loose
        self._result: dict[str, Any] = {}
        self._switches = transformer.switches

    def transform(self) -> dict[str, Any]:
        self._add_reference()
        self._add_types()
        self._add_values()
        self._add_limits()
        self._add_texts()
        self._add_items()
        self._add_properties()
        self._add_required()
        self._add_conditions()
        self._add_branches()
        if self._schema.get("deprecated") is True:
            self._result["deprecated"] = True
        return self._result

    def _child(self, schema: Any, *, is_loose: bool | None = None) -> Schema:
        return self._transformer.node(
            schema,
            self._direction,
            self._build,
            depth=self._depth + 1,
            is_loose=self._is_loose if is_loose is None else is_loose,
        )

    def _note(self, code: str, message: str) -> None:
        self._transformer.note(code, message, "")

    def _malformed(self, keyword: str) -> None:
        value = self._schema[keyword]
        self._note(
            "schema.malformed", f"The keyword {keyword} of a schema has a value that is not allowed: {_short(value)}."
        )

    def _add_reference(self) -> None:
        reference = pointers.reference_of(self._schema)
        if reference is None:
            return
        if pointers.split_pointer(reference) is None:
            self._note("reference.external", f"The document refers to {reference}, which is not within the document.")
            return
        is_nullable = self._schema.get("nullable") is True and (self._is_loose or self._switches.follows_declarations)
        key = self._transformer.key_of(reference, self._direction, is_loose=self._is_loose, is_nullable=is_nullable)
        self._result["$ref"] = f"#/$defs/{key}"

    def _add_types(self) -> None:
        value = self._schema.get("type")
        names = [
            name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str) and name in _TYPES
        ]
        if value is not None and len(names) != (len(value) if isinstance(value, list) else 1):
            self._malformed("type")
        names = list(dict.fromkeys(names))
        if self._schema.get("nullable") is True:
            if not names and "$ref" not in self._schema:
                names = ["object"]
            if names and "null" not in names:
                names.append("null")
        if names:
            self._result["type"] = names if len(names) > 1 or isinstance(value, list) else names[0]

    def _add_values(self) -> None:
        if "const" in self._schema:
            self._result["const"] = self._schema["const"]
        values = self._schema.get("enum")
        if isinstance(values, list):
            self._result["enum"] = values
        elif values is not None:
            self._malformed("enum")

    def _add_limits(self) -> None:
        schema = self._schema
        limits = {name: schema[name] for name in _LIMITS if name in schema}
        for exclusive, inclusive in (("exclusiveMaximum", "maximum"), ("exclusiveMinimum", "minimum")):
            if limits.get(exclusive) is True:
                del limits[exclusive]
                if inclusive in limits:
                    limits[exclusive] = limits.pop(inclusive)
            elif limits.get(exclusive) is False:
                del limits[exclusive]
        for name, limit in limits.items():
            self._keep(name, limit, is_valid=is_number(limit))
        for name in _COUNTS:
            if name in schema:
                self._keep(name, schema[name], is_valid=_is_count(schema[name]))
        if "multipleOf" in schema:
            self._keep(
                "multipleOf",
                schema["multipleOf"],
                is_valid=is_number(schema["multipleOf"]) and schema["multipleOf"] > 0,
            )
        if "uniqueItems" in schema:
            self._keep("uniqueItems", schema["uniqueItems"], is_valid=isinstance(schema["uniqueItems"], bool))

    def _keep(self, keyword: str, value: Any, *, is_valid: bool) -> None:
        if is_valid:
            self._result[keyword] = value
        else:
            self._malformed(keyword)

    def _add_texts(self) -> None:
        pattern = self._schema.get("pattern")
        if pattern is not None and self._is_usable(pattern):
            self._result["pattern"] = pattern
        value = self._schema.get("format")
        if value is None:
            return
        if not isinstance(value, str):
            self._malformed("format")
        elif value in _ANY_VALUE_FORMATS:
            return
        elif value in _NUMBER_FORMATS:
            self._result["x-number-format"] = value
        elif value in _TEXT_FORMATS:
            self._result["format"] = value
        else:
            self._note("format.unknown", f"The format {value} is unknown, so values are not checked against it.")

    def _is_usable(self, pattern: Any) -> bool:
        reason = pattern_problem(pattern) if isinstance(pattern, str) else "it is not text"
        if reason:
            self._note(
                "pattern.unusable", f"Values are not checked against the pattern {_short(pattern)}, because {reason}."
            )
        return reason is None

    def _add_items(self) -> None:
        items = self._schema.get("items")
        first = self._schema.get("prefixItems")
        if isinstance(first, list) and first and self._switches.follows_declarations:
            # Draft 2019-09 has other names for the same. The reference engine overlooks them.
            self._result["items"] = [self._child(item, is_loose=self._is_loose) for item in first]
            self._result["x-prefix"] = True
            if items is not None:
                self._result["additionalItems"] = self._child(items)
            return
        if isinstance(items, list):
            # Draft 2019-09 has a schema for each position.
            if items:
                self._result["items"] = [self._child(item, is_loose=False) for item in items]
        elif items is not None:
            self._result["items"] = self._child(items)

    def _add_properties(self) -> None:
        properties = self._schema.get("properties")
        if isinstance(properties, Mapping):
            self._result["properties"] = {str(name): self._child(value) for name, value in properties.items()}
        elif properties is not None:
            self._malformed("properties")
        patterns = self._schema.get("patternProperties")
        if isinstance(patterns, Mapping):
            self._result["patternProperties"] = {
                pattern: self._child(value, is_loose=False)
                for pattern, value in patterns.items()
                if self._is_usable(pattern)
            }
        others = self._schema.get("additionalProperties")
        if self._is_closed(others):
            self._result["additionalProperties"] = False
        elif isinstance(others, bool):
            self._result["additionalProperties"] = others
        elif others is not None:
            self._result["additionalProperties"] = self._child(others)

    def _is_closed(self, others: Any) -> bool:
        if not self._is_loose or (others is not None and others is not True):
            return False
        if any(self._schema.get(keyword) for keyword in ("oneOf", "anyOf", ALSO)):
            return False
        is_nullable = self._schema.get("nullable") is True
        if is_nullable and self._switches.no_transform_non_nullable_response_schema:
            return False
        names = self._result.get("type")
        if self._switches.follows_declarations:
            return names == "object" or (isinstance(names, list) and "object" in names)
        # The reference engine overlooks schemas with several types, and `nullable` beside `type` is one.
        return self._schema.get("type") == "object" and (MERGED in self._schema or not is_nullable)

    def _add_required(self) -> None:
        required = self._schema.get("required")
        names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
        # Swagger 2 and OpenAPI 3.0 have `required: true` beside the schema of a parameter.
        if required is not None and not isinstance(required, list | bool):
            self._malformed("required")
        if self._is_loose and not self._schema.get("oneOf"):
            names = []
        if self._switches.separates_read_only:
            hidden = "readOnly" if self._direction is Direction.REQUEST else "writeOnly"
            names = [name for name in names if not self._is_marked(name, hidden)]
        tag = self._tag()
        if tag is not None and tag not in names:
            names.append(tag)
        if names:
            self._result["required"] = list(dict.fromkeys(names))
        dependent = self._schema.get("dependentRequired")
        if isinstance(dependent, Mapping):
            self._result["dependentRequired"] = {
                str(name): list(dict.fromkeys(other for other in others if isinstance(other, str)))
                for name, others in dependent.items()
                if isinstance(others, list)
            }

    def _is_marked(self, name: str, mark: str) -> bool:
        properties = self._schema.get("properties")
        value = properties.get(name) if isinstance(properties, Mapping) else None
        if not isinstance(value, Mapping):
            return False
        target = pointers.resolve(self._transformer.content, value)
        return value.get(mark) is True or (isinstance(target, Mapping) and target.get(mark) is True)

    def _add_conditions(self) -> None:
        for keyword in _UNTRANSFORMED:
            if keyword in self._schema:
                self._result[keyword] = self._child(self._schema[keyword], is_loose=False)
        dependent = self._schema.get("dependentSchemas")
        if isinstance(dependent, Mapping):
            self._result["dependentSchemas"] = {
                str(name): self._child(value, is_loose=False) for name, value in dependent.items()
            }
        if "not" in self._schema:
            self._result["not"] = self._child(self._schema["not"])

    # oneOf, anyOf

    def _add_branches(self) -> None:
        any_of = self._schema.get("anyOf")
        if isinstance(any_of, list) and any_of:
            self._result["anyOf"] = [self._child(branch) for branch in any_of]
        one_of = self._schema.get("oneOf")
        if isinstance(one_of, list) and one_of:
            self._add_one_of(one_of)
        for extra in self._schema.get(ALSO, ()):
            self._also(self._child(extra), skip=0, origin=[])

    def _also(self, schema: Schema, *, skip: int, origin: list[Any], is_whole: bool = False) -> None:
        """Add a condition that the document has elsewhere: at `origin`, instead of after `skip` steps."""
        self._result.setdefault("allOf", []).append(schema)
        self._result.setdefault("x-origin", []).append({"skip": skip, "origin": origin, "is_whole": is_whole})

    def _tag(self) -> str | None:
        discriminator = self._schema.get("discriminator")
        name = discriminator.get("propertyName") if isinstance(discriminator, Mapping) else None
        return name if isinstance(name, str) and self._schema.get("oneOf") else None

    def _add_one_of(self, branches: list[Any]) -> None:
        children = [self._child(branch) for branch in branches]
        tag = self._tag()
        values = self._tag_values(tag, branches) if tag is not None else None
        if tag is not None and values:
            self._add_discriminator(tag, values, children)
        elif self._is_loose and self._switches.allows_overlapping_branches:
            # A consumer's subset may fit several branches; the complete response will fit one of them.
            self._also({"anyOf": children}, skip=1, origin=["oneOf"])
        else:
            self._result["oneOf"] = children

    def _add_discriminator(self, tag: str, values: Mapping[str, int], children: list[Schema]) -> None:
        is_object = {"type": "object"}
        has_known_tag = {"properties": {tag: {"enum": list(values)}}, "required": [tag]}
        self._also({"if": is_object, "then": has_known_tag}, skip=0, origin=["discriminator"], is_whole=True)
        for value, index in values.items():
            chosen = {**is_object, "properties": {tag: {"const": value}}, "required": [tag]}
            self._also({"if": chosen, "then": children[index]}, skip=1, origin=["oneOf", index])
        if self._switches.follows_declarations:
            # Without an object there is no tag, so that any branch may fit.
            self._also({"if": is_object, "else": {"anyOf": children}}, skip=2, origin=["oneOf"])

    def _tag_values(self, tag: str, branches: list[Any]) -> dict[str, int]:
        """Map values of the tag to branches: by `mapping`, by the tag's `const` or `enum`, else by names of schemas."""
        by_mapping = self._mapped_values(branches)
        if by_mapping:
            return by_mapping
        values: dict[str, int] = {}
        for index, branch in enumerate(branches):
            for value in self._values_of_tag(tag, branch):
                values.setdefault(value, index)
        return values

    def _mapped_values(self, branches: list[Any]) -> dict[str, int]:
        discriminator = self._schema["discriminator"]
        targets = discriminator.get("mapping")
        if not isinstance(targets, Mapping):
            return {}
        indexes = {pointers.reference_of(branch): index for index, branch in enumerate(branches)}
        values: dict[str, int] = {}
        for value, target in targets.items():
            index = indexes.get(str(target), indexes.get(f"#/components/schemas/{target}"))
            if index is None:
                self._note(
                    "discriminator.mapping", f"The discriminator maps {value} to {target}, which is not in oneOf."
                )
            else:
                values[str(value)] = index
        return values

    def _values_of_tag(self, tag: str, branch: Any) -> list[str]:
        target = pointers.resolve(self._transformer.content, branch)
        if isinstance(target, Mapping):
            target = self._transformer.flatten(target)
        properties = target.get("properties") if isinstance(target, Mapping) else None
        schema = properties.get(tag) if isinstance(properties, Mapping) else None
        schema = pointers.resolve(self._transformer.content, schema)
        if isinstance(schema, Mapping):
            if isinstance(schema.get("const"), str):
                return [schema["const"]]
            if isinstance(schema.get("enum"), list):
                return [value for value in schema["enum"] if isinstance(value, str)]
        reference = pointers.reference_of(branch)
        return [reference.rpartition("/")[2]] if reference else []


def _is_scalar(name: Any) -> bool:
    return isinstance(name, str) and name in _TYPES and name not in {"object", "array"}


@lru_cache(maxsize=4096)
def pattern_problem(pattern: str) -> str | None:
    """Return the reason why a regular expression cannot be used, or None."""
    import jsonschema_rs  # noqa: PLC0415 - see above

    try:
        jsonschema_rs.Draft201909Validator({"pattern": pattern}, pattern_options=pattern_options())
    except (ValueError, jsonschema_rs.ReferencingError):
        return "it is not a valid regular expression, or it needs too much memory"
    return None


def _is_plain_reference(node: Any) -> bool:
    return not any(keyword in node for keyword in _RULES)


_RULES: Final = frozenset(
    {
        *(
            "type",
            "enum",
            "const",
            "format",
            "pattern",
            "items",
            "properties",
            "patternProperties",
            "additionalProperties",
        ),
        *("required", "oneOf", "anyOf", "allOf", "not", "multipleOf", "nullable", "discriminator"),
        *("uniqueItems", "dependentRequired", "dependentSchemas", *_COUNTS, *_LIMITS, *_UNTRANSFORMED),
    }
)


def _is_count(value: Any) -> bool:
    return is_number(value) and value >= 0 and float(value).is_integer()


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case list():
            return "a list"
        case str():
            return "text"
        case _:
            return "a number"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"
