"""Metrics: record counts of the broker, and counters of this server for Prometheus."""

from collections.abc import Mapping

from treaty.model.maintenance.metrics import Distribution, Metrics, PactSize, RecordCounts
from treaty.store.maintenance import metrics
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal
from treaty.web.http.media_types import PROMETHEUS
from treaty.web.http.request import Request
from treaty.web.http.results import RawBody
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


@router.get(urls.METRICS, permission=Permission.READ, is_slow=True)
def show_metrics(request: Request) -> Metrics:
    """Return the numbers of pacts, results, versions and other records, as the original broker does."""
    return metrics.load_metrics(request.db)


@router.get(urls.PROMETHEUS, permission=Permission.READ, produces=(), is_slow=True)
def show_prometheus(request: Request) -> RawBody:
    """Return the metrics of this server in Prometheus's text format."""
    queue = metrics.load_queue(request.db, now=request.now)
    return RawBody(request.server_metrics.render(queue), PROMETHEUS)


@represent.register
def metrics_document(broker_metrics: Metrics) -> Hal:
    counts = broker_metrics.counts
    return Hal(
        {
            "interactions": _pact_size(broker_metrics.latest),
            **_about_pacts(counts),
            "pactRevisionsPerConsumerVersion": _distribution(broker_metrics.revisions),
            "verificationResults": _results(counts),
            "verificationResultsPerPactVersion": _distribution(broker_metrics.results),
            "pacticipantVersions": _versions(counts),
            **_about_webhooks_and_tags(counts),
            # As in the original broker, which does not count the rows of the matrix.
            "matrix": {"count": -1},
            **_about_environments(counts),
        }
    )


def _pact_size(size: PactSize) -> Mapping[str, object]:
    return {
        "latestInteractionsCount": size.interactions,
        "latestMessagesCount": size.messages,
        "latestInteractionsAndMessagesCount": size.interactions + size.messages,
    }


def _distribution(distribution: Distribution) -> Mapping[str, object]:
    return {"distribution": {str(size): count for size, count in distribution.items()}}


def _about_pacts(counts: RecordCounts) -> Mapping[str, object]:
    return {
        "pacticipants": {"count": counts.pacticipants, "withMainBranchSetCount": counts.with_main_branch},
        "integrations": {"count": counts.integrations},
        "pactPublications": {
            "count": counts.publications,
            "first": counts.first_publication,
            "last": counts.last_publication,
        },
        "pactVersions": {"count": counts.contents},
    }


def _results(counts: RecordCounts) -> Mapping[str, object]:
    return {
        "count": counts.verifications,
        "successCount": counts.successes,
        "failureCount": counts.verifications - counts.successes,
        "distinctCount": counts.distinct_verifications,
        "first": counts.first_verification,
        "last": counts.last_verification,
    }


def _versions(counts: RecordCounts) -> Mapping[str, object]:
    return {
        "count": counts.versions,
        "withUserCreatedBranchCount": counts.with_user_created_branch,
        "withBranchCount": counts.with_branch,
        # The original broker returns this number under both names.
        "withBranchSetCount": counts.with_branch,
    }


def _about_webhooks_and_tags(counts: RecordCounts) -> Mapping[str, object]:
    return {
        "webhooks": {"count": counts.webhooks},
        "tags": {
            "count": counts.tags,
            "distinctCount": counts.distinct_tags,
            "distinctWithPacticipantCount": counts.distinct_tags_of_pacticipants,
        },
        "triggeredWebhooks": {"count": counts.triggered_webhooks},
        "webhookExecutions": {"count": counts.webhook_executions},
    }


def _about_environments(counts: RecordCounts) -> Mapping[str, object]:
    return {
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
    }
