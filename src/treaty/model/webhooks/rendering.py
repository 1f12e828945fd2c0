"""Fills in the placeholders of a webhook's request, escaping each value for the format it is inserted into.

Clients that publish choose the names of branches, tags and versions. Names may only be values in a request: they
never add a property, a form field, a header, a path segment or an XML element to it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote
from xml.sax.saxutils import escape as escape_markup

from treaty.model.webhooks.parameters import fill_in, replace_parameters
from treaty.model.webhooks.webhooks import WebhookRequest

ParameterValues = Mapping[str, str]
"""Values by the name of their placeholder."""


class UnusableValue(ValueError):
    """A value that cannot be inserted where its placeholder is. The text names a next step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedRequest:
    """A webhook's request with all values filled in."""

    url: str
    headers: Mapping[str, str]
    """By lower-case name, always with a Content-Type."""
    body: bytes
    """Empty if the webhook has no body."""
    username: str
    password: str


def render(request: WebhookRequest, values: ParameterValues) -> RenderedRequest:
    """Fill in every placeholder of a request, whose secrets are decrypted.

    Raises UnusableValue if a value would change what the request means.
    """
    headers = {name: _header(str(value), values) for name, value in request.headers.items()}
    body = _body(request.body, headers.get("content-type"), values)
    return RenderedRequest(
        url=_url(request.url, values),
        # Clients of the original expect the header among those of a trial, also of one without a body.
        headers={"content-type": _default_media_type(request.body), **headers},
        body=body.encode("utf-8", "replace"),
        username=_username(request.username or "", values),
        password=fill_in(str(request.password or ""), values),
    )


# URL


def _url(template: str, values: ParameterValues) -> str:
    address, number_sign, fragment = template.partition("#")
    path, question_mark, query = address.partition("?")
    return "".join(
        (
            "/".join(_segment(segment, values) for segment in path.split("/")),
            question_mark,
            fill_in(query, values, lambda value: quote_plus(value, errors="replace")),
            number_sign,
            fill_in(fragment, values, _percent_encode),
        )
    )


def _segment(template: str, values: ParameterValues) -> str:
    segment = fill_in(template, values, _percent_encode)
    # Percent-encoding does not help: receivers resolve "%2E%2E" like "..".
    if segment != template and unquote(segment) in {".", ".."}:
        raise UnusableValue(
            f'The path of the URL would contain the segment "{unquote(segment)}" in place of "{template}", and the'
            " request would go to another address. Move the parameter to the query or the body of the webhook, or"
            " rename the branch, tag or version that the parameter contains."
        )
    return segment


def _percent_encode(value: str) -> str:
    return quote(value, safe="", errors="replace")


# Headers and credentials

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def _header(template: str, values: ParameterValues) -> str:
    header = fill_in(template, values, lambda value: _CONTROL.sub(" ", value))
    return header if header == template else header.strip()


def _username(template: str, values: ParameterValues) -> str:
    username = fill_in(template, values)
    if username.count(":") != template.count(":"):
        raise UnusableValue(
            "The user name for basic authentication would contain a colon, which begins the password. Choose another"
            " parameter for the user of the webhook."
        )
    return username


# Body

_FORM: Final = "application/x-www-form-urlencoded"
_FORM_FIELDS: Final = re.compile(r"[^\s=&]+=[^&]*(&[^\s=&]+=[^&]*)*")
_JSON_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_JSON_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_XML_SECTION: Final = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>", re.DOTALL)
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _default_media_type(body: Any) -> str:
    """Media type of a body whose webhook names none: the original broker's, except for JSON."""
    is_json = _is_json(body) if isinstance(body, str) else body is not None
    return "application/json" if is_json else _FORM


def _is_json(text: str) -> bool:
    """Whether a text is a JSON object or array, once values are in the place of its placeholders."""
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        json.loads(replace_parameters(text, "0"))
    except (ValueError, RecursionError):
        return False
    return True


