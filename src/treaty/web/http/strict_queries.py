"""Query parameters of resources for programs. Unknown values are refused: a default would answer another question."""

from collections.abc import Iterable

from treaty.errors import Invalid
from treaty.web.http.request import Request


def parse_number(request: Request, name: str, *, default: int, minimum: int = 1, maximum: int) -> int:
    """Parse a whole number. Raises Invalid with the allowed ones."""
    text = request.name_parameter(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not minimum <= int(text[:10]) <= maximum:
        raise Invalid.member(name, f"must be a whole number from {minimum} to {maximum}")
    return int(text)


def check_choice(request: Request, name: str, values: Iterable[str]) -> None:
    """Raise Invalid with the allowed values if a parameter has another one."""
    text, allowed = request.name_parameter(name), list(values)
    if text is not None and text not in allowed:
        raise Invalid.member(name, f"must be one of: {', '.join(allowed)}")
