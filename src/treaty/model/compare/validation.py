"""Checks of values against transformed schemas. Each violation has its location in the document and in the value."""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from treaty.model.compare import pointers
from treaty.model.compare.findings import ABSENT
from treaty.model.compare.formats import FORMATS, NumberFormat
from treaty.model.compare.parameters import coerce
from treaty.model.compare.reach import Reach, key_of
from treaty.model.compare.schemas import Direction, SchemaTransformer, pattern_options

if TYPE_CHECKING:
    from jsonschema_rs import Draft201909Validator, ValidationError, ValidationErrorKind

# A schema that does not compile, so that values are reported as not checked.
_UNUSABLE: Final[dict[str, Any]] = {"type": "unusable"}

_KEYWORDS: Final = {"x-number-format": NumberFormat}


UNFINISHED: Final = "unfinished"
"""Keyword of a violation that is none: the check was not possible, or needs too much time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Violation:
    """A keyword of a schema that a value breaks.

    `location` has the steps from the schema to the keyword, or from a referenced schema that has references itself, as
    in the reference engine. `instance` has the steps from the value to the part that breaks it.
    """

    keyword: str
    location: tuple[str, ...]
    instance: tuple[str | int, ...]
    value: Any
    expected: Any
    detail: Any = None
    closest: tuple[str, ...] | None = None

    @property
    def instance_suffix(self) -> str:
        return "".join(f".{pointers.escape_instance(step)}" for step in self.instance)

    @property
    def schema_suffix(self) -> str:
        return "".join(f".{step}" for step in self.location)


Relaxation = Callable[[Violation], bool]
"""Tells whether a violation does not count, because the pact does not promise the example's value."""


