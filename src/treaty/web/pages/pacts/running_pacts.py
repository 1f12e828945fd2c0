"""The pacts of a pair that run in environments, which a pact can be compared with."""

from typing import Final

from sqlalchemy import Connection

from treaty.model.overview.history import PairView, PublicationInHistory
from treaty.model.pacts.pacts import Pact
from treaty.model.paging import Page
from treaty.store.overview import history

_PAGE: Final = Page(1, 10)


def list_running_pacts(db: Connection, pact: Pact) -> list[PublicationInHistory]:
    """List the pacts of other consumer versions that run in an environment, those in production first."""
    publications = history.list_publications(db, pact.consumer, pact.provider, _PAGE, PairView.ENVIRONMENT).items
    others = [publication for publication in publications if publication.version != pact.version]
    return sorted(others, key=lambda publication: not is_in_production(publication))


def is_in_production(publication: PublicationInHistory) -> bool:
    return any(environment.is_production for environment in publication.version_summary.environments)
