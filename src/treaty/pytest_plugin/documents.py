"""Reads the OpenAPI document of an application, as its framework generates it.

No framework is imported: the application is already there, and its attributes show what it can do.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import re
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import yaml

from treaty.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_KINDS: Final = ("openapi", "swagger", "asyncapi")
"""The members of which each document has one."""
_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_ATTRIBUTE: Final = re.compile(r"([\w.]+):([\w.]+)(?:\(\))?")
_DOCUMENT_ROUTE: Final = re.compile(r"(openapi|swagger|apispec|spec)[^/]*$|/(openapi|swagger|apidoc)/", re.IGNORECASE)
"""Paths at which extensions of Flask serve the document."""
_URL_TIMEOUT_SECONDS: Final = 30
_MAX_INDIRECTIONS: Final = 4
"""A function may return an application, which has a function for its document."""
_WAYS: Final = (
    "Give an application of FastAPI, or one of Flask whose extension generates the document (such as flask-smorest, "
    "APIFlask, flask-openapi3 or spectree), or a function that returns the document, a file, or a URL."
)


@dataclass(frozen=True, slots=True)
class Document:
    """A document as text, and its parsed content."""

    source: bytes
    content_type: str
    content: Mapping[str, Any]


def load(source: str, folder: Path) -> Document:
    """Read the document that an option names: `module:attribute`, a file relative to the folder, or a URL.

    Raises ClientError with the reason if there is no document.
    """
    if _URL.match(source):
        return _fetch(source)
    if (folder / source).is_file():
        return _parse((folder / source).read_bytes(), source)
    match = _ATTRIBUTE.fullmatch(source)
    if match is None:
        raise ClientError(
            f"There is no file '{source}' in {folder}.",
            hint="Give a file that exists, a URL, or an application as MODULE:NAME, such as shop.app:app.",
        )
    return read(_import(match[1], match[2], folder), source, folder)


def read(value: object, name: str, folder: Path) -> Document:
    """Read the document of an application, of a function that returns one, or of a file or URL.

    `name` stands for the value in messages. Raises ClientError with the reason if there is no document.
    """
    for _ in range(_MAX_INDIRECTIONS):
        match value:
            case Mapping():
                return _to_document(value, name)
            case bytes():
                return _parse(value, name)
            case Path():
                return load(str(value), folder)
            case str():
                is_text = "\n" in value or value.lstrip().startswith("{")
                return _parse(value.encode(), name) if is_text else load(value, folder)
            case _:
                value = _call(functools.partial(_step, value), name)
    raise ClientError(f"{name} has no OpenAPI document.", hint=_WAYS)


def _step(value: Any) -> object:
    """Return the document, or what has it. Raises LookupError if the value has none."""
    if inspect.isroutine(value) or isinstance(value, functools.partial):
        return value()
    for method in ("openapi", "get_openapi_schema", "to_dict", "to_schema"):  # FastAPI; Django Ninja; apispec; Litestar
        if callable(getattr(value, method, None)):
            return getattr(value, method)()
    for attribute in (
        "api_doc",
        "spec",
        "openapi_schema",
    ):  # flask-openapi3; APIFlask, flask-smorest, spectree; Litestar
        if (document := getattr(value, attribute, None)) is not None:
            return document
    if hasattr(value, "url_map") and hasattr(value, "test_client"):
        return _find_smorest(value) or _request_document(value)
    raise LookupError


def _find_smorest(app: Any) -> object:
    """Return the document of flask-smorest, which does not serve it by default."""
    apis = app.extensions.get("flask-smorest", {}).get("apis", {}).values()
    return next((api["ext_obj"].spec for api in apis), None)


def _request_document(app: Any) -> Mapping[str, Any]:
    """Request the document from an application of Flask, whose extensions serve it at different paths."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments]
    paths = [str(rule) for rule in rules if _DOCUMENT_ROUTE.search(str(rule))]
    responses = (app.test_client().get(path).get_json(silent=True) for path in paths)
    documents = [content for content in responses if isinstance(content, Mapping) and _is_document(content)]
    if not documents:
        raise LookupError
    return documents[0]


def _call(function: Callable[[], object], name: str) -> object:
    try:
        return function()
    except LookupError as error:
        if error.args:
            raise _raised(name, error) from error
        raise ClientError(f"{name} has no OpenAPI document.", hint=_WAYS) from error
    except Exception as error:
        raise _raised(name, error) from error


def _raised(name: str, error: BaseException) -> ClientError:
    text = " ".join(str(error).split())
    return ClientError(
        f"The OpenAPI document of {name} could not be read: {type(error).__name__}: {text}",
        hint="Correct it, or name a function without arguments that returns the document.",
    )


def _import(module: str, attribute: str, folder: Path) -> object:
    with _importable([folder, Path.cwd()]):
        value = _call(functools.partial(importlib.import_module, module), module)
    for part in attribute.split("."):
        if not hasattr(value, part):
            raise ClientError(
                f"{module} has no {attribute}.", hint="Give the application as MODULE:NAME, such as shop.app:app."
            )
        value = getattr(value, part)
    return value


@contextmanager
def _importable(folders: Sequence[Path]) -> Iterator[None]:
    """Let modules be imported from the folders, after all others: pytest adds only those of tests to the path."""
    added = [str(folder) for folder in folders if str(folder) not in sys.path]
    sys.path.extend(added)
    try:
        yield
    finally:
        for folder in added:
            if folder in sys.path:
                sys.path.remove(folder)


def _fetch(url: str) -> Document:
    import httpx  # noqa: PLC0415 - takes long to load

    name = f"The document at {urlsplit(url).netloc.rpartition('@')[2]}"  # without credentials
    try:
        response = httpx.get(url, timeout=_URL_TIMEOUT_SECONDS, follow_redirects=True)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _not_fetched(name, f"{type(error).__name__}: {error}") from error
    if response.is_error:
        raise _not_fetched(name, f"status {response.status_code}")
    return _parse(response.content, name)


def _not_fetched(name: str, problem: str) -> ClientError:
    return ClientError(
        f"{name} could not be fetched: {problem}",
        hint="Start the application before the tests, or name it as MODULE:NAME, such as shop.app:app.",
    )


def _parse(source: bytes, name: str) -> Document:
    """Keep the text as it is, so that findings name its lines."""
    is_json = source.lstrip()[:1] == b"{"
    try:
        content = json.loads(source) if is_json else yaml.safe_load(source)
    except (ValueError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise ClientError(f"{name} is neither JSON nor YAML: {problem}", hint=_WAYS) from error
    _check(content, name)
    return Document(source, f"application/{'json' if is_json else 'yaml'}", content)


def _to_document(content: Mapping[str, Any], name: str) -> Document:
    _check(content, name)
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, indent=2, default=_to_json)
    except (TypeError, ValueError) as error:
        raise _raised(name, error) from error
    return Document(text.encode(), "application/json", content)


def _to_json(value: object) -> object:
    """Convert what frameworks put into documents besides JSON."""
    match value:
        case Mapping():
            return dict(value)
        case date():
            return value.isoformat()
        case set() | frozenset():
            return sorted(value)
    raise TypeError(f"values of the type {type(value).__name__} are not JSON")


def _check(content: object, name: str) -> None:
    if not isinstance(content, Mapping) or not _is_document(content):
        raise ClientError(f"{name} is not an OpenAPI or AsyncAPI document: it has no member 'openapi'.", hint=_WAYS)


def _is_document(content: Mapping[str, Any]) -> bool:
    return any(kind in content for kind in _KINDS)
