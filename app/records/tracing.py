"""Whether requests are traced: where OpenTelemetry's own variables say so, and its SDK is installed."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

from app.records.record import RequestSummary

if TYPE_CHECKING:
    from app.records.spans import Spans

log = logging.getLogger(__name__)


class Tracing:
    """Hands each request that has ended to `spans`, where it is `wanted` and after `open`; else it does nothing."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._spans: Spans | None = None

    def open(self) -> None:
        """Begin, in the process that serves: a thread sends the spans."""
        if not self._wanted:
            return
        try:
            # Imported late: it is an extra, and takes a tenth of a second.
            module = importlib.import_module("app.records.spans")
        except ImportError:
            log.warning("no traces: OTEL_EXPORTER_OTLP_ENDPOINT is set, and the extra `otel` is not installed")
            return
        self._spans = module.Spans(module.exporting())

    def observe(self, summary: RequestSummary) -> None:
        """Make the span of a request."""
        if self._spans is not None:
            self._spans.observe(summary)

    def close(self) -> None:
        """Send what is left; idempotent."""
        spans, self._spans = self._spans, None
        if spans is not None:
            spans.close()
