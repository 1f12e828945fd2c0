"""The publication that a version of a consumer currently has for a provider."""

from typing import Final

from sqlalchemy import bindparam, select

from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.tables import publication, version

CURRENT_PUBLICATION_ID: Final = (
    select(publication.c.id)
    .join(version, version.c.id == publication.c.consumer_version_id)
    .where(
        version.c.pacticipant_id == select_pacticipant_id("consumer"),
        version.c.number == bindparam("consumer_version"),
        publication.c.provider_id == select_pacticipant_id("provider"),
        publication.c.is_current,
    )
)
"""Selects the newest publication of a consumer version for a provider, by their names."""
