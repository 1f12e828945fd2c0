"""Names of pacticipants, versions, branches, tags and labels."""

from typing import Final

from treaty.errors import Invalid

MAX_LENGTH: Final = 2000
"""Maximum length of a name in bytes: an entry of a PostgreSQL index cannot exceed about 2,700."""


def check_length(member: str, name: str) -> str:
    """Return the name unchanged if an index can hold it.

    `member` is the member of the request body that the error message names. Raises Invalid if the name is too long.
    """
    if len(name.encode()) > MAX_LENGTH:
        raise Invalid.member(member, f"cannot be longer than {MAX_LENGTH} bytes")
    return name


def check_not_blank(member: str, name: str) -> str:
    """Return the name unchanged. Raises Invalid, naming `member`, if it is empty or only white space."""
    if not name.strip():
        raise Invalid.member(member, "cannot be blank")
    return name
