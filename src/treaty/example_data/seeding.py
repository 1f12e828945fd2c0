"""Writes the example shop, by the same actions as requests, at times in the past."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection

from treaty.actions.decisions.overrides import OverrideDraft, OverrideLimits, create_override
from treaty.actions.decisions.records import record_decision
from treaty.actions.deployments import add_environment, end_support, record_deployment, record_release
from treaty.actions.pacticipants.pacticipants import add_label, save_description
from treaty.actions.pacts.publications import publish_contracts
from treaty.actions.provider_contracts.contracts import publish_provider_contracts
from treaty.actions.verifications import publish_verification
from treaty.actions.versions import versions
from treaty.actions.webhooks.deliveries import build_request, claim, record_attempt
from treaty.actions.webhooks.notices import report_overdue
from treaty.actions.webhooks.webhooks import WebhookDraft, create_webhook
from treaty.example_data import pacts as shop_pacts
from treaty.example_data.shop import (
    APPLICATIONS,
    ENVIRONMENTS,
    HISTORY,
    PRODUCTION,
    RELEASED,
    TAGGED,
    TEST,
    Build,
    EndOfSupport,
    Exemption,
    Retry,
)
from treaty.model.audit import Actor
from treaty.model.decisions.metadata import Metadata
from treaty.model.decisions.queries import Destination, LatestBy, MatrixQuery
from treaty.model.decisions.selectors import Selector
from treaty.model.deployments import Deployment, Environment, EnvironmentDraft, Release, ReleasedVersion
from treaty.model.pacts import content, documents
from treaty.model.pacts.pacts import Contract, ContractBatch, PactKey
from treaty.model.provider_contracts.contracts import NewContracts, NewSelfVerification
from treaty.model.provider_contracts.reading import read_contract
from treaty.model.verifications.verifications import NewVerification
from treaty.model.webhooks.deliveries import Attempt, Delivery, NoResponse, WebhookResponse
from treaty.model.webhooks.events import CONTRACT_REQUIRING_VERIFICATION_PUBLISHED, PROVIDER_VERIFICATION_FAILED
from treaty.model.webhooks.webhooks import PacticipantMatcher, WebhookFilters
from treaty.settings import Settings
from treaty.store import audit, deployments
from treaty.store.engine.vault import get_vault
from treaty.store.pacticipants import pacticipants
from treaty.store.pacts import pacts
from treaty.store.webhooks import notices
from treaty.store.webhooks.due_deliveries import ClaimRequest
from treaty.web.api.decisions.matrix import decide_query, load_checked_names
from treaty.web.api.decisions.recording import Answered, build_draft, list_versions
from treaty.web.parameter_urls import PARAMETER_URLS

_FOUNDED_DAYS: Final = 29.9
"""Days before the start at which the environments and webhooks were created."""
_VERIFIED_AFTER: Final = timedelta(minutes=6)
_DEPLOYED_AFTER: Final = {TEST: timedelta(minutes=20), "staging": timedelta(hours=1), PRODUCTION: timedelta(hours=2)}
_CI_HOST: Final = "ci.shop.example"
_CHAT_HOST: Final = "chat.shop.example"
_CLIENT: Final = "pact-broker-client"


def add_example_data(db: Connection, *, now: datetime, settings: Settings) -> bool:
    """Add the example data, and return whether it was added.

    Only an empty database, without pacticipants and environments, gets it: users must not find it among their own data.
    """
    pacticipants.lock_all(db)  # another server may start at the same time
    if pacticipants.list_names(db) or deployments.list_all(db):
        return False
    shop = _Shop(db, now, _show_responses(settings))
    shop.create_organization()
    # In the order of time: a pipeline takes hours, in which others go on.
    for at, step in sorted(_plan(shop), key=lambda planned: planned[0]):
        step(at)
    return True


def _show_responses(settings: Settings) -> Settings:
    """Return settings under which the logs of deliveries show the responses, which are hidden from a default server.

    They are made up, so they reveal nothing about the network.
    """
    return replace(settings, webhook_host_whitelist=(_CI_HOST, _CHAT_HOST))


Step = Callable[[datetime], None]


def _plan(shop: "_Shop") -> Iterator[tuple[datetime, Step]]:
    for entry in HISTORY:
        start = shop.now - timedelta(days=entry.days)
        match entry:
            case Build():
                yield start, partial(shop.publish, entry)
                yield start + _VERIFIED_AFTER, partial(shop.verify, entry)
                yield from _plan_deployments(shop, start, entry, entry.deploys_to)
                if entry.unverified and shop.settings.verification_overdue_after:
                    yield start + shop.settings.verification_overdue_after, partial(shop.report_overdue, entry)
            case Retry():
                yield from _plan_deployments(shop, start, entry, entry.environments)
            case Exemption():
                yield start, partial(shop.override, entry)
            case EndOfSupport():
                yield start, partial(shop.end_support, entry)


def _plan_deployments(
    shop: "_Shop", start: datetime, entry: Build | Retry, environments: Iterable[str]
) -> Iterator[tuple[datetime, Step]]:
    for name in environments:
        at = start + _DEPLOYED_AFTER[name]
        # A build that is younger than its pipeline has not got that far.
        if at < shop.now:
            yield at, partial(shop.deploy, entry, name)


@dataclass(slots=True)
class _Shop:
    """The state of the shop while its history is written."""

    db: Connection
    now: datetime
    settings: Settings
    heads: dict[str, str] = field(default_factory=dict)
    """The newest version of each main branch."""
    revisions: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    """The revisions of the pacts of each consumer version, by provider."""
    honoured: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    """The latest revision that each provider version satisfies, by consumer; 1 if it is not listed."""
    broken: set[tuple[shop_pacts.Pair, str]] = field(default_factory=set)
    """Pairs, and the provider versions that satisfy no revision of their pact."""
    environments: dict[str, Environment] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    """Versions whose pipeline a no has stopped."""

    @property
    def base_url(self) -> str:
        return self.settings.base_urls[0] if self.settings.base_urls else f"http://127.0.0.1:{self.settings.port}"

    def create_organization(self) -> None:
        """Add the applications, environments and webhooks."""
        at = self.now - timedelta(days=_FOUNDED_DAYS)
        with self._acting_as("platform-team", at):
            for application in APPLICATIONS:
                contacts = _contacts(application.team, application.chat)
                save_description(self.db, application.name, {"contacts": contacts, "main_branch": "main"}, now=at)
                for label in application.labels:
                    add_label(self.db, application.name, label, now=at)
            for number, name in enumerate(ENVIRONMENTS):
                # Pages show environments in the order of their creation.
                created_at = at + timedelta(minutes=number)
                self.environments[name] = add_environment(self.db, _draft_environment(name), now=created_at)
            for draft in _draft_webhooks():
                create_webhook(self.db, draft, vault=get_vault(self.settings), now=at)

    def publish(self, build: Build, at: datetime) -> None:
        """Publish the pacts of a build, and its contract as a provider."""
        name, version = build.application, build.version
        former = self.revisions.get((name, self.heads.get(name, "")), {})
        expected = self.revisions[name, version] = {**former, **build.expects}
        self.honoured[name, version] = {**self.honoured.get((name, self.heads.get(name, "")), {}), **build.honours}
        self.broken |= {((consumer, name), version) for consumer in build.breaks}
        with self._acting_as(_ci_user(name), at):
            contracts = tuple(_contract((name, provider), version, number) for provider, number in expected.items())
            tags = (build.branch,) if name in TAGGED else ()
            batch = ContractBatch(
                pacticipant=name, version=version, branch=build.branch, tags=tags, build_url=None, contracts=contracts
            )
            publish_contracts(self.db, batch, base_url=self.base_url, now=at, settings=self.settings)
            if build.has_contract:
                self._publish_document(build, at)
        if build.branch == "main":
            self.heads[name] = version
        self._deliver(at)

    def _publish_document(self, build: Build, at: datetime) -> None:
        result = NewSelfVerification(
            success=True,
            content=b"3 operations, 300 requests, no failures",
            content_type="text/plain",
            format="text",
            verifier="schemathesis",
            verifier_version=None,
        )
        source = shop_pacts.PRICES_DOCUMENT.encode()
        contract = read_contract(
            source,
            name="",
            specification="oas",
            content_type="application/yaml",
            self_verification=result,
            max_bytes=len(source),
        )
        new = NewContracts(
            provider=build.application,
            version=build.version,
            branch=build.branch,
            tags=(),
            build_url=None,
            contracts=(contract,),
        )
        publish_provider_contracts(self.db, new, base_url=self.base_url, now=at, settings=self.settings)

    def verify(self, build: Build, at: datetime) -> None:
        """Verify the pacts of the build's consumers with it, and its own pacts with its providers."""
        for consumer, provider in shop_pacts.PACTS:
            if provider == build.application:
                for consumer_version in self._versions_in_use(consumer):
                    self._verify((consumer, provider), consumer_version, build.version, at)
        for provider in self.revisions[build.application, build.version]:
            if provider not in build.unverified:
                for provider_version in self._versions_in_use(provider):
                    self._verify((build.application, provider), build.version, provider_version, at)
        self._deliver(at)

    def _versions_in_use(self, name: str) -> list[str]:
        """List the head of the main branch, and the versions that are deployed or released."""
        head = self.heads.get(name)
        deployed = [deployed.version for deployed in deployments.list_running_of_pacticipant(self.db, name)]
        released = [released.version for released in self._list_supported(name)]
        return list(dict.fromkeys([*([head] if head else []), *deployed, *released]))

    def _list_supported(self, name: str) -> list[ReleasedVersion]:
        uuid = self.environments[PRODUCTION].uuid
        return deployments.list_supported_in_environment(self.db, uuid, pacticipant=name)

    def _verify(self, pair: tuple[str, str], consumer_version: str, provider_version: str, at: datetime) -> None:
        consumer, provider = pair
        revision = self.revisions[consumer, consumer_version][provider]
        honoured = self.honoured[provider, provider_version].get(consumer, 1)
        success = revision <= honoured and (pair, provider_version) not in self.broken
        published = pacts.find(self.db, PactKey(consumer=consumer, version=consumer_version, provider=provider))
        assert published is not None  # noqa: S101 - every build publishes its pacts first
        result = NewVerification(
            consumer=consumer,
            provider=provider,
            sha=published.pact.sha,
            provider_version=provider_version,
            success=success,
            build_url=None,
            verified_at=at,
            verified_by=json.dumps({"implementation": "pact-python", "version": "3.2.1"}),
            test_results=json.dumps(_test_results(pair, revision, success=success)),
            is_wip=False,
            was_pending=not success and consumer_version != self.heads.get(consumer),
            metadata=None,
            created_at=at,
        )
        with self._acting_as(_ci_user(provider), at):
            publish_verification(
                self.db, result, published.pact, Metadata(), base_url=self.base_url, settings=self.settings
            )
            locked = versions.ensure_pacticipants(self.db, [provider], now=at)[provider]
            versions.put_on_branch(self.db, locked, "main", provider_version, now=at, settings=self.settings)

    def override(self, exemption: Exemption, at: datetime) -> None:
        """Override the answers about a version."""
        limits = OverrideLimits(
            default=self.settings.override_default_duration, maximum=self.settings.override_max_duration
        )
        user = "release-manager"
        with self._acting_as(user, at):
            for name in exemption.environments:
                draft = OverrideDraft(
                    pacticipant=exemption.application,
                    version=exemption.version,
                    environment=name,
                    reason=exemption.reason,
                )
                create_override(self.db, draft, limits=limits, by=user, now=at)

    def deploy(self, entry: Build | Retry, environment: str, at: datetime) -> None:
        """Ask whether a version can be deployed, and deploy it after a yes. Deployments to test are not asked about."""
        if isinstance(entry, Build) and entry.version in self.stopped:
            return
        with self._acting_as(_ci_user(entry.application), at):
            if environment != TEST and not self._decide(entry, environment, at):
                self.stopped.add(entry.version)
                return
            uuid = self.environments[environment].uuid
            if environment == PRODUCTION and entry.application in RELEASED:
                release = Release(pacticipant=entry.application, version=entry.version, environment=uuid)
                record_release(self.db, release, now=at)
            else:
                deployment = Deployment(pacticipant=entry.application, version=entry.version, environment=uuid)
                record_deployment(self.db, deployment, now=at)

    def _decide(self, entry: Build | Retry, environment: str, at: datetime) -> bool:
        selector = Selector(pacticipant=entry.application, version=entry.version)
        query = MatrixQuery(
            selectors=(selector,),
            ignore=(),
            destination=Destination(environment=environment),
            latest_by=LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION,
            limit=100,
        )
        decided = decide_query(self.db, query, load_checked_names(self.db, query), now=at)
        question = {
            "environment": environment,
            "selectors": [{"pacticipant": entry.application, "version": entry.version}],
        }
        answered = Answered(environment, question, list_versions(decided.specified), decided.matrix)
        actor = Actor(user=_ci_user(entry.application), user_agent=_CLIENT)
        draft = build_draft(answered, self.environments[environment], actor)
        return record_decision(self.db, draft, now=at).deployable is True

    def report_overdue(self, build: Build, at: datetime) -> None:
        """Report the missing results of a build's pacts, as the server does at this time."""
        published = notices.list_published(self.db, after=self.now - timedelta(days=build.days + 1), until=at)
        with audit.acting_as(Actor(credential_name="worker"), at=at):
            for pact in published:
                if (pact.consumer, pact.version) == (build.application, build.version):
                    report_overdue(self.db, pact, base_url=self.base_url, now=at)

    def end_support(self, ended: EndOfSupport, at: datetime) -> None:
        """End the support of a release."""
        with self._acting_as(_ci_user(ended.application), at):
            for released in self._list_supported(ended.application):
                if released.version == ended.version:
                    end_support(self.db, released.uuid, now=at)

    def _deliver(self, at: datetime) -> None:
        """Record the attempts to send what an event has queued. Nothing is sent, neither now nor later."""
        for delay in (timedelta(0), *self.settings.webhook_retry_schedule):
            at += delay + timedelta(seconds=1)
            request = ClaimRequest(owner="example data", now=at, until=at + timedelta(seconds=10), limit=100)
            with audit.acting_as(Actor(credential_name="worker"), at=at):
                for delivery in claim(self.db, request):
                    attempt = self._build_attempt(delivery, at)
                    record_attempt(self.db, delivery, attempt, owner=request.owner, jitter=1.0, settings=self.settings)

    def _build_attempt(self, delivery: Delivery, at: datetime) -> Attempt:
        request = build_request(delivery, settings=self.settings, parameter_urls=PARAMETER_URLS, at=at)
        outcome: WebhookResponse | NoResponse = WebhookResponse(
            status=201,
            reason="Created",
            headers=(("content-type", "application/json"),),
            body=b'{"status": "queued"}',
        )
        # The chat was moved, but its webhook was not changed.
        if _CHAT_HOST in request.url and self.now - at < timedelta(days=20):
            outcome = NoResponse("ConnectionRefusedError", f"{_CHAT_HOST}:443 refused the connection")
        return Attempt(request=request, outcome=outcome, started_at=at, finished_at=at + timedelta(milliseconds=84))

    @contextmanager
    def _acting_as(self, user: str, at: datetime) -> Iterator[None]:
        with audit.acting_as(Actor(user=user, credential_name="example data"), at=at):
            yield


