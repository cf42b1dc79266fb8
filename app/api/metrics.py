"""Figures for Prometheus, at /metrics: those of this process, or of all that `serve` started."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app.api.authentication import require
from app.api.deps import read_clock
from app.domain.permissions import Scope
from app.services import health

# Where processes that were started together keep their figures; set by whoever starts them.
SHARED_FIGURES = "PROMETHEUS_MULTIPROC_DIR"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Queue(Collector):
    """What waits in the database, which is nobody's own."""

    waiting: health.Waiting

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """As Prometheus reads it."""
        found = self.waiting
        for name, text, figure in (
            ("queue_depth", "Plans that wait for a worker.", found.plans),
            ("deliveries_waiting", "Messages that wait for a webhook.", found.deliveries),
            (
                "deliveries_oldest_seconds",
                "How long the first of these has waited.",
                found.oldest.total_seconds(),
            ),
            ("webhooks_failing", "Webhooks which the last message did not reach.", found.failing),
        ):
            yield GaugeMetricFamily(f"regimen_{name}", text, figure)


@router.get("/metrics")
async def read_metrics(request: Request) -> Response:
    """What operators watch. It holds no patient data; still, no stranger reads it."""
    require(Scope.METRICS_READ, request)
    state = request.app.state
    state.watch.look()
    queue = CollectorRegistry()
    queue.register(_Queue(await health.count_waiting_work(state.database, read_clock())))
    text = generate_latest(_figures(state.figures)) + generate_latest(queue)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _figures(own: CollectorRegistry) -> CollectorRegistry:
    folder = os.environ.get(SHARED_FIGURES)
    if not folder:
        return own
    forget_ended(Path(folder))
    everybodys = CollectorRegistry()
    MultiProcessCollector(everybodys)  # type: ignore[no-untyped-call] # the package has no types here
    return everybodys


def forget_ended(folder: Path) -> None:
    """Leave out what processes were doing when they ended; what they counted stays."""
    for file in folder.glob("gauge_live*.db"):
        process_id = int(file.stem.rpartition("_")[2])
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            mark_process_dead(process_id, str(folder))  # type: ignore[no-untyped-call] # as above
