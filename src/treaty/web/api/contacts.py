"""Contacts in request bodies."""

from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import Field

from treaty.errors import Malformed
from treaty.web.http.bodies import Body, RequiredLine


class ContactBody(Body):
    """A person or team to ask about an environment or a pacticipant."""

    name: RequiredLine
    details: dict[str, Any] = Field(default_factory=dict)


def dump_contacts(contacts: Sequence[ContactBody]) -> str:
    """Encode contacts as they are stored. Members that the client did not send stay absent."""
    return dump_json([contact.model_dump(exclude_unset=True) for contact in contacts])


def dump_json(value: object) -> str:
    """Encode a part of a body as JSON. Raises Malformed."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        # The value was parsed from JSON, so depth is the only possible problem. The text is the original broker's.
        raise Malformed("JSON::NestingError - nesting is too deep") from error
