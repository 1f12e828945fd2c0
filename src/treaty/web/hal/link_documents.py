"""The type of links in documents, from which the OpenAPI document is generated."""

from typing import NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict


@with_config(ConfigDict(json_schema_extra={"additionalProperties": True}))
class LinkDocument(TypedDict):
    href: str
    title: NotRequired[str]
    name: NotRequired[str | None]
    templated: NotRequired[bool]
