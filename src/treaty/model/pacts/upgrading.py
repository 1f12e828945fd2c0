"""Upgrades interactions to a later version of the Pact specification, where nothing is lost.

The rules are those by which the Pact Foundation's verifier reads the versions: it sends the same requests for an
interaction and its upgrade, and accepts the same responses. Where verifiers read a version differently, there is no
upgrade.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from treaty.exact_json import parse_json
from treaty.model.pacts.documents import Json, serialize_canonical

HTTP: Final = "Synchronous/HTTP"
ASYNCHRONOUS_MESSAGE: Final = "Asynchronous/Messages"
"""Types of interactions since version 4."""
QUERIES_ARE_OBJECTS: Final = 3
"""First version with several provider states, queries as objects, and matching rules in categories."""
INTERACTIONS_HAVE_TYPES: Final = 4
"""First version with interactions of several types in one list, and with bodies in envelopes."""


class NotUpgradable(Exception):
    """Raised for an interaction that a later version cannot express. The text is the reason."""


def upgrade_interaction(item: Json, version: int) -> Json:
    """Upgrade an HTTP interaction to a major version of the specification. Raises NotUpgradable."""
    interaction = _require_object(item, "it is not an object")
    if "type" in interaction:  # it is of version 4 already
        return interaction
    if version >= QUERIES_ARE_OBJECTS:
        interaction = _upgrade_states(interaction)
        interaction = _upgrade_parts(interaction, ("request", "response"), _upgrade_part)
    if version >= INTERACTIONS_HAVE_TYPES:
        interaction = {"type": HTTP, **_upgrade_parts(interaction, ("request", "response"), _wrap_body)}
    return interaction


def upgrade_message(item: Json, version: int) -> Json:
    """Upgrade a message of version 3, which has a list of its own, to a major version. Raises NotUpgradable."""
    message = _upgrade_states(_require_object(item, "it is not an object"))
    if version < INTERACTIONS_HAVE_TYPES:
        return message
    metadata = message.get("metadata", message.get("metaData"))
    others = {name: value for name, value in message.items() if name not in {"contents", "metadata", "metaData"}}
    upgraded = {"type": ASYNCHRONOUS_MESSAGE, **others}
    if "contents" in message:
        upgraded["contents"] = _wrap(message["contents"], find_content_type(metadata), "contents")
    if metadata is not None:
        upgraded["metadata"] = metadata
    return upgraded


def _require_object(value: Json, reason: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise NotUpgradable(reason)
    return value


def _upgrade_parts(
    interaction: Mapping[str, Json], names: Iterable[str], upgrade: Callable[[dict[str, Json], str], dict[str, Json]]
) -> dict[str, Json]:
    parts = {
        name: upgrade(_require_object(interaction[name], f"its {name} is not an object"), name)
        for name in names
        if interaction.get(name) is not None
    }
    return {**interaction, **parts}


def list_states(item: Mapping[str, Json]) -> Json:
    """Return the provider states in the form of version 3: a list of objects. Another form is returned as it is."""
    states = next((item[name] for name in STATE_MEMBERS if item.get(name) is not None), None)
    return [{"name": states}] if isinstance(states, str) else states


STATE_MEMBERS: Final = ("provider_state", "providerState", "providerStates")
"""Spellings of provider states, in the order in which the original broker looks for them."""


def _upgrade_states(interaction: dict[str, Json]) -> dict[str, Json]:
    if interaction.keys().isdisjoint(STATE_MEMBERS[:2]):
        return interaction
    states = list_states(interaction)
    if not isinstance(states, list | None):
        raise NotUpgradable("its provider state is not a text")
    others = {name: value for name, value in interaction.items() if name not in STATE_MEMBERS}
    return others if states is None else {**others, "providerStates": states}


def _upgrade_part(part: dict[str, Json], place: str) -> dict[str, Json]:
    query = part.get("query")
    if isinstance(query, str):
        part = {**part, "query": _parse_query(query)}
    rules = part.get("matchingRules")
    if isinstance(rules, dict) and any(path.startswith("$") for path in rules):
        part = {**part, "matchingRules": _upgrade_rules(rules, part.get("query"), place)}
    return part


def _parse_query(text: str) -> dict[str, list[str]]:
    if any("=" not in field for field in text.split("&") if field):
        raise NotUpgradable("its query has a parameter without a value")
    try:
        fields = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise NotUpgradable("its query is not UTF-8") from error
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name, []).append(value)
    return values


_PATH: Final = re.compile(r"""\$(?:\.(\w+)|\['(\w+)'\])(.*)""", re.DOTALL)
_CATEGORIES: Final = {"body": "body", "headers": "header", "header": "header", "query": "query", "path": "path"}
_FIELD: Final = re.compile(r"""(?:\.([^.\[\]]+)|\['([^']+)'\])(?:\[(\d+|\*)\])?""")


