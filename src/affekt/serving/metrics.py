"""What is counted of a service, for Prometheus: never a text, never a key."""

import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
SHARED = "PROMETHEUS_MULTIPROC_DIR"  # where several workers write; read by prometheus_client at import

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The figures of one worker."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "affekt_requests_total", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self.seconds = Histogram(
            "affekt_request_seconds",
            "From the head of a request to its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.refusals = Counter("affekt_refusals_total", "Requests refused.", ("reason",), registry=registry)
        self.texts = Counter("affekt_texts_total", "Texts answered.", registry=registry)
        self.tokens = Counter(
            "affekt_tokens_total", "Tokens worked on, estimated, without padding.", registry=registry
        )
        self.cached = Counter(
            "affekt_cached_texts_total", "Texts answered from the cache.", registry=registry
        )
        self.queue = Gauge(
            "affekt_queue_texts",
            "Texts accepted and not yet answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.ready = Gauge(
            "affekt_ready",
            "Whether requests are answered.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.batch_texts = Histogram(
            "affekt_batch_texts", "Texts of a batch.", buckets=_SIZES, registry=registry
        )
        self.batch_seconds = Histogram(
            "affekt_batch_seconds", "Work on a batch.", buckets=_SECONDS, registry=registry
        )

    def batch(self, tokens: Iterable[int], seconds: float) -> None:
        """Count a batch whose texts have so many tokens each."""
        counted = list(tokens)
        self.batch_texts.observe(len(counted))
        self.batch_seconds.observe(seconds)
        self.tokens.inc(sum(counted))

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request by its route, which is one of ours and never a path that somebody made up."""
        self.requests.labels(route, method, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def exposed(self) -> bytes:
        """Return all figures in Prometheus' text format, those of all workers together."""
        if not os.environ.get(SHARED):
            return bytes(generate_latest(self.registry))
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return bytes(generate_latest(together))
