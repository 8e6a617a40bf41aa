"""The server's numbers for Prometheus, in a registry of their own: one for each application.

Counters and histograms are fed when a request ends, a stream at its end; gauges are read when somebody asks.
https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from app.backend import Backend, PlanStatus, Status
from app.errors import ClientGone
from app.keys.terms import UNITS
from app.models import FAMILIES, Catalogue
from app.records.record import RequestSummary
from app.version import __version__
from app.watchdog import BUCKETS, Stalls

CONTENT_TYPE = CONTENT_TYPE_LATEST
PREFIX = "claude_proxy"
OTHER = "other"
# Families that every key may see.
OPEN_TO_ALL = (f"{PREFIX}_build", f"{PREFIX}_plan")
# Seconds.
FIRST_TOKEN = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 20, 30, 60)
DURATION = (0.05, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 600, 900)
WAIT = (0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)


class Metrics:
    """The instruments. Thread-safe; every label has few values, and none that a client can make up."""

    def __init__(self, backend: Backend, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._owners: dict[str | None, str] = {}  # who has a key's name
        self._registry = registry = CollectorRegistry()
        labels = ("route", "model", "status", "code", "key")

        def counter(name: str, text: str, *names: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, names, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *names: str) -> Histogram:
            return Histogram(f"{PREFIX}_{name}_seconds", text, names, buckets=buckets, registry=registry)

        self._requests = counter("requests", "Requests that have ended; streams at their end.", *labels)
        self._served = counter("turns", "Turns by the kind of process that answered.", "served")
        self._tokens = counter(
            "tokens", "Tokens as the API counts them; the kinds are disjoint.", "kind", "model", "key"
        )
        self._extra = counter("extra_usage_requests", "Answered requests that extra usage paid for.", "model", "key")
        self._heartbeats = counter("heartbeats", "Empty chunks sent to keep silent streams alive.")
        self._disconnects = counter("disconnects", "Clients that left before their answer was whole.", "route")
        self.usage_failures = counter("usage_write_failures", "Times that turns could not be written to the ledger.")
        self.usage_lost = counter("usage_lost", "Turns that never got into the ledger, since it could not be written.")
        self._first = histogram(
            "time_to_first_token", "From the request to its first token.", FIRST_TOKEN, "model", "served"
        )
        self._duration = histogram("request_duration", "From the request to its end.", DURATION, "route", "model")
        self._wait = histogram("queue_wait", "How long turns waited for a slot.", WAIT)
        self.stalls = Stalls()
        registry.register(_Backend(backend))
        registry.register(_Loop(self.stalls))
        ProcessCollector(registry=registry)

    def watch_budgets(self, told: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        """Tell from now on what is left of keys' budgets, each of which `told` gives when somebody asks."""
        self._registry.register(_Budgets(told))

    def observe(self, summary: RequestSummary) -> None:
        """Count a request that has ended."""
        key, model = summary.key or "", self._model(summary.model)
        self._begin_anew(key, summary.owner)
        self._requests.labels(summary.route, model, str(summary.status or ""), summary.code or "", key).inc()
        self._duration.labels(summary.route, model).observe(summary.ms / 1000)
        self._heartbeats.inc(summary.heartbeats)
        if summary.extra_usage:
            self._extra.labels(model, key).inc()
        if summary.code == ClientGone.code:
            self._disconnects.labels(summary.route).inc()
        if summary.queued_ms is not None:
            self._wait.observe(summary.queued_ms / 1000)
        if summary.served is not None:
            self._served.labels(summary.served).inc()
            if summary.ttft_ms is not None:
                self._first.labels(model, summary.served).observe(summary.ttft_ms / 1000)
        for kind in ("input", "output", "cache_read", "cache_write"):
            if number := getattr(summary, f"{kind}_tokens"):
                self._tokens.labels(kind, model, key).inc(number)

    def exposition(self, owner: str | None = None, key: str | None = None) -> bytes:
        """Return all numbers in Prometheus's text format; for an `owner` those of its `key`, and the plan's."""
        if owner is None:
            return generate_latest(self._registry)
        return generate_latest(
            cast("CollectorRegistry", _Own(self._registry, key, holds=self._owners.get(key) == owner))
        )

    def _begin_anew(self, key: str, owner: str) -> None:
        """Forget what is counted for a name that another holds now: it is another key."""
        if self._owners.setdefault(key, owner) != owner:
            self._owners[key] = owner
            for counter in (self._requests, self._tokens, self._extra):
                counter.remove_by_labels({"key": key})

    def _model(self, name: str | None) -> str:
        """Return a name of the catalogue, else a family, else `other`; "" where no model answered."""
        if name is None:
            return ""
        if self._catalogue.has(name):
            return name
        family = self._catalogue.family(name)
        return family if family in FAMILIES else OTHER


