"""A metric as it is declared, and the samples of one scrape."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec
from prometheus_client import Metric
from prometheus_client.registry import Collector

from server.tally import Durations

NO_LABELS: Mapping[str, str] = {}


class Kind(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Family(msgspec.Struct, frozen=True):
    """`name` as queries write it: a counter's ends with _total. `help` is a sentence without its full stop."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


class Samples(Collector):
    """What one scrape found. One thread fills it, then it is read."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric] = {}

    def add(self, family: Family, value: float, labels: Mapping[str, str] = NO_LABELS) -> None:
        """Samples of one thing share their `labels` object: it is written out once."""
        self._metric(family).add_sample(family.name, labels, +value)  # type: ignore[arg-type]

    def add_durations(self, family: Family, durations: Durations, labels: Mapping[str, str] = NO_LABELS) -> None:
        metric, so_far = self._metric(family), 0
        for bound, count in zip((*durations.bounds, float("inf")), durations.counts, strict=True):
            so_far += count
            le = "+Inf" if bound == float("inf") else f"{bound:g}"
            metric.add_sample(f"{family.name}_bucket", {**labels, "le": le}, so_far)
        metric.add_sample(f"{family.name}_count", labels, so_far)  # type: ignore[arg-type]
        metric.add_sample(f"{family.name}_sum", labels, durations.seconds)  # type: ignore[arg-type]

    def collect(self) -> Iterable[Metric]:
        return self._metrics.values()

    def _metric(self, family: Family) -> Metric:
        metric = self._metrics.get(family.name)
        if metric is None:
            metric = Metric(family.name.removesuffix("_total"), family.help, family.kind)
            self._metrics[family.name] = metric
        return metric
