"""Merging of a pact into the one that its version has published, and into stored content with the same hash."""

from dataclasses import replace

from sqlalchemy import Connection

from treaty.model.pacts.content import build_content, remove_broker_ids
from treaty.model.pacts.documents import Document, parse_document
from treaty.model.pacts.merging import has_same_metadata, merge_documents, unite_metadata
from treaty.model.pacts.pacts import Contract
from treaty.store.pacts import pacts, publications


def merge_contract(db: Connection, contract: Contract) -> Contract:
    """Merge a contract into the pact of its version, if there is one. Raises MergeConflict.

    The hash does not cover metadata, so the merged content may have the hash of a stored one without a plugin that
    the merged content needs. The stored content then gets it, too.
    """
    existing_pact = pacts.find(db, contract.key)
    if existing_pact is None:
        return contract
    merged = merge_documents(_parse_stored(existing_pact.body), contract.document, is_newer=True)
    merged_contract = replace(contract, document=merged, content=build_content(merged), is_merge=True)
    stored_body = publications.find_body(db, merged_contract)
    return merged_contract if stored_body is None else _unite_with_stored(db, merged_contract, stored_body)


def _unite_with_stored(db: Connection, contract: Contract, stored_body: bytes) -> Contract:
    stored = _parse_stored(stored_body)
    united = unite_metadata(stored, contract.document)
    united_contract = replace(contract, document=united, content=build_content(united))
    if not has_same_metadata(stored, united):
        publications.replace_body(db, united_contract)
    return united_contract


def _parse_stored(body: bytes) -> Document:
    # The broker's ids come off: they depend on the interaction, and are computed again for the merged content.
    return remove_broker_ids(parse_document(body))