class CompiledSchema:
    """A transformed schema that values are checked against."""

    def __init__(
        self, transformer: SchemaTransformer, schema: Any, direction: Direction, *, keeps_locations: bool = False
    ) -> None:
        """`keeps_locations` is whether locations continue behind references, as those of AsyncAPI documents do."""
        self._transformer = transformer
        self._keeps_locations = keeps_locations
        self.definitions = TransformedDefinitions(transformer)
        try:
            self.schema = transformer.transform(schema, direction)
        except RecursionError:
            self.schema = _UNUSABLE
        self._validator = _Validator(self.schema, self.definitions)

    @cached_property
    def _branches(self) -> "list[_Validator]":
        """The branches of a `oneOf`."""
        return [
            _Validator(branch, self.definitions) for branch in self.schema.get("oneOf", ()) if isinstance(branch, dict)
        ]

    @property
    def has_deprecations(self) -> bool:
        """Whether the schema, or a definition that a value has reached, has a deprecated part."""
        return self._validator.has_deprecations

    def check(self, value: Any, *, is_relaxed: Relaxation | None = None) -> list[Violation]:
        """List the violations; `ABSENT` violates each schema that names a type or values."""
        try:
            return self._check(value, is_relaxed)
        except (ValueError, RecursionError):
            # Values nested deeper than jsonschema-rs allows, text that is not Unicode, and very long chains of `allOf`.
            return [_unfinished(value)]

    def _check(self, value: Any, is_relaxed: Relaxation | None) -> list[Violation]:
        if value is ABSENT:
            return list(self._check_absent(self.schema, (), 0))
        validator = self._validator.prepare(value)
        if validator is None:
            return [_unfinished(value)]
        if validator.is_valid(value):
            return []
        return [
            violation for error in validator.iter_errors(value) for violation in self._flatten(error, value, is_relaxed)
        ]

    def check_text(self, value: Any, *, is_sequential: bool = False) -> list[Violation]:
        """List the violations of a header or parameter, after conversion to the types of the schema.

        `is_sequential`: each branch of a `oneOf` converts what the one before it has made, as in the reference engine.
        """
        try:
            is_ambiguous = is_sequential and value is not ABSENT and self._fits_several(value)
            text = value if value is ABSENT else coerce(value, self.schema, self.definitions)
        except (ValueError, RecursionError):
            return [_unfinished(value)]
        if is_ambiguous:
            one_of = self.schema["oneOf"]
            return [Violation(keyword="oneOf", location=("oneOf",), instance=(), value=value, expected=one_of)]
        return self.check(text)

    def _fits_several(self, value: Any) -> bool:
        fits = 0
        for branch in self._branches:
            value = coerce(value, branch.schema, self.definitions)
            validator = branch.prepare(value)
            fits += validator is not None and validator.is_valid(value)
        return fits > 1

    def type_names(self) -> list[str]:
        """Return the types that the schema names, behind references."""
        try:
            return self._type_names()
        except RecursionError:
            return []

    def _type_names(self) -> list[str]:
        node: Any = self.schema
        for _ in range(pointers.MAX_REFERENCES):
            names = node.get("type") if isinstance(node, dict) else None
            if names:
                return names if isinstance(names, list) else [names]
            reference = pointers.reference_of(node)
            if reference is None:
                break
            node = self.definitions[key_of(reference)]
        return []

    def _flatten(self, error: "ValidationError", root: Any, is_relaxed: Relaxation | None) -> Iterator[Violation]:
        """Split an error into one violation per name, and add those of its branches."""
        from jsonschema_rs import ValidationErrorKind  # noqa: PLC0415 - see pattern_options

        violation, conditions = self._locate(error, root)
        match error.kind:
            case ValidationErrorKind.AnyOf(context=branches) | ValidationErrorKind.OneOfNotValid(context=branches):
                violations = self._flatten_branches(violation, branches, root, is_relaxed)
            case ValidationErrorKind.OneOfMultipleValid(context=branches):
                fits = [index for index, errors in enumerate(branches) if not errors]
                rest = self._flatten_until_second_fit(branches, root, is_relaxed)
                violations = [*rest, replace(violation, detail=fits)]
            case _:
                violations = _split(error.kind, violation)
        if is_relaxed:
            violations = [violation for violation in violations if not is_relaxed(violation)]
        yield from violations
        if violations:
            yield from conditions

    def _flatten_branches(
        self,
        violation: Violation,
        branches: "Sequence[Sequence[ValidationError]]",
        root: Any,
        is_relaxed: Relaxation | None,
    ) -> list[Violation]:
        flat = [[item for error in errors for item in self._flatten(error, root, is_relaxed)] for errors in branches]
        if any(not violations for violations in flat):
            return []
        closest = min(range(len(flat)), key=lambda index: _distance(flat[index], violation), default=None)
        own = violation if closest is None else replace(violation, closest=(*violation.location, str(closest)))
        return [*(item for violations in flat for item in violations), own]

    def _flatten_until_second_fit(
        self, branches: "Sequence[Sequence[ValidationError]]", root: Any, is_relaxed: Relaxation | None
    ) -> list[Violation]:
        violations: list[Violation] = []
        fits = 0
        for errors in branches:
            fits += not errors
            if fits == 2:  # noqa: PLR2004 - the reference engine does not look further
                break
            violations += [item for error in errors for item in self._flatten(error, root, is_relaxed)]
        return violations

    def _locate(self, error: "ValidationError", root: Any) -> tuple[Violation, list[Violation]]:
        walk = _Walk(self, error.evaluation_path)
        instance = tuple(error.instance_path)
        if walk.is_whole:
            instance = instance[: walk.depth]
        keyword = walk.steps[-1] if walk.steps else ""
        violation = Violation(
            keyword=keyword,
            location=tuple(walk.steps),
            instance=instance,
            value=_at(root, instance),
            expected=walk.node,
        )
        conditions = [
            Violation(
                keyword="if",
                location=(*steps, "if"),
                instance=instance[:depth],
                value=_at(root, instance[:depth]),
                expected=None,
            )
            for steps, depth in walk.conditions
        ]
        return violation, conditions

    def steps_to(self, key: str, steps: Sequence[str]) -> list[str]:
        """Return the steps with which locations in a definition begin; none if it has references itself.

        `steps` lead to the reference.
        """
        if self._keeps_locations:
            return list(steps)
        if _has_reference(self.definitions[key]):
            return []
        return self._transformer.reference_of(key).removeprefix("#/").split("/")

    def _check_absent(self, schema: Any, steps: tuple[str, ...], depth: int) -> Iterator[Violation]:
        if not isinstance(schema, dict) or depth > pointers.MAX_REFERENCES:
            return
        for keyword in ("type", "const", "enum"):
            if keyword in schema:
                yield Violation(
                    keyword=keyword,
                    location=(*steps, keyword),
                    instance=(),
                    value=ABSENT,
                    expected=schema[keyword],
                )
        reference = schema.get("$ref")
        if isinstance(reference, str):
            key = key_of(reference)
            yield from self._check_absent(self.definitions[key], tuple(self.steps_to(key, steps)), depth + 1)
        for keyword in ("anyOf", "oneOf"):
            branches = [
                list(self._check_absent(branch, (*steps, keyword, str(index)), depth + 1))
                for index, branch in enumerate(schema.get(keyword, ()))
            ]
            if branches and all(branches):
                yield from (violation for violations in branches for violation in violations)
                yield Violation(
                    keyword=keyword,
                    location=(*steps, keyword),
                    instance=(),
                    value=ABSENT,
                    expected=schema[keyword],
                )


