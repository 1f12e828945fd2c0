"""Documentation of the API: the OpenAPI document, its page, and a page for each link relation."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from pydantic import with_config
from typing_extensions import TypedDict

from treaty.errors import NotFound
from treaty.model.decisions.causes import DESCRIPTIONS
from treaty.settings import Settings
from treaty.web import openapi, urls
from treaty.web.api.overview import relations
from treaty.web.hal.shapes import OPEN_OBJECT, JsonObject
from treaty.web.http.media_types import CSS, JSON
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, RawBody
from treaty.web.http.router import Router
from treaty.web.openapi import reading
from treaty.web.routers import list_routers
from treaty.web.security.permissions import Permission

router = Router()


@with_config(OPEN_OBJECT)
class OpenApiDocument(TypedDict):
    openapi: str
    info: JsonObject
    paths: JsonObject


@router.get(urls.OPENAPI, permission=Permission.READ, produces=(), needs_database=False, response=OpenApiDocument)
def get_openapi(request: Request) -> RawBody:
    """Describe this API as an OpenAPI 3.1 document."""
    # Cached without the base URL: it can come from the request's headers, so their number is unlimited.
    return RawBody(orjson.dumps({**_build_document(request.settings), "servers": [{"url": request.base_url}]}), JSON)


@lru_cache(maxsize=1)
def _build_document(settings: Settings) -> dict[str, Any]:
    endpoints = [endpoint for router in list_routers(settings) for endpoint in router.endpoints.values()]
    return openapi.build_document(endpoints)


@router.page(urls.DOCS, permission=Permission.READ, needs_database=False)
def show_api(request: Request) -> HtmlPage:
    """Show all operations of the API, or those that match some words."""
    query = request.option("q") or ""
    document = _build_document(request.settings)
    groups = reading.group_operations(document, query)
    return HtmlPage("docs.html", {"groups": groups, "samples": reading.list_examples(document, groups), "query": query})


@router.page(urls.PROXIES, permission=Permission.READ, needs_database=False)
def show_proxies(request: Request) -> HtmlPage:
    """Show how a reverse proxy must be configured, with the path of this broker's base URL."""
    parts = urlsplit(request.base_url)
    return HtmlPage("proxies.html", {"host": parts.hostname or "", "base_path": parts.path})


@router.page(urls.REASONS, permission=Permission.READ, needs_database=False)
def show_reasons(_request: Request) -> HtmlPage:
    """Show the causes of decisions that are not yes, each with a section that answers link to."""
    sections = [(cause.value, description) for cause, description in DESCRIPTIONS.items()]
    return HtmlPage("causes.html", {"sections": sections})


@router.page(urls.DOC, permission=Permission.READ, needs_database=False)
def show_relation(request: Request, relation: str) -> HtmlPage:
    """Show the documentation of a link relation, with the operations at its URL."""
    meaning = relations.find_meaning(relation, request.option("context"))
    document = _build_document(request.settings)
    operations = reading.list_operations(document, meaning.url.template) if meaning and meaning.url else []
    return HtmlPage("relation.html", {"relation": relation, "meaning": meaning, "operations": operations})


_STATIC: Final = Path(__file__).parents[2] / "static"
_FILES: Final = {path.name: path.read_bytes() for path in _STATIC.iterdir()}
_MEDIA_TYPES: Final = {".css": CSS, ".js": "text/javascript"}


@router.get(urls.STATIC, permission=Permission.SIGN_IN, produces=(), needs_database=False)
def get_static(_request: Request, name: str) -> RawBody:
    """Return a style sheet or script of the pages."""
    if name not in _FILES:
        raise NotFound
    return RawBody(_FILES[name], _MEDIA_TYPES[Path(name).suffix], {"cache-control": "public, max-age=3600"})
