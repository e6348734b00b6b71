"""Figures of the service in Prometheus' text format (version 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class Metrics:
    """Counts of one process."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.samples = 0
        self.batches = 0
        self.seconds = 0.0
        self.within = [0] * (len(BOUNDS) + 1)
        self.gauges: dict[str, Callable[[], float]] = {}

    def answered(self, path: str, status: int, seconds: float) -> None:
        """A request has been answered."""
        self.requests[path, status] += 1
        self.seconds += seconds
        self.within[bisect_left(BOUNDS, seconds)] += 1

    def computed(self, samples: int) -> None:
        """A batch has gone through the network."""
        self.batches += 1
        self.samples += samples

    def text(self) -> str:
        """Everything, as it is scraped."""
        lines = ["# TYPE headstart_requests_total counter"]
        for (path, status), count in sorted(self.requests.items()):
            lines.append(f'headstart_requests_total{{path="{path}",status="{status}"}} {count}')
        for name, value in (("samples", self.samples), ("batches", self.batches)):
            lines += [
                f"# TYPE headstart_{name}_total counter",
                f"headstart_{name}_total {value}",
            ]
        lines.append("# TYPE headstart_request_seconds histogram")
        total = 0
        for bound, count in zip((*BOUNDS, "+Inf"), self.within, strict=True):
            total += count
            lines.append(f'headstart_request_seconds_bucket{{le="{bound}"}} {total}')
        lines.append(f"headstart_request_seconds_sum {self.seconds:.6f}")
        lines.append(f"headstart_request_seconds_count {total}")
        for name, read in self.gauges.items():
            lines += [f"# TYPE headstart_{name} gauge", f"headstart_{name} {read():g}"]
        return "\n".join(lines) + "\n"
