"""The index."""

from functools import lru_cache

from treaty.web import urls
from treaty.web.api.overview.index_representation import Index, index
from treaty.web.hal.documents import Place, rendered
from treaty.web.routing import Call, Permission, Ready, Router

router = Router()


@router.get(urls.INDEX, permission=Permission.READ, needs_database=False)
def get_index(call: Call) -> Ready:
    """Say where everything is."""
    shown = Index("disable_pacts_for_verification" not in call.settings.features)
    return Ready(_written(shown, call.base_url, call.hidden), call.media)


@lru_cache(maxsize=32)
def _written(shown: Index, base_url: str, hidden: frozenset[str]) -> bytes:
    return rendered(index(shown), Place(base_url, hidden=hidden))