def _upgrade_rules(rules: dict[str, Json], query: Json, place: str) -> dict[str, Json]:
    """Sort the rules of version 2, whose paths begin at the root, into the categories of version 3."""
    upgraded: dict[str, Json] = {}
    for path, rule in rules.items():
        if not path.startswith("$"):  # already in a category
            upgraded[path] = rule
            continue
        category, name = _split_path(path, query, place)
        matchers = {"matchers": [_name_matcher(rule, path, place)], "combine": "AND"}
        if name is None:
            upgraded[category] = matchers
        elif serialize_canonical(upgraded.setdefault(category, {}).setdefault(name, matchers)) != serialize_canonical(
            matchers
        ):
            raise _unknown_rule(path, place)
    return upgraded


def _split_path(path: str, query: Json, place: str) -> tuple[str, str | None]:
    """Return the category of a path, and the path or name within it; None for the category of the path itself."""
    parts = _PATH.fullmatch(path)
    category = _CATEGORIES.get(parts[1] or parts[2]) if parts else None
    if parts is None or category is None:
        raise _unknown_rule(path, place)
    if category == "body":
        return category, "$" + parts[3]
    if category == "path":
        return category, None
    field = _FIELD.fullmatch(parts[3])
    if field is None:
        raise _unknown_rule(path, place)
    name, index = field[1] or field[2], field[3]
    values = query.get(name) if isinstance(query, dict) else None
    # A rule of version 3 covers all values of a parameter.
    if index not in (None, "*") and (category != "query" or not isinstance(values, list) or len(values) != 1):
        raise _unknown_rule(path, place)
    return category, name


def _name_matcher(rule: Json, path: str, place: str) -> Json:
    """Add the kind of matcher, which version 2 lets follow from the other members."""
    if isinstance(rule, dict):
        if isinstance(rule.get("match"), str):
            return rule
        if "regex" in rule:
            return {"match": "regex", **rule}
        if {"min", "max"} & rule.keys():
            return {"match": "type", **rule}
    raise _unknown_rule(path, place)


def _unknown_rule(path: str, place: str) -> NotUpgradable:
    return NotUpgradable(f"later versions have no counterpart of the matching rule {path} of its {place}")


def _wrap_body(part: dict[str, Json], place: str) -> dict[str, Json]:
    if part.get("body") is None:
        return part
    return {**part, "body": _wrap(part["body"], find_content_type(part.get("headers")), f"{place} body")}


def _wrap(body: Json, content_type: str | None, place: str) -> Json:
    """Put a body into the envelope of version 4."""
    if body is None:
        return None
    if isinstance(body, str) and body:
        _check_text(body, content_type, place)
    kind = {} if content_type is None else {"contentType": content_type}
    return {**kind, "encoded": False, "content": body}


_TEXT_TYPES: Final = re.compile(
    r"text/.*|.*[/+](xml|yaml)|application/(x-www-form-urlencoded|javascript|graphql|x-yaml|toml)", re.IGNORECASE
)
_JSON_TYPES: Final = re.compile(r"application/(.*\+)?json.*|text/json", re.IGNORECASE)


def _check_text(body: str, content_type: str | None, place: str) -> None:
    # Up to version 3, a text stands for itself, for the JSON that it contains, or for bytes in base64.
    media_type = (content_type or "").partition(";")[0].strip()
    is_ambiguous = _is_json(body) if _JSON_TYPES.fullmatch(media_type) else not _TEXT_TYPES.fullmatch(media_type)
    if is_ambiguous and content_type is not None:
        raise NotUpgradable(f"its {place} is a text of the type {content_type}, which the versions read differently")


def _is_json(text: str) -> bool:
    try:
        parse_json(text)
    except (ValueError, RecursionError):
        return False
    return True


def find_content_type(fields: Json) -> str | None:
    """Find the content type among headers or the metadata of a message."""
    for name, value in fields.items() if isinstance(fields, dict) else ():
        if name.lower() in {"content-type", "contenttype"}:
            first_value = value[0] if isinstance(value, list) and value else value
            return first_value if isinstance(first_value, str) else None
    return None
