"""What describes the API: the OpenAPI document, its page, and a page for each link relation."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import with_config
from typing_extensions import TypedDict

from treaty.errors import NotFound
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
def get_openapi(call: Request) -> RawBody:
    """Describe this API as OpenAPI 3.1 has it."""
    # Not cached with the base URL: it comes from the request's headers, so that there may be any number.
    return RawBody(orjson.dumps({**_document(call.settings), "servers": [{"url": call.base_url}]}), JSON)


@lru_cache(maxsize=1)
def _document(settings: Settings) -> dict[str, Any]:
    endpoints = [endpoint for router in list_routers(settings) for endpoint in router.endpoints.values()]
    return openapi.build_document(endpoints)


@router.page(urls.DOCS, permission=Permission.READ, needs_database=False)
def show_api(call: Request) -> HtmlPage:
    """Show the whole API, or what of it has to do with some words."""
    wanted = call.option("q") or ""
    document = _document(call.settings)
    groups = reading.group_operations(document, wanted)
    samples = reading.list_examples(document, groups)
    return HtmlPage("docs.html", {"groups": groups, "samples": samples, "wanted": wanted})


@router.page(urls.DOC, permission=Permission.READ, needs_database=False)
def show_relation(call: Request, relation: str) -> HtmlPage:
    """Say what a link relation means."""
    said = relations.find_meaning(relation, call.option("context"))
    entries = reading.list_operations(_document(call.settings), said.url.template) if said and said.url else []
    return HtmlPage("relation.html", {"relation": relation, "said": said, "entries": entries})


_STATIC: Final = Path(__file__).parents[2] / "static"
_FILES: Final = {path.name: path.read_bytes() for path in _STATIC.iterdir()}
_MEDIA: Final = {".css": CSS, ".js": "text/javascript"}


@router.get(urls.STATIC, permission=Permission.SIGN_IN, produces=(), needs_database=False)
def get_static(_call: Request, name: str) -> RawBody:
    """Read a file that pages are made with."""
    if name not in _FILES:
        raise NotFound
    return RawBody(_FILES[name], _MEDIA[Path(name).suffix], {"cache-control": "public, max-age=3600"})
