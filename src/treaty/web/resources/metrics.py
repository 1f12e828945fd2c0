"""Metrics: how much the broker holds."""

from treaty.model.metrics import Metrics
from treaty.store import metrics
from treaty.web import urls
from treaty.web.represent import metrics as _represented  # noqa: F401 - registers how metrics look
from treaty.web.routing import Call, Permission, Router

router = Router()


@router.get(urls.METRICS, permission=Permission.READ, is_slow=True)
def show_metrics(call: Call) -> Metrics:
    """Count everything that the broker holds."""
    return metrics.read(call.db)
