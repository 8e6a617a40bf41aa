"""A span for each request, by OpenTelemetry's SDK and its environment variables; never what was said.

Names are those of the conventions for HTTP and for generative AI:
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from app.records.record import RequestSummary
from app.version import __version__

NAME = "claude-max-api-proxy"
NANOSECONDS, MILLISECOND = 10**9, 10**6

_propagator = TraceContextTextMapPropagator()


def exporting() -> TracerProvider:
    """Return a provider that sends spans by OTLP over HTTP, where the SDK's variables say, from a thread of its own."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class Spans:
    """Makes a span of each request that has ended, as part of its client's trace if it said of which."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer(NAME, __version__)

    def observe(self, summary: RequestSummary) -> None:
        """Make the span of a request."""
        carrier = {"traceparent": summary.trace, "tracestate": summary.trace_state}
        began = int(summary.at * NANOSECONDS)
        attributes = {name: value for name, value in _told(summary).items() if value is not None}
        model = attributes.get("gen_ai.request.model")
        span = self._tracer.start_span(
            f"chat {model}" if summary.turn else f"{summary.method} {summary.route}",
            _propagator.extract({name: value for name, value in carrier.items() if value}),
            SpanKind.SERVER,
            attributes,
            start_time=began,
        )
        if summary.ttft_ms is not None:
            span.add_event("gen_ai.first_token", timestamp=began + summary.ttft_ms * MILLISECOND)
        if (summary.status or 0) >= HTTPStatus.INTERNAL_SERVER_ERROR or (summary.turn and summary.code):
            span.set_status(StatusCode.ERROR)
        span.end(began + summary.ms * MILLISECOND)

    def close(self) -> None:
        """Send what is left; bounded by the SDK's own time-out."""
        self._provider.shutdown()


def _told(summary: RequestSummary) -> Mapping[str, AttributeValue | None]:
    told: dict[str, AttributeValue | None] = {
        "http.request.method": summary.method,
        "http.route": summary.route,
        "http.response.status_code": summary.status,
        "error.type": summary.code,
    }
    if not summary.turn:
        return told
    read = summary.input_tokens + summary.cache_read_tokens + summary.cache_write_tokens
    return {
        **told,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": summary.asked or "default",
        "gen_ai.response.model": summary.model,
        "gen_ai.response.finish_reasons": None if summary.stop is None else [summary.stop],
        "gen_ai.usage.input_tokens": read,
        "gen_ai.usage.output_tokens": summary.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": summary.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": summary.cache_write_tokens,
        "claude_max.served": summary.served,
        "claude_max.queued_ms": summary.queued_ms,
        "claude_max.request_id": summary.id,
    }
