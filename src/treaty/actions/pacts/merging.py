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
    existing = _parse_stored(existing_pact.body)
    merged = _replace_document(contract, merge_documents(existing, contract.document, is_newer=True))
    stored = existing if merged.content.sha == existing_pact.pact.sha else _find_stored(db, merged)
    return merged if stored is None else _unite_with_stored(db, merged, stored)


def _find_stored(db: Connection, contract: Contract) -> Document | None:
    body = publications.find_body(db, contract)
    return None if body is None else _parse_stored(body)


def _unite_with_stored(db: Connection, contract: Contract, stored: Document) -> Contract:
    united = unite_metadata(stored, contract.document)
    if has_same_metadata(stored, united):
        return contract
    united_contract = _replace_document(contract, united)
    publications.replace_body(db, united_contract)
    return united_contract


def _replace_document(contract: Contract, document: Document) -> Contract:
    return replace(contract, document=document, content=build_content(document), is_merge=True)


def _parse_stored(body: bytes) -> Document:
    # The broker's ids come off: they depend on the interaction, and are computed again for the merged content.
    return remove_broker_ids(parse_document(body))
