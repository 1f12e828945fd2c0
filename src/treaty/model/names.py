"""Names of pacticipants, versions, branches, tags and labels."""

from typing import Final

from treaty.errors import Invalid

MAX_LENGTH: Final = 2000
"""Maximum length of a name in bytes: an entry of a PostgreSQL index cannot exceed about 2,700."""


FORBIDDEN_CHARACTERS: Final = {"\n": "a new line", "\t": "a tab", "\0": "a null"}
"""Characters that paths of requests cannot contain, as in the original, with their descriptions.

A name with one of them could be stored, but never be read or deleted.
"""


def find_forbidden_character(name: str) -> str | None:
    """Return the rule that a name breaks if it has a character that paths cannot contain."""
    for character, description in FORBIDDEN_CHARACTERS.items():
        if character in name:
            return "cannot contain multiple lines" if character == "\n" else f"cannot contain {description} character"
    return None


def check_name(member: str, name: str) -> str:
    """Return the name unchanged if a path can contain it, and an index can hold it.

    `member` is the member of the request body that the error message names. Raises Invalid.
    """
    problem = find_forbidden_character(name)
    if problem is not None:
        raise Invalid.member(member, problem)
    if len(name.encode()) > MAX_LENGTH:
        raise Invalid.member(member, f"cannot be longer than {MAX_LENGTH} bytes")
    return name


def check_not_blank(member: str, name: str) -> str:
    """Return the name unchanged. Raises Invalid, naming `member`, if it is empty or only white space."""
    if not name.strip():
        raise Invalid.member(member, "cannot be blank")
    return name
