"""Formats of texts and numbers beyond those of JSON Schema."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, Final
from urllib.parse import urlsplit

_TIME: Final = re.compile(r"(\d\d):(\d\d):(\d\d(?:\.\d+)?)(?:[zZ]|[+-](\d\d)(?::?(\d\d))?)?")
_POINTER_FRAGMENT: Final = re.compile(r"#(?:/(?:[A-Za-z0-9_\-.!$&'()*+,;:=@]|%[0-9A-Fa-f]{2}|~[01])*)*")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")

_INT32: Final = range(-(2**31), 2**31)


def is_byte(text: str) -> bool:
    if not _BASE64.fullmatch(text):
        return False
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def is_iso_time(text: str) -> bool:
    match = _TIME.fullmatch(text)
    if not match:
        return False
    hours, minutes, seconds = int(match[1]), int(match[2]), float(match[3])
    offset = int(match[4] or 0) <= 23 and int(match[5] or 0) <= 59  # noqa: PLR2004 - hours and minutes
    return offset and hours <= 23 and minutes <= 59 and seconds < 61  # noqa: PLR2004 - likewise, with leap seconds


def is_iso_date_time(text: str) -> bool:
    parts = re.split(r"[tT\s]", text)
    return len(parts) == 2 and _is_date(parts[0]) and is_iso_time(parts[1])  # noqa: PLR2004 - date and time


def is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme.lower() in {"http", "https", "ftp"} and bool(url.hostname) and not re.search(r"\s", text)
    except ValueError:
        return False


def is_pointer_fragment(text: str) -> bool:
    return _POINTER_FRAGMENT.fullmatch(text) is not None


FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "byte": is_byte,
    "iso-time": is_iso_time,
    "iso-date-time": is_iso_date_time,
    "json-pointer-uri-fragment": is_pointer_fragment,
    "url": is_url,
}


class NumberFormat:
    """Keyword for `int32`, a whole number of that range, and `int64`, a whole number."""

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
        del parent_schema, schema_path  # part of the interface
        self._name = value

    def validate(self, instance: Any) -> None:
        if isinstance(instance, bool) or not isinstance(instance, int | float):
            return
        whole = float(instance).is_integer() if isinstance(instance, float) else True
        if not whole or (self._name == "int32" and int(instance) not in _INT32):
            raise ValueError(self._name)


def _is_date(text: str) -> bool:
    try:
        return len(text) == len("2000-01-01") and bool(date.fromisoformat(text))
    except ValueError:
        return False
