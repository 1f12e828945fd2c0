"""Names: of pacticipants, versions, branches, tags and labels."""

from typing import Final

from treaty.errors import Invalid

MAX_LENGTH: Final = 2000
"""Bytes that a name may have, as more cannot be looked up: PostgreSQL's indexes take no more than 2,700."""


def check_length(member: str, name: str) -> str:
    """Refuse what is too long to be a name. Raises Invalid, which calls it by the member of a body that it is."""
    if len(name.encode()) > MAX_LENGTH:
        raise Invalid.member(member, f"cannot be longer than {MAX_LENGTH} bytes")
    return name


def check_not_blank(member: str, name: str) -> str:
    """Refuse what is blank, as above."""
    if not name.strip():
        raise Invalid.member(member, "cannot be blank")
    return name
