"""Metrics: how much the broker holds, and how it fares."""

from treaty.model.metrics import Metrics
from treaty.store import metrics
from treaty.web import urls
from treaty.web.media import PROMETHEUS
from treaty.web.represent import metrics as _represented  # noqa: F401 - registers how metrics look
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