class _Own:
    """What one key may see of a registry: what is counted for it alone, and what belongs to nobody."""

    def __init__(self, registry: CollectorRegistry, key: str | None, *, holds: bool) -> None:
        self._registry = registry
        self._key = key
        self._holds = holds

    def collect(self) -> Iterator[Metric]:
        """Return the families, without those that count for all together."""
        for family in self._registry.collect():
            if family.name.startswith(OPEN_TO_ALL):
                yield family
            elif self._holds:
                own = [sample for sample in family.samples if sample.labels.get("key") == self._key]
                if own:
                    shown = Metric(family.name, family.documentation, family.type, family.unit)
                    shown.samples = own
                    yield shown


class _Backend(Collector):
    """What the backend and the plan say at the moment of the question."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._started = time.time()

    def describe(self) -> list[Metric]:
        """Return nothing: the registry need not collect to know the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        status = self._backend.status()
        build = InfoMetricFamily(f"{PREFIX}_build", "This server's version.")
        build.add_metric([], {"version": __version__})
        yield build
        yield _gauge("start_time_seconds", "When the server started, in unix seconds.", self._started)
        yield from _processes(status)
        aside = float(status.put_aside)
        yield _gauges("cli_promises", "Promises of the claude that serves, by its proof.", "outcome", status.promises)
        yield _gauge("cli_put_aside", "1 while the claude that was found is not the one that serves.", aside)
        yield from _plan(status.plan)


def _processes(status: Status) -> Iterator[Metric]:
    slots, kept, processes = status.slots, status.kept, status.processes
    yield _gauge("slots", "Turns that may run at the same time.", slots.limit)
    yield _gauge("slots_running", "Turns that run.", slots.running)
    yield _gauge("queue_length", "Requests that wait for a turn.", slots.waiting)
    yield _gauge("spares_wanted", "Processes that are to be kept started.", status.spares.wanted)
    yield _gauge("spares_ready", "Processes that have started and wait.", status.spares.ready)
    states = {"idle": kept.idle, "parked": kept.parked}
    yield _gauges("kept", "Processes kept for their conversation's next turn, or for tools' results.", "state", states)
    yield _gauge("processes", "claude processes that live.", processes.live)
    yield _counts("process_starts", "claude processes started, by what for.", processes.started)
    yield _counts("process_ends", "claude processes ended, by why.", processes.ended)


def _plan(plan: PlanStatus) -> Iterator[Metric]:
    windows = plan.windows
    used = {name: seen.used_percent / 100 for name, seen in windows.items() if seen.used_percent is not None}
    yield _gauges("plan_used_ratio", "How much of the plan's window is used, from 0 to 1.", "window", used)
    resets = {name: seen.resets_at for name, seen in windows.items() if seen.resets_at is not None}
    yield _gauges("plan_reset_timestamp_seconds", "When the window begins anew, in unix seconds.", "window", resets)
    limited = {limit.window: 1.0 for limit in plan.limits}
    extra = {extra.window: 1.0 for extra in plan.extra}
    yield _gauges("plan_extra_usage", "1 for a window beyond which extra usage pays.", "window", extra)
    yield _gauges("plan_limited", "1 for a window that is used up, so that requests are refused.", "window", limited)


class _Budgets(Collector):
    """What is left of each budget of a key's, and how much it may be; shares of the plan from 0 to 1."""

    def __init__(self, told: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        self._told = told

    def describe(self) -> list[Metric]:
        """Return nothing: the registry need not collect to know the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        names = ["key", "unit", "per"]
        left = GaugeMetricFamily(f"{PREFIX}_key_budget_left", "What is left of a key's budget.", labels=names)
        most = GaugeMetricFamily(f"{PREFIX}_key_budget_limit", "How much a key's budget is.", labels=names)
        for one in self._told():
            share = one["unit"] not in UNITS
            labels = [one["key"], "share" if share else one["unit"], one["per"]]
            left.add_metric(labels, max(0.0, one["left"]) / (100 if share else 1))
            most.add_metric(labels, one["most"] / (100 if share else 1))
        yield left
        yield most


class _Loop(Collector):
    """How long the event loop stood still, while everybody waited."""

    def __init__(self, stalls: Stalls) -> None:
        self._stalls = stalls

    def describe(self) -> list[Metric]:
        """Return nothing: the registry need not collect to know the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        stalls = self._stalls
        bounds = [*map(str, BUCKETS), "+Inf"]
        buckets = list(zip(bounds, itertools.accumulate(stalls.counts), strict=True))
        text = "How long the event loop stood still, for stalls of more than 0.1 s."
        yield HistogramMetricFamily(f"{PREFIX}_loop_stall_seconds", text, buckets, stalls.total)
        yield _gauge("loop_stall_longest_seconds", "The longest of them.", stalls.longest)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counts(name: str, text: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=["cause"])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
