"""The index."""

from treaty.web import urls
from treaty.web.represent.index import Index
from treaty.web.routing import Call, Permission, Router

router = Router()


@router.get(urls.INDEX, permission=Permission.READ, needs_database=False)
def get_index(call: Call) -> Index:
    """Say where everything is."""
    return Index("disable_pacts_for_verification" not in call.settings.features)
