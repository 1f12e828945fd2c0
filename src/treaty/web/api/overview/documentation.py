"""What describes the API: the OpenAPI document, its page, and a page for each link relation."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from treaty.errors import NotFound
from treaty.settings import Settings
from treaty.web import openapi, urls
from treaty.web.api.overview import relations
from treaty.web.http.media_types import CSS, JSON
from treaty.web.http.request import Call
from treaty.web.http.results import Page, Ready
from treaty.web.http.router import Router
from treaty.web.openapi import reading
from treaty.web.routers import every_router
from treaty.web.security.permissions import Permission

router = Router()


@router.get(urls.OPENAPI, permission=Permission.READ, produces=(), needs_database=False)
def get_openapi(call: Call) -> Ready:
    """Describe this API as OpenAPI 3.1 has it."""
    return Ready(_document(call.settings, call.base_url), JSON)


@lru_cache(maxsize=8)
def _document(settings: Settings, base_url: str) -> bytes:
    resources = [one for router in every_router(settings) for one in router.resources.values()]
    return orjson.dumps(openapi.document(resources, base_url))


@router.page(urls.DOCS, permission=Permission.READ, needs_database=False)
def show_api(call: Call) -> Page:
    """Show the whole API, or what of it has to do with some words."""
    wanted = call.option("q") or ""
    document = _read(call.settings)
    groups = reading.groups(document, wanted)
    samples = reading.samples(document, groups)
    return Page("docs.html", {"groups": groups, "samples": samples, "wanted": wanted})


@router.page(urls.DOC, permission=Permission.READ, needs_database=False)
def show_relation(call: Call, relation: str) -> Page:
    """Say what a link relation means."""
    said = relations.meaning(relation, call.option("context"))
    entries = reading.at_path(_read(call.settings), said.url.template) if said and said.url else []
    return Page("relation.html", {"relation": relation, "said": said, "entries": entries})


@lru_cache(maxsize=1)
def _read(settings: Settings) -> dict[str, Any]:
    read: dict[str, Any] = orjson.loads(_document(settings, ""))
    return read


_STATIC: Final = Path(__file__).parents[2] / "static"
_FILES: Final = {path.name: path.read_bytes() for path in _STATIC.iterdir()}
_MEDIA: Final = {".css": CSS, ".js": "text/javascript"}


@router.get(urls.STATIC, permission=Permission.SIGN_IN, produces=(), needs_database=False)
def get_static(_call: Call, name: str) -> Ready:
    """Read a file that pages are made with."""
    if name not in _FILES:
        raise NotFound
    return Ready(_FILES[name], _MEDIA[Path(name).suffix], {"cache-control": "public, max-age=3600"})