def _ci_user(application: str) -> str:
    return f"{application.lower().replace(' ', '-')}-ci"


def _contacts(name: str, chat: str) -> str:
    return json.dumps([{"name": name, "details": {"chat": chat}}])


def _draft_environment(name: str) -> EnvironmentDraft:
    return EnvironmentDraft(
        name=name,
        display_name=None,
        is_production=name == PRODUCTION,
        contacts=_contacts("Team Platform", "#platform"),
        records_decisions=name != TEST,
    )


def _draft_webhooks() -> Iterable[WebhookDraft]:
    for description, provider, url, body, event in (
        (
            "Start the verification build of Orders",
            "Orders",
            f"https://{_CI_HOST}/orders/verify",
            {"pact": "${pactbroker.pactUrl}", "commit": "${pactbroker.providerVersionNumber}"},
            CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
        ),
        (
            "Tell the chat of Team Checkout about failures",
            "Payments",
            f"https://{_CHAT_HOST}/hooks/checkout",
            {"text": "Payments does not satisfy ${pactbroker.consumerName}: ${pactbroker.verificationResultUrl}"},
            PROVIDER_VERIFICATION_FAILED,
        ),
    ):
        yield WebhookDraft(
            description=description,
            provider=PacticipantMatcher(name=provider),
            method="POST",
            url=url,
            headers={"content-type": "application/json"},
            body=body,
            events=(event,),
            filters=WebhookFilters(),
        )


def _contract(pair: tuple[str, str], version: str, revision: int) -> Contract:
    consumer, provider = pair
    document = documents.parse_document(json.dumps(shop_pacts.build_document(pair, revision)).encode())
    return Contract(
        consumer=consumer,
        version=version,
        provider=provider,
        document=document,
        content=content.build_content(document),
        allows_similar_names=True,
    )


def _test_results(pair: tuple[str, str], revision: int, *, success: bool) -> Mapping[str, Sequence[object]]:
    state = shop_pacts.PACTS[pair][revision - 1]
    mismatches = {} if success else state.mismatches
    return {
        "tests": [
            {
                "interactionDescription": interaction["description"],
                "success": interaction["description"] not in mismatches,
                "mismatches": list(mismatches.get(interaction["description"], ())),
            }
            for interaction in state.interactions
        ]
    }
