"""A span says of a request what is known of it, and nothing that was said."""

from __future__ import annotations

import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app.records.record import RequestSummary
from app.records.spans import Spans
from app.records.tracing import Tracing

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def finished():
    """Give a function that returns the one span of a summary."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = Spans(provider)

    def observe(**facts):
        spans.observe(RequestSummary(**{"id": "req_1", "at": 1000.0, "route": "/v1/x", "method": "POST", **facts}))
        (span,) = exporter.get_finished_spans()
        exporter.clear()
        return span

    yield observe
    spans.close()


def test_turn(finished):
    """A turn's span has its model, tokens, end and first token, and belongs to the client's trace."""
    span = finished(
        turn=True, status=200, asked="sonnet", model="claude-sonnet-5-5", stop="end_turn", served="spare", ms=1500,
        ttft_ms=40, queued_ms=1, input_tokens=3, cache_read_tokens=4, output_tokens=5,
        trace=f"00-{TRACE}-{PARENT}-01", trace_state="a=b",
    )  # fmt: skip
    assert (span.name, span.kind) == ("chat sonnet", SpanKind.SERVER)
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT
    assert span.context.trace_state["a"] == "b"
    assert (span.start_time, span.end_time) == (1000 * 10**9, 1001_500 * 10**6)
    told = dict(span.attributes)
    assert told["gen_ai.provider.name"] == "anthropic"
    assert (told["gen_ai.request.model"], told["gen_ai.response.model"]) == ("sonnet", "claude-sonnet-5-5")
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (7, 5)
    assert told["gen_ai.response.finish_reasons"] == ("end_turn",)
    (event,) = span.events
    assert (event.name, event.timestamp) == ("gen_ai.first_token", 1000_040 * 10**6)
    assert span.status.status_code is StatusCode.UNSET


def test_other_request(finished):
    """Any other request's span is named by its route, and has nothing of a model."""
    span = finished(turn=False, method="GET", route="/v1/models", status=200, path="/v1/models/secret")
    assert span.name == "GET /v1/models"
    assert span.parent is None
    assert set(span.attributes) == {"http.request.method", "http.route", "http.response.status_code"}


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"turn": True, "status": 200, "code": "answer_cut"}, StatusCode.ERROR),
        ({"turn": False, "status": 400, "code": "invalid_value"}, StatusCode.UNSET),
        ({"turn": False, "status": 502, "code": "cli_exited"}, StatusCode.ERROR),
    ],
)
def test_errors(finished, facts, status):
    """A failure on this side and one of a turn mark the span; a client's mistake does not. Each says its code."""
    span = finished(**facts)
    assert (span.status.status_code, span.attributes["error.type"]) == (status, facts["code"])


def test_garbage(finished):
    """A header that is no trace's begins a new one."""
    assert finished(turn=False, trace="00-x").parent is None


def test_not_wanted():
    """Where nobody asks for traces nothing is made."""
    tracing = Tracing(wanted=False)
    tracing.open()
    tracing.observe(RequestSummary(id="req_1", at=0.0, route="/v1/x", turn=True))
    tracing.close()


def test_without_the_sdk(monkeypatch, caplog):
    """Where the extra is not installed the server serves without traces, and says so."""
    monkeypatch.setitem(sys.modules, "app.records.spans", None)
    tracing = Tracing(wanted=True)
    tracing.open()
    tracing.observe(RequestSummary(id="req_1", at=0.0, route="/v1/x", turn=True))
    assert "extra `otel` is not installed" in caplog.text
