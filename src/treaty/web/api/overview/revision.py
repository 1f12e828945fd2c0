"""The revision of all data. Pages ask for it while they are open, and load themselves again if it has changed."""

from datetime import datetime

from treaty.model.overview.revision import Revision
from treaty.store.overview.revision import load_revision
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import Omittable, SelfLinked
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


class RevisionDocument(SelfLinked):
    revision: str
    changedAt: Omittable[datetime]


@router.get(urls.REVISION, permission=Permission.READ, response=RevisionDocument)
def show_revision(request: Request) -> Revision:
    """Return a text that changes whenever anything is published, recorded, changed or delivered."""
    return load_revision(request.db)


@represent.register
def revision(current: Revision) -> Hal:
    state = {"revision": current.text, "changedAt": current.changed_at}
    return Hal(state, links={"self": Link(urls.REVISION.fill())})
