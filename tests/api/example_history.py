"""A small history for the examples of the OpenAPI document: an application, its provider, results and deployments."""

import json
from datetime import datetime, timedelta

from sqlalchemy import Connection

from treaty.actions.deployments import add_environment, record_deployment
from treaty.actions.pacts.publications import publish_contracts
from treaty.actions.verifications import publish_verification
from treaty.actions.versions import versions
from treaty.model.decisions.metadata import Metadata
from treaty.model.deployments import Deployment, Environment, EnvironmentDraft
from treaty.model.pacts import content, documents
from treaty.model.pacts.pacts import Contract, ContractBatch, PactKey
from treaty.model.verifications.verifications import NewVerification
from treaty.settings import Settings
from treaty.store.pacts import pacts

CONSUMER = "Example App"
PROVIDER = "Example API"


def add_example_history(db: Connection, *, now: datetime, settings: Settings) -> None:
    """Add the history to an empty database."""
    test, production = (_add_environment(db, name, now=now) for name in ("test", "production"))
    # The example shows one of each: a version in production, a verified one that can be deployed, and a failing one.
    yesterday = now - timedelta(days=1)
    _publish(db, "1.0.0", "main", 1, now=yesterday, settings=settings)
    _verify(db, "1.0.0", "2.4.0", success=True, now=yesterday, settings=settings)
    for environment in (test, production):
        _deploy(db, CONSUMER, "1.0.0", environment, now=yesterday)
        _deploy(db, PROVIDER, "2.4.0", environment, now=yesterday)
    _publish(db, "1.1.0", "main", 2, now=now, settings=settings)
    _verify(db, "1.1.0", "2.5.0", success=True, now=now, settings=settings)
    _deploy(db, PROVIDER, "2.5.0", test, now=now)
    _publish(db, "1.2.0-beta", "feat/discounts", 3, now=now, settings=settings)
    _verify(db, "1.2.0-beta", "2.5.0", success=False, now=now, settings=settings)


def _add_environment(db: Connection, name: str, *, now: datetime) -> Environment:
    draft = EnvironmentDraft(name=name, display_name=None, is_production=name == "production", contacts=None)
    return add_environment(db, draft, now=now)


def _publish(
    db: Connection, version: str, branch: str, interaction_count: int, *, now: datetime, settings: Settings
) -> None:
    document = documents.parse_document(json.dumps(_build_pact(interaction_count)).encode())
    contract = Contract(
        consumer=CONSUMER,
        version=version,
        provider=PROVIDER,
        document=document,
        content=content.build_content(document),
    )
    contracts = ContractBatch(
        pacticipant=CONSUMER,
        version=version,
        branch=branch,
        tags=(),
        build_url=None,
        contracts=(contract,),
    )
    publish_contracts(db, contracts, base_url="", now=now, settings=settings)


_INTERACTIONS = (
    (
        "a request for the price of a product",
        "/products/7/price",
        200,
        {"product": 7, "price": 12.5},
    ),
    ("a request for the price of an unknown product", "/products/0/price", 404, {"error": "unknown product"}),
    ("a request for a discount", "/products/7/discount", 200, {"product": 7, "percent": 10}),
)


def _build_pact(interaction_count: int) -> dict[str, object]:
    return {
        "consumer": {"name": CONSUMER},
        "provider": {"name": PROVIDER},
        "interactions": [
            {
                "description": description,
                "providerState": "product 7 is for sale",
                "request": {"method": "GET", "path": path},
                "response": {"status": status, "headers": {"Content-Type": "application/json"}, "body": body},
            }
            for description, path, status, body in _INTERACTIONS[:interaction_count]
        ],
        "metadata": {"pactSpecification": {"version": "2.0.0"}},
    }


def _verify(
    db: Connection, consumer_version: str, provider_version: str, *, success: bool, now: datetime, settings: Settings
) -> None:
    published = pacts.find(db, PactKey(consumer=CONSUMER, version=consumer_version, provider=PROVIDER))
    assert published is not None
    result = NewVerification(
        consumer=CONSUMER,
        provider=PROVIDER,
        sha=published.pact.sha,
        provider_version=provider_version,
        success=success,
        build_url=None,
        verified_at=now,
        verified_by=None,
        test_results=None,
        is_wip=False,
        was_pending=None,
        metadata=None,
        created_at=now,
    )
    publish_verification(db, result, published.pact, Metadata(), base_url="", settings=settings)
    provider = versions.ensure_pacticipants(db, [PROVIDER], now=now)[PROVIDER]
    versions.put_on_branch(db, provider, "main", provider_version, now=now, settings=settings)


def _deploy(db: Connection, pacticipant: str, version: str, environment: Environment, *, now: datetime) -> None:
    deployment = Deployment(pacticipant=pacticipant, version=version, environment=environment.uuid)
    record_deployment(db, deployment, now=now)
