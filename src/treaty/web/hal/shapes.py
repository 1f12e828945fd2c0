"""Types that several JSON documents share.

Each kind of document is a TypedDict beside its representation. The OpenAPI document is generated from these types, and
every response in the tests is validated against it. Documents of idle servers, such as that of a heartbeat, have these
types, too, so pydantic is not imported here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from typing_extensions import TypedDict

from treaty.web.hal.documents import Link

if TYPE_CHECKING:
    from pydantic import ConfigDict, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

T = TypeVar("T")

OMITTABLE_KEY: Final = "x-omittable"
"""Marks schemas while they are generated; the OpenAPI document does not contain it."""
OPEN_OBJECT: Final["ConfigDict"] = {"json_schema_extra": {"additionalProperties": True}}
"""For `with_config`: the object may have members that its type does not declare."""


class _Omission:
    """Replaces the schema of an optional value (`T | None`) with that of `T`, and marks the member as omittable."""

    def __get_pydantic_json_schema__(self, schema: "CoreSchema", handler: "GetJsonSchemaHandler") -> "JsonSchemaValue":
        assert schema["type"] == "nullable"  # noqa: S101 - the schema of `T | None`, which contains that of `T`
        return {**handler(schema["schema"]), OMITTABLE_KEY: True}


Omittable = Annotated[T | None, _Omission()]
"""A member of a HAL document's state, which leaves out members that are None."""


@dataclass(frozen=True, slots=True)
class _JsonSchema:
    """Replaces the schema of a value."""

    schema: dict[str, Any]

    def __get_pydantic_json_schema__(
        self, _schema: "CoreSchema", _handler: "GetJsonSchemaHandler"
    ) -> "JsonSchemaValue":
        return self.schema


JsonObject = dict[str, Any]
StoredObject = Annotated[Any, _JsonSchema({"type": "object"})]
"""An object that is stored as JSON and rendered without being parsed."""
TimeText = Annotated[str, _JsonSchema({"type": "string", "format": "date-time"})]


class Times(TypedDict):
    updatedAt: Omittable[datetime]
    createdAt: datetime


class SelfLink(TypedDict):
    self: Link


class SelfLinked(TypedDict):
    """A document whose only link is that to itself."""

    _links: SelfLink


class Named(SelfLinked):
    name: str


class Numbered(SelfLinked):
    number: str


class NamedHead(Named):
    """A branch or a tag, and whether the version is its latest."""

    latest: bool


class NameOnly(TypedDict):
    name: str


class NoticeDocument(TypedDict):
    type: str
    text: str
