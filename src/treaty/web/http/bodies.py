"""Types of JSON bodies, and their validation. Error messages are those of the original broker: clients print them.

Only modules of routes import this one, so that pydantic is not loaded before a request needs it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, with_config
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError
from typing_extensions import TypedDict

from treaty.errors import Invalid, Problem
from treaty.model.names import find_forbidden_character
from treaty.spelling import describe_misspelt

BodyModel = TypeVar("BodyModel")


class Body(BaseModel):
    """A JSON object with camel-case members. Unknown members are ignored, as by the original."""

    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, frozen=True)


def with_example(example: dict[str, Any]) -> ConfigDict:
    """Configure the type of a body to have an example in the documentation, and to allow members that it ignores."""
    return ConfigDict(json_schema_extra={"examples": [example], "additionalProperties": True})


@with_config(with_example({}))
class EmptyBody(TypedDict):
    """A body without required members: an empty object is sufficient."""


def list_misspelt(parsed: Mapping[str, Any], model: type[Body], prefix: str = "") -> list[str]:
    """Describe the members of a body that its type does not have, but that resemble the type's members."""
    aliases = [info.alias or field for field, info in model.model_fields.items()]
    return describe_misspelt({name: parsed[name] for name in parsed if name not in model.model_fields}, aliases, prefix)


def validate(parsed: dict[str, Any], model: type[BodyModel]) -> BodyModel:
    """Validate a parsed body. Raises Invalid."""
    try:
        return cast("type[BaseModel]", model).model_validate(parsed)  # type: ignore[return-value]  # callers pass a Body
    except ValidationError as error:
        raise Invalid(*_problems(error.errors(include_url=False))) from error


def check_sizes(parsed: Mapping[str, Any], limits: Mapping[str, int]) -> None:
    """Check the number of elements of lists. Raises Invalid, which names the limit."""
    problems = [
        Problem((name,), f"size cannot be greater than {limit}")
        for name, limit in limits.items()
        if isinstance(parsed.get(name), list) and len(parsed[name]) > limit
    ]
    if problems:
        raise Invalid(*problems)


_TEXTS: Final = {
    "missing": "is missing",
    "string_type": "must be a string",
    "bool_type": "must be boolean",
    "list_type": "must be an array",
    "dict_type": "must be a hash",
    "model_type": "must be a hash",
    "model_attributes_type": "must be a hash",
    "int_type": "must be an integer",
    "too_short": "must not be empty",
}


def _problems(errors: Iterable[ErrorDetails]) -> list[Problem]:
    """Word each error as the original does. Its rules are only applied to members of the right type."""
    all_errors = list(errors)
    wrong_types = {error["loc"][0] for error in all_errors if error["type"] != "rules" and error["loc"]}
    problems = []
    for error in all_errors:
        path = tuple(error["loc"])
        if error["type"] == "rules" and path and path[0] in wrong_types and _is_in_list_of_texts(path):
            continue
        texts = error.get("ctx", {}).get("texts") or [_TEXTS.get(error["type"], error["msg"])]
        problems += [Problem(path, text) for text in texts]
    return problems


def _is_in_list_of_texts(path: tuple[str | int, ...]) -> bool:
    return len(path) == 2 and isinstance(path[1], int)  # noqa: PLR2004 - the list's name and an index


def _rules(*rules: Callable[[str], str | None]) -> AfterValidator:
    def check(value: Any) -> Any:
        texts = [text for rule in rules if (text := rule(value))] if isinstance(value, str) else []
        if texts:
            raise PydanticCustomError("rules", "{text}", {"text": texts[0], "texts": texts})
        return value

    return AfterValidator(check)


def _filled(value: Any) -> Any:
    if value is None or value in ("", {}):
        raise PydanticCustomError("filled", "must be filled")
    return value


def check_not_empty(value: Any) -> Any:
    """Reject the empty string. Null is left to the type's own check, which has another message."""
    if value == "":
        raise PydanticCustomError("filled", "must be filled")
    return value


def check_not_blank(value: str) -> str | None:
    return None if value.strip() else "cannot be blank"


def check_one_line(value: str) -> str | None:
    return "cannot contain multiple lines" if "\n" in value else None


def check_no_spaces(value: str) -> str | None:
    return "cannot contain spaces" if " " in value else None


def check_uri(value: str) -> str | None:
    try:
        urlsplit(value)
    except ValueError:
        return "is not a valid URL eg. http://example.org"
    return "is not a valid URL eg. http://example.org" if re.search(r"[\s<>\"{}|\\^`]", value) else None


def _true_or_false(value: Any) -> Any:
    if value is None or value == "":
        raise PydanticCustomError("filled", "must be filled")
    if not isinstance(value, bool):
        raise PydanticCustomError("one_of", "must be one of: true, false")
    return value


RequiredText = Annotated[str, BeforeValidator(_filled)]
"""A text that is neither null nor empty."""
Name = Annotated[str, BeforeValidator(check_not_empty), _rules(find_forbidden_character, check_not_blank)]
"""A name: not empty, not blank, and possible in a path. Null is reported as a wrong type."""
NonEmptyText = Annotated[str, BeforeValidator(check_not_empty)]
"""A text that is not empty. Null is reported as a wrong type."""
RequiredName = Annotated[RequiredText, _rules(find_forbidden_character, check_not_blank)]
RequiredNonBlankName = Annotated[RequiredText, _rules(check_not_blank, find_forbidden_character)]
RequiredNonBlankText = Annotated[RequiredText, _rules(check_not_blank)]
RequiredNonBlankLine = Annotated[RequiredText, _rules(check_not_blank, check_one_line)]
Line = Annotated[str | None, _rules(check_one_line)]
LineNotBlank = Annotated[str | None, _rules(check_one_line, check_not_blank)]
NotBlankName = Annotated[str | None, _rules(check_not_blank, find_forbidden_character)]
BranchName = Annotated[str | None, _rules(find_forbidden_character, check_no_spaces, check_not_blank)]
EnvironmentName = Annotated[RequiredText, _rules(find_forbidden_character, check_no_spaces, check_not_blank)]
RequiredLine = Annotated[RequiredText, _rules(check_one_line)]
RequiredBoolean = Annotated[bool, BeforeValidator(_true_or_false)]
Uri = Annotated[str | None, _rules(check_uri)]