def _split(kind: "ValidationErrorKind", violation: Violation) -> list[Violation]:
    """Return one violation per name, as the reference engine has them."""
    from jsonschema_rs import ValidationErrorKind  # noqa: PLC0415 - see pattern_options

    match kind:
        case (
            ValidationErrorKind.AdditionalProperties(unexpected=names)
            | ValidationErrorKind.UnevaluatedProperties(unexpected=names)
        ):
            return [replace(violation, detail=name) for name in names]
        case ValidationErrorKind.Required(property=name):
            return [replace(violation, detail=name)]
        case ValidationErrorKind.BacktrackLimitExceeded() | ValidationErrorKind.RegexEngineFailure():
            return [replace(violation, keyword=UNFINISHED)]
        case ValidationErrorKind.PropertyNames():
            return [violation, replace(violation, keyword="propertyNames", location=violation.location[:-1])]
        case ValidationErrorKind.FalseSchema():
            return _split_false(violation)
        case _:
            return [violation]


def _split_false(violation: Violation) -> list[Violation]:
    if violation.keyword in _CLOSING:
        return [replace(violation, detail=name) for name in violation.value]
    return [replace(violation, location=(*violation.location, "false schema"))]


class TransformedDefinitions:
    """The definitions of a document's schemas, by the keys of `$defs`; transformed when they are needed."""

    def __init__(self, transformer: SchemaTransformer) -> None:
        self._transformer = transformer

    def __getitem__(self, key: str) -> Any:
        return self._transformer.definition(key)

    def get(self, key: str) -> Any:
        return self._transformer.definition(key)


class _Validator:
    """A schema, compiled with the definitions that values have reached until now."""

    def __init__(self, schema: dict[str, Any], definitions: TransformedDefinitions) -> None:
        self.schema = schema
        self._definitions = definitions
        references, self.has_deprecations = _scan(schema)
        self._has_references = bool(references)
        self._reach = Reach(schema, definitions)
        self._compiled = (frozenset[str](), None if references else _compile_safely(schema))

    def prepare(self, value: Any) -> "Draft201909Validator | None":
        """Return a validator for the value, or None if the schema cannot be compiled."""
        compiled_keys, validator = self._compiled
        if not self._has_references:
            return validator
        keys = self._reach.find(value)
        if validator is None or not keys <= compiled_keys:
            compiled_keys |= keys
            validator = _compile_safely({**self.schema, "$defs": self._define(compiled_keys)})
            self._compiled = (compiled_keys, validator)
        return validator

    def _define(self, keys: AbstractSet[str]) -> dict[str, Any]:
        """Return the reached definitions. Those that they refer to, and no value has reached, allow everything."""
        reached = {key: self._definitions[key] for key in keys}
        scans = [_scan(schema) for schema in (self.schema, *reached.values())]
        self.has_deprecations |= any(is_deprecated for _, is_deprecated in scans)
        return {**{key: True for references, _ in scans for key in references}, **reached}


def _compile(schema: dict[str, Any]) -> "Draft201909Validator":
    from jsonschema_rs import Draft201909Validator, EmailOptions  # noqa: PLC0415 - see pattern_options

    return Draft201909Validator(
        schema,
        formats=dict(FORMATS),
        validate_formats=True,
        pattern_options=pattern_options(),
        email_options=EmailOptions(require_tld=True),
        keywords=dict(_KEYWORDS),
        offline=True,
    )


def _compile_safely(schema: dict[str, Any]) -> "Draft201909Validator | None":
    """Compile a schema; None if it has text that is not Unicode, or numbers that are too large."""
    try:
        return _compile(schema)
    except ValueError:
        return None


