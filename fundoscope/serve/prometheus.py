"""What the server did and does, for Prometheus: counts, times, queues; no word of anyone's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fundoscope.errors import MissingExtra
from fundoscope.serve.queueing import Lane
from fundoscope.serve.workers import Looking

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ROUTES = frozenset(
    {"/v1/chat/completions", "/v1/models", "/v1/perceive", "/v1/measure", "/v1/describe"}
    | {"/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"}
)
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Counts of one server, in a registry of its own."""

    def __init__(self, looking: Looking, lane: Lane, in_hand_bytes: Callable[[], int]) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Histogram
        except ImportError as problem:
            raise MissingExtra("metrics", mend="pip install 'fundoscope[serve]'") from problem
        self._looking, self._lane, self._in_hand_bytes = looking, lane, in_hand_bytes
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "fundoscope_requests", "Requests answered.", ("route", "status"),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "fundoscope_request_seconds", "From a request's head to its answer's end.",
            ("route",), buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._registry.register(_States(self._states))

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request; a path that is not ours is `other`, so that the names stay few."""
        route = route if route in ROUTES else "other"
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all metrics as Prometheus reads them."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    def _states(self) -> Iterator[Metric]:
        from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

        counts = self._looking.counts
        photographs = CounterMetricFamily(
            "fundoscope_photographs", "Photographs, by what became of them.", labels=["fate"]
        )
        photographs.add_metric(["looked_at"], counts.looked)
        photographs.add_metric(["found_again"], counts.found_again)
        photographs.add_metric(["refused_busy"], counts.refused)
        yield photographs
        yield CounterMetricFamily(
            "fundoscope_workers_ended", "Processes that died or were ended.", value=counts.ended
        )
        for name, said, value in (
            ("photographs_waiting", "Photographs that wait for a process.", self._looking.waiting),
            ("photographs_running", "Photographs being looked at.", self._looking.running),
            ("answers_in_hand", "Answers being composed, or waiting.", self._lane.inside),
            ("bodies_bytes", "Bytes of requests in hand.", self._in_hand_bytes()),
            ("ready", "1 when photographs can be looked at.", self._looking.ready),
        ):
            yield GaugeMetricFamily(f"fundoscope_{name}", said, value=float(value))


class _States:
    """What is asked when the metrics are read, not counted when it happens."""

    def __init__(self, states: Callable[[], Iterator[Metric]]) -> None:
        self._states = states

    def collect(self) -> Iterator[Metric]:
        return self._states()