def _body(template: Any, media_type: str | None, values: ParameterValues) -> str:
    if template is None:
        return ""
    if not isinstance(template, str):
        return json.dumps(_json_value(template, values), ensure_ascii=False, separators=(",", ":"))
    return _escape_for(media_type, template)(template, values)


def _escape_for(media_type: str | None, template: str) -> Callable[[str, ParameterValues], str]:
    """Choose how to fill in a text: by its media type, or if the webhook names none, by its form."""
    if media_type is None:
        return _json_text if _is_json(template) else _form_text if _FORM_FIELDS.fullmatch(template) else fill_in
    subtype = media_type.partition(";")[0].strip().lower().partition("/")[2]
    if "json" in subtype:
        return _json_text
    if subtype == "xml" or subtype.endswith("+xml"):
        return _xml_text
    return _form_text if subtype == "x-www-form-urlencoded" else fill_in


def _json_value(template: Any, values: ParameterValues) -> Any:
    """Fill in all strings of a JSON value, including property names."""
    match template:
        case str():
            return _string(template, values)
        case list():
            return [_json_value(item, values) for item in template]
        case dict():
            members = {fill_in(name, values): _json_value(value, values) for name, value in template.items()}
            if len(members) < len(template):
                raise UnusableValue(
                    "Two properties of the body would have the same name once its parameters are filled in. Use the"
                    " parameter in a value instead of a property's name."
                )
            return members
        case _:
            return template


def _string(template: str, values: ParameterValues) -> str:
    """Fill in a string. If it is a JSON document itself, its own strings are escaped as well."""
    return _json_text(template, values) if _is_json(template) else fill_in(template, values)


def _json_text(template: str, values: ParameterValues) -> str:
    """Fill in a JSON text, leaving everything else in it as it was written."""
    parts, end = [], 0
    for literal in _JSON_STRING.finditer(template):
        parts += [fill_in(template[end : literal.start()], values, _json_scalar), _json_literal(literal[0], values)]
        end = literal.end()
    return "".join((*parts, fill_in(template[end:], values, _json_scalar)))


def _json_literal(template: str, values: ParameterValues) -> str:
    if "${" not in template:
        return template
    try:
        text = _string(json.loads(template, strict=False), values)
    except (ValueError, RecursionError):
        return fill_in(template, values, lambda value: json.dumps(value, ensure_ascii=False)[1:-1])
    return json.dumps(text, ensure_ascii=False)


def _json_scalar(value: str) -> str:
    """Write a value whose placeholder has no quotes around it: a number, or else a string."""
    return value if _JSON_NUMBER.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _form_text(template: str, values: ParameterValues) -> str:
    return fill_in(template, values, lambda value: quote_plus(value, errors="replace"))


def _xml_text(template: str, values: ParameterValues) -> str:
    parts, end = [], 0
    for section in _XML_SECTION.finditer(template):
        escape = _in_comment if section[0].startswith("<!--") else _in_cdata
        parts += [fill_in(template[end : section.start()], values, _in_xml), fill_in(section[0], values, escape)]
        end = section.end()
    return "".join((*parts, fill_in(template[end:], values, _in_xml)))


def _in_xml(value: str) -> str:
    # Attributes are normalized: a line break survives only as a reference.
    references = {'"': "&quot;", "'": "&#39;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
    return escape_markup(_NOT_XML.sub("\ufffd", value), references)


def _in_cdata(value: str) -> str:
    # Each character that could end the section closes and reopens it, regardless of the text around the value.
    parts = {"]": "]]]><![CDATA[", ">": "]]>&gt;<![CDATA["}
    return re.sub("[]>]", lambda character: parts[character[0]], _NOT_XML.sub("\ufffd", value))


def _in_comment(value: str) -> str:
    return _NOT_XML.sub("\ufffd", value).replace("-", "&#45;")