def _unfinished(value: Any) -> Violation:
    return Violation(keyword=UNFINISHED, location=(), instance=(), value=value, expected=ABSENT)


class _Walk:
    """Follows the path by which a keyword was reached, and collects the steps of the location in the document."""

    def __init__(self, compiled: CompiledSchema, path: Sequence[str | int]) -> None:
        self.steps: list[str] = []
        self.depth = 0
        self.conditions: list[tuple[tuple[str, ...], int]] = []
        self.is_whole = False
        self.node: Any = compiled.schema
        self._compiled = compiled
        self._path = path
        self._position = 0
        while self._position < len(path) and not self.is_whole:
            self._step()

    def _next(self) -> str | int:
        step = self._path[self._position]
        self._position += 1
        return step

    def _step(self) -> None:
        step = self._next()
        if isinstance(self.node, list):
            self.steps.append(str(step))
            self.node = self.node[int(step)]
        elif not isinstance(self.node, dict):
            self.steps.append(str(step))
        elif step == "$defs" and self.node is self._compiled.schema:
            # The paths of keywords that are ours begin at the definition.
            self._follow(f"#/$defs/{self._next()}")
        elif step == "$ref":
            self._follow(self.node["$ref"])
        elif step == "allOf" and "x-origin" in self.node:
            self._return_to_origin()
        else:
            self._enter(str(step))

    def _follow(self, reference: str) -> None:
        key = key_of(reference)
        self.steps = self._compiled.steps_to(key, self.steps)
        self.node = self._compiled.definitions[key]

    def _return_to_origin(self) -> None:
        if self._position == len(self._path):
            self.steps.append("allOf")
            return
        index = int(self._next())
        origin, self.node = self.node["x-origin"][index], self.node["allOf"][index]
        self.steps += [str(step) for step in origin["origin"]]
        self.is_whole = origin["is_whole"]
        for _ in range(min(origin["skip"], len(self._path) - self._position)):
            self.node = self.node[self._next()]

    def _enter(self, keyword: str) -> None:
        value = self.node.get(keyword) if isinstance(self.node, dict) else None
        if keyword in {"then", "else"}:
            self.conditions.append((tuple(self.steps), self.depth))
        has_prefix = isinstance(self.node, dict) and "x-prefix" in self.node
        self.steps.append((_PREFIX_NAMES if has_prefix else _NAMES).get(keyword, keyword))
        self.node = value
        if self._position == len(self._path):
            return
        if keyword in {"properties", "patternProperties", "dependentSchemas"} and isinstance(value, dict):
            name = str(self._next())
            self.steps.append(pointers.escape_schema(name))
            self.node = value.get(name)
        elif keyword == "items" and isinstance(value, list):
            index = int(self._next())
            self.steps.append(str(index))
            self.node = value[index]
        if keyword in _DESCENDING:
            self.depth += 1


# Names of keywords in the document.
_NAMES: Final = {"x-number-format": "format"}
_PREFIX_NAMES: Final = {**_NAMES, "items": "prefixItems", "additionalItems": "items"}
_CLOSING: Final = frozenset({"additionalProperties", "unevaluatedProperties"})
_DESCENDING: Final = frozenset(
    {
        *("properties", "patternProperties", "additionalProperties", "items", "additionalItems"),
        *("unevaluatedProperties", "unevaluatedItems"),
    }
)


def _distance(violations: Sequence[Violation], parent: Violation) -> tuple[int, int]:
    """Order branches by closeness: a branch of another type is further away than one with a few violations."""
    is_other_type = any(
        violation.keyword == "type" and violation.instance == parent.instance for violation in violations
    )
    return (is_other_type, len(violations))


def _at(value: Any, steps: Sequence[str | int]) -> Any:
    for step in steps:
        try:
            value = value[step]
        except (LookupError, TypeError):
            return ABSENT
    return value


def _has_reference(schema: Any) -> bool:
    pending = [schema]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if "$ref" in value:
                return True
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return False


def _scan(schema: Any) -> tuple[set[str], bool]:
    """Return the keys of the definitions that a schema refers to, and whether it has a deprecated part."""
    references: set[str] = set()
    is_deprecated = False
    pending = [schema]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            reference = pointers.reference_of(value)
            if reference is not None:
                references.add(key_of(reference))
            is_deprecated = is_deprecated or value.get("deprecated") is True
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return references, is_deprecated
