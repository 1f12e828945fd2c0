"""The guide of this release at `/docs/guide`, which needs no internet."""

import posixpath
from typing import Final

from treaty.errors import NotFound
from treaty.spelling import find_similar_names
from treaty.web import urls
from treaty.web.guide import contents, search
from treaty.web.guide.rendering import ROOT, Document, render
from treaty.web.http.media_types import SVG
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage, RawBody
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.security.permissions import Permission

router = Router()

# A page names its visitor, so no shared cache may store it. Browsers may, and revalidate it by its ETag.
_HEADERS: Final = {"cache-control": "private, no-cache"}

_MEDIA_TYPES: Final = {".svg": SVG, ".png": "image/png"}


@router.page(urls.GUIDE, permission=Permission.READ, needs_database=False)
def show_guide(request: Request) -> object:
    """Show the table of contents, or the sections that match some words."""
    query = (request.option("q") or "").strip()
    # The first search of a process renders all pages, which would block other requests for too long.
    return AfterCommit(lambda: _show_hits(query)) if query else _show("")


@router.page(urls.GUIDE_PAGE, permission=Permission.READ, needs_database=False)
def show_guide_page(request: Request, page: str) -> object:
    """Show a page."""
    return _show_or_redirect(request, page)


@router.page(urls.GUIDE_SUBPAGE, permission=Permission.READ, needs_database=False)
def show_guide_subpage(request: Request, folder: str, page: str) -> object:
    """Show a page of a folder, such as a design decision."""
    return _show_or_redirect(request, f"{folder}/{page}")


@router.page(urls.GUIDE_IMAGE, permission=Permission.READ, needs_database=False, is_for_any_media_type=True)
def show_guide_image(request: Request, name: str) -> RawBody:
    """Return an image of a page."""
    # The router takes the extension from the last name of a path.
    image = contents.list_images().get(posixpath.basename(request.path))
    if image is None:
        raise NotFound(f"The documentation has no image {name}.")
    return RawBody(image.file.read_bytes(), _MEDIA_TYPES[image.file.suffix], {"cache-control": "public, max-age=3600"})


def _show_or_redirect(request: Request, path: str) -> object:
    """Show a page, also under the name of its file."""
    page = posixpath.join(posixpath.dirname(path), "") if posixpath.basename(path) == "README.md" else path
    page = page.removesuffix(".md").rstrip("/")
    return _show(page) if page == path else redirect(request, "/".join(filter(None, (urls.GUIDE.fill(), page))))


def _show(path: str) -> HtmlPage:
    if path not in contents.list_files():
        return _show_missing(path)
    document = render(path)
    before, after = contents.find_neighbors(path)
    context = {"document": document, "root": ROOT, "before": before, "after": after}
    return HtmlPage("guide.html", {**context, **_describe_contents(path, document)}, headers=_HEADERS)


def _show_hits(query: str) -> HtmlPage:
    hits = search.find(query)
    context = {"hits": hits, "max_hits": search.MAX_HITS, **_describe_contents(None)}
    return HtmlPage("guide_search.html", {**context, "query": query}, headers=_HEADERS)


def _show_missing(path: str) -> HtmlPage:
    """Show which pages are named similarly, or that this installation has none."""
    similar = find_similar_names(path, [file for file in contents.list_files() if file])
    titles = {file: render(file).title for file in similar}
    context = {"missing": path, "similar": titles, "is_installed": contents.find_folder() is not None}
    return HtmlPage("guide_missing.html", {**context, **_describe_contents(None)}, 404)


def _describe_contents(path: str | None, document: Document | None = None) -> dict[str, object]:
    """Return what the table of contents beside a page needs: the page itself has its sections there."""
    outline = document.outline if document else ()
    return {"groups": contents.list_groups(), "current": path, "outline": outline, "query": ""}
