"""What the API counts and measures, for Prometheus. Reads live objects when asked; keeps no state of its own tasks."""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Numbers:
    """One registry a process, so that two APIs in one test do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "opsledger_http_requests", "Requests by route.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "opsledger_http_seconds", "Time to answer.", ["method", "route"], buckets=_SECONDS, registry=self.registry
        )
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (method, route, status)
        found = self._children.get(key)
        if found is None:
            found = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._children[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def watch(self, source: Callable[[], Iterator[Metric]]) -> None:
        """Ask `source` for its numbers whenever somebody reads them."""
        self.registry.register(_Live(source))

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)


class _Live(Collector):
    def __init__(self, source: Callable[[], Iterator[Metric]]) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        return self._source()


def counter(name: str, text: str, value: float) -> Metric:
    """Return one total."""
    return CounterMetricFamily(f"opsledger_{name}", text, value=value)


def gauge(name: str, text: str, value: float) -> Metric:
    """Return one present value."""
    return GaugeMetricFamily(f"opsledger_{name}", text, value=value)
