"""Members of request bodies that Treaty does not know.

They are ignored, as by the original broker, so that bodies for a newer broker are accepted. The response names them:
most of them are misspelt, and their clients believe that they took effect.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple, get_args

from typing_extensions import get_type_hints, is_typeddict

from treaty.spelling import find_similar

MAX_NAMED: Final = 20
"""Unknown members that a response names."""
_MAX_FOUND: Final = 1000
"""Unknown members after which a body is not searched further."""
_TIMES: Final = {"createdAt", "updatedAt"}
"""Members of most documents of the broker, which clients send back when they change a document."""


class UnknownMember(NamedTuple):
    """A member of a body that its type does not have."""

    path: str
    """Its name, after those of the members that contain it: `contracts[0].onConfict`."""
    name: str
    value: Any
    is_nested: bool
    known: tuple[str, ...]
    """The names that it could be a misspelling of."""


class _BodyType(NamedTuple):
    names: frozenset[str]
    """The names of the members."""
    documented: tuple[str, ...]
    """The same without those that are only accepted beside them."""
    nested: Mapping[str, Any]
    """The types of the objects that members have or list, unless these may have any members."""


def find_unknown_members(body: Mapping[str, Any], body_type: type) -> list[UnknownMember]:
    """Find the members of a body, and of the objects in it, that its type does not have."""
    return list(islice(_find(body, body_type, ""), _MAX_FOUND))


def _find(part: Mapping[str, Any], part_type: Any, prefix: str) -> Iterator[UnknownMember]:
    body_type = _describe_type(part_type)
    if not body_type.names.issuperset(part):
        for name in part:
            # The others are parts of a document that the client sends back, such as _links.
            if name not in body_type.names and not name.startswith("_") and name not in _TIMES:
                yield UnknownMember(prefix + name, name, part[name], bool(prefix), body_type.documented)
    for name, member_type in body_type.nested.items():
        if name in part:
            yield from _find_in_value(part[name], member_type, prefix + name)


def _find_in_value(value: Any, value_type: Any, path: str) -> Iterator[UnknownMember]:
    if isinstance(value, dict):
        yield from _find(value, value_type, f"{path}.")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield from _find(item, value_type, f"{path}[{index}].")


@lru_cache
def _describe_type(body_type: Any) -> _BodyType:
    types = {name: _find_object_type(hint) for name, hint in get_type_hints(body_type).items()}
    if is_typeddict(body_type):
        aliases = {name: name for name in types}
    else:
        aliases = {name: field.alias or name for name, field in body_type.model_fields.items()}
    accepted = [(accepted, types[name]) for name, alias in aliases.items() for accepted in {name, alias}]
    nested = {name: kind for name, kind in accepted if kind is not None and not name.startswith("_")}
    return _BodyType(frozenset(name for name, _ in accepted), tuple(aliases.values()), nested)


def _find_object_type(hint: Any) -> Any:
    """Find the type of objects within a type hint, such as `list[Contract] | None`."""
    if is_typeddict(hint) or hasattr(hint, "model_fields"):  # a model of pydantic
        return hint
    return next(filter(None, map(_find_object_type, get_args(hint))), None)


def describe(unknown: Sequence[UnknownMember], document: Mapping[str, object]) -> list[str]:
    """Describe unknown members for the client. `document` is the response.

    Members of the document that the client sends back unchanged are left out, and those without a value, unless they
    are misspelt: clients of other brokers send all of their members, such as `"teamUuid": null`.
    """
    relevant = [member for member in unknown if _has_value(member) and not _is_sent_back(member, document)]
    texts = [_describe(member, document) for member in islice(relevant, MAX_NAMED)]
    return [*texts, "Further fields are not known and were ignored."] if len(relevant) > MAX_NAMED else texts


def _has_value(member: UnknownMember) -> bool:
    return member.value is not None or bool(find_similar(member.name, member.known))


def _is_sent_back(member: UnknownMember, document: Mapping[str, object]) -> bool:
    if member.is_nested or member.name not in document:
        return False
    shown = document[member.name]
    return shown == member.value or not isinstance(shown, str | int | float | None)


def _describe(member: UnknownMember, document: Mapping[str, object]) -> str:
    if member.name in document and not member.is_nested:
        return f"The field `{member.path}` cannot be changed here and was ignored."
    similar_names = find_similar(member.name, member.known)
    suggestion = f" Did you mean {similar_names[0]}?" if similar_names else ""
    return f"The field `{member.path}` is not known and was ignored.{suggestion}"
