"""Metrics: how much the broker holds, and how it fares."""

from treaty.model.maintenance.metrics import Metrics
from treaty.store.maintenance import metrics
from treaty.web import urls
from treaty.web.api.maintenance import metrics_representation as _represented  # noqa: F401 - registers how metrics look
from treaty.web.http.media_types import PROMETHEUS
from treaty.web.routing import Call, Permission, Ready, Router

router = Router()


@router.get(urls.METRICS, permission=Permission.READ, is_slow=True)
def show_metrics(call: Call) -> Metrics:
    """Count everything that the broker holds."""
    return metrics.read(call.db)


@router.get(urls.PROMETHEUS, permission=Permission.READ, produces=(), is_slow=True)
def show_prometheus(call: Call) -> Ready:
    """Say what this server has counted about itself, in Prometheus's format."""
    return Ready(call.telemetry.text(metrics.queue(call.db, now=call.now)), PROMETHEUS)
