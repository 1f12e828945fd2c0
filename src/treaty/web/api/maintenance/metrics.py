"""Metrics: record counts of the broker, and counters of this server for Prometheus."""

from collections.abc import Mapping
from datetime import datetime

from typing_extensions import TypedDict

from treaty.model.maintenance.metrics import Distribution, Metrics
from treaty.store.maintenance import metrics
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal
from treaty.web.http.media_types import OPEN_METRICS, PROMETHEUS
from treaty.web.http.request import Request
from treaty.web.http.results import RawBody
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


class Count(TypedDict):
    count: int


class InteractionCounts(TypedDict):
    latestInteractionsCount: int
    latestMessagesCount: int
    latestInteractionsAndMessagesCount: int


class PacticipantCounts(Count):
    withMainBranchSetCount: int


class PublicationCounts(Count):
    first: datetime | None
    last: datetime | None


class VerificationCounts(PublicationCounts):
    successCount: int
    failureCount: int
    distinctCount: int


class DistributionDocument(TypedDict):
    distribution: Mapping[str, int]


class VersionCounts(Count):
    withUserCreatedBranchCount: int
    withBranchCount: int
    withBranchSetCount: int


class TagCounts(Count):
    distinctCount: int
    distinctWithPacticipantCount: int


class DeployedVersionCounts(Count):
    userCreatedCount: int
    currentlyDeployedCount: int


class ReleasedVersionCounts(Count):
    currentlySupportedCount: int


class MetricsDocument(TypedDict):
    interactions: InteractionCounts
    pacticipants: PacticipantCounts
    integrations: Count
    pactPublications: PublicationCounts
    pactVersions: Count
    pactRevisionsPerConsumerVersion: DistributionDocument
    verificationResults: VerificationCounts
    verificationResultsPerPactVersion: DistributionDocument
    pacticipantVersions: VersionCounts
    webhooks: Count
    tags: TagCounts
    triggeredWebhooks: Count
    webhookExecutions: Count
    matrix: Count
    environments: Count
    deployedVersions: DeployedVersionCounts
    releasedVersions: ReleasedVersionCounts
    providerContractPublications: Count
    providerContractVersions: Count
    providerContractSelfVerifications: Count
    crossContractComparisons: Count


@router.get(urls.METRICS, permission=Permission.READ, is_slow=True, response=MetricsDocument)
def show_metrics(request: Request) -> Metrics:
    """Return the numbers of pacts, results, versions and other records, as the original broker does."""
    return metrics.load_metrics(request.db)


@router.get(urls.PROMETHEUS, permission=Permission.READ, produces=(), is_slow=True)
def show_prometheus(request: Request) -> RawBody:
    """Return the metrics of this server in Prometheus's text format, or as OpenMetrics if the client accepts it."""
    is_open_metrics = OPEN_METRICS.partition(";")[0] in request.accept
    body = request.server_metrics.render(
        metrics.load_progress(request.db, now=request.now), is_open_metrics=is_open_metrics
    )
    return RawBody(body, OPEN_METRICS if is_open_metrics else PROMETHEUS)


@represent.register
def metrics_document(broker_metrics: Metrics) -> Hal:
    counts = broker_metrics.counts
    document: MetricsDocument = {
        "interactions": {
            "latestInteractionsCount": broker_metrics.latest.interactions,
            "latestMessagesCount": broker_metrics.latest.messages,
            "latestInteractionsAndMessagesCount": broker_metrics.latest.interactions + broker_metrics.latest.messages,
        },
        "pacticipants": {"count": counts.pacticipants, "withMainBranchSetCount": counts.with_main_branch},
        "integrations": {"count": counts.integrations},
        "pactPublications": {
            "count": counts.publications,
            "first": counts.first_publication,
            "last": counts.last_publication,
        },
        "pactVersions": {"count": counts.contents},
        "pactRevisionsPerConsumerVersion": _distribution(broker_metrics.revisions),
        "verificationResults": {
            "count": counts.verifications,
            "successCount": counts.successes,
            "failureCount": counts.verifications - counts.successes,
            "distinctCount": counts.distinct_verifications,
            "first": counts.first_verification,
            "last": counts.last_verification,
        },
        "verificationResultsPerPactVersion": _distribution(broker_metrics.results),
        "pacticipantVersions": {
            "count": counts.versions,
            "withUserCreatedBranchCount": counts.with_user_created_branch,
            "withBranchCount": counts.with_branch,
            # The original broker returns this number under both names.
            "withBranchSetCount": counts.with_branch,
        },
        "webhooks": {"count": counts.webhooks},
        "tags": {
            "count": counts.tags,
            "distinctCount": counts.distinct_tags,
            "distinctWithPacticipantCount": counts.distinct_tags_of_pacticipants,
        },
        "triggeredWebhooks": {"count": counts.triggered_webhooks},
        "webhookExecutions": {"count": counts.webhook_executions},
        # The original returns this too: counting the rows of the matrix would take too long.
        "matrix": {"count": -1},
        "environments": {"count": counts.environments},
        "deployedVersions": {
            "count": counts.deployed_versions,
            "userCreatedCount": counts.user_created_deployed_versions,
            "currentlyDeployedCount": counts.currently_deployed,
        },
        "releasedVersions": {
            "count": counts.released_versions,
            "currentlySupportedCount": counts.currently_supported,
        },
        "providerContractPublications": {"count": counts.provider_contract_publications},
        "providerContractVersions": {"count": counts.provider_contract_versions},
        "providerContractSelfVerifications": {"count": counts.provider_contract_self_verifications},
        "crossContractComparisons": {"count": counts.cross_contract_comparisons},
    }
    return Hal(document)


def _distribution(distribution: Distribution) -> DistributionDocument:
    return {"distribution": {str(size): count for size, count in distribution.items()}}
