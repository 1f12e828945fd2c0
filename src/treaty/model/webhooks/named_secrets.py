"""Named secrets: values that webhooks use as `${user.NAME}` or `${secret.NAME}`, and their allowed servers.

Everyone who may create webhooks may use a secret, but only for the servers that are approved for it. Otherwise they
could send it to a server of their own.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from treaty.model.webhooks.secrecy import read_origin
from treaty.model.webhooks.webhooks import EncryptedText, WebhookRequest

PREFIXES: Final = ("user", "secret")
"""`user` is PactFlow's name, `secret` a synonym."""
_PLACEHOLDER: Final = re.compile(r"\$\{(?:user|secret)\.([^}]*)\}")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
MIN_VALUE_LENGTH: Final = 4
"""Shorter values occur by chance, so they could not be masked in logs."""
MAX_VALUE_LENGTH: Final = 10_000


class UnusableSecret(ValueError):
    """A named secret that a request cannot use: there is none of the name, or not for this origin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedSecret:
    """A secret that webhooks refer to by its name."""

    uuid: str
    name: str
    description: str | None
    value: EncryptedText
    origins: tuple[str, ...]
    """Servers that it may be sent to, as `https://host` or `https://host:port`."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SecretUse:
    """A webhook that uses a secret."""

    webhook: str
    """The webhook's UUID."""
    title: str
    origin: str


def find_name_problem(name: str) -> str | None:
    """Describe why a name is invalid; None if it is valid."""
    return None if _NAME.fullmatch(name) else "can only contain the characters A-Z, a-z, 0-9, _, - and ., at most 100"


def find_value_problem(value: str) -> str | None:
    """Describe why a value is invalid; None if it is valid."""
    if len(value) < MIN_VALUE_LENGTH:
        return f"must have at least {MIN_VALUE_LENGTH} characters, because shorter values cannot be hidden in logs"
    if len(value) > MAX_VALUE_LENGTH:
        return f"must have {MAX_VALUE_LENGTH} characters at most"
    if value != value.strip() or not value.isprintable():
        return "must be a single line without spaces at its ends"
    return None


def parse_origin(text: str) -> str | None:
    """Read an origin that a user entered: a URL without a path, or a host, which means HTTPS. None if it is neither."""
    url = text.strip() if "://" in text else f"https://{text.strip()}"
    try:
        split = urlsplit(url)
        is_origin = split.hostname and split.port != 0 and split.path in {"", "/"} and "@" not in split.netloc
    except ValueError:
        return None
    is_plain = is_origin and not split.query and not split.fragment and not re.search(r"[\s\\*$]", url)
    return read_origin(url) if is_plain and split.scheme.lower() in {"http", "https"} else None


# Use in requests


def list_names(request: WebhookRequest) -> list[str]:
    """List the names of the secrets that a decrypted request uses, in the order of their first use."""
    return list(dict.fromkeys(name for text in _list_texts(request) for name in _PLACEHOLDER.findall(text)))


def _list_texts(request: WebhookRequest) -> Iterator[str]:
    yield request.url
    yield from (value for value in (*request.headers.values(), request.password) if isinstance(value, str))
    if request.username is not None:
        yield request.username
    if request.body is not None:
        yield from _list_strings(request.body)


def _list_strings(value: Any) -> Iterator[str]:
    """List the strings of a JSON value, including property names."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _list_strings(item)
        case Mapping():
            for name, item in value.items():
                yield name
                yield from _list_strings(item)
        case _:
            return


def choose_for_request(request: WebhookRequest, available: Mapping[str, NamedSecret]) -> list[NamedSecret]:
    """Return the secrets that a decrypted request uses. Raises UnusableSecret."""
    origin, chosen = read_origin(request.url), []
    for name in list_names(request):
        secret = available.get(name)
        if secret is None:
            raise UnusableSecret(describe_missing(name))
        if origin not in secret.origins:
            raise UnusableSecret(describe_forbidden(secret, origin))
        chosen.append(secret)
    return chosen


def describe_missing(name: str) -> str:
    return (
        f"There is no secret with the name '{name}'. Create it, or remove ${{user.{name}}} or ${{secret.{name}}} from "
        "the webhook."
    )


def describe_forbidden(secret: NamedSecret, origin: str) -> str:
    approved = ", ".join(secret.origins) or "no server"
    return (
        f"The secret '{secret.name}' may be sent to {approved}, not to {origin}. An administrator can approve the "
        "server, by adding it to the secret or by saving the webhook."
    )


def build_values(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the values of placeholders from the texts of secrets by name."""
    return {f"{prefix}.{name}": text for name, text in texts.items() for prefix in PREFIXES}


def encode_origins(origins: Iterable[str]) -> str:
    return json.dumps(list(origins))
