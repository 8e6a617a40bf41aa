"""Spans reach a collector over OTLP, from the real server."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from server import Server, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "heliotrope"


class Collector(http.server.BaseHTTPRequestHandler):
    """Keeps what is exported, of which a server has a list."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append((self.path, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    server.bodies = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def spans(bodies: list[tuple[str, bytes]]) -> list[tuple[str, Any]]:
    """Return the spans of what was exported, each with the name of its service."""
    found = []
    for _, body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = {item.key: item.value.string_value for item in resource.resource.attributes}["service.name"]
            found += [(service, span) for scope in resource.scope_spans for span in scope.spans]
    return found


def test_otlp(serve: Callable[..., Server], collector: Any) -> None:
    """A turn's span arrives under the service's name and in the client's trace, the last one at the server's end."""
    server = serve(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_address[1]}",
        OTEL_SERVICE_NAME="mine",
        OTEL_BSP_SCHEDULE_DELAY="200",
    )
    body = {"model": "sonnet", "stream": True, "messages": [{"role": "user", "content": SECRET}]}
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    assert server.request("POST", "/v1/chat/completions", body, headers)[0] == 200

    def chats() -> list[tuple[str, Any]]:
        return [(service, span) for service, span in spans(list(collector.bodies)) if span.name == "chat sonnet"]

    ((service, span),) = until(chats, 20, "the span")
    assert (service, span.trace_id.hex(), span.parent_span_id.hex()) == ("mine", TRACE, PARENT)
    told = {item.key: item.value for item in span.attributes}
    assert told["gen_ai.usage.output_tokens"].int_value > 0
    assert [event.name for event in span.events] == ["gen_ai.first_token"]
    assert {path for path, _ in collector.bodies} == {"/v1/traces"}
    assert server.request("POST", "/v1/messages", {"model": SECRET})[0] == 400
    assert server.stop() == 0
    assert any(span.name == "POST /v1/messages" for _, span in spans(collector.bodies))
    assert SECRET.encode() not in b"".join(body for _, body in collector.bodies)


@pytest.mark.parametrize("switch", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_switched_off(serve: Callable[..., Server], collector: Any, switch: dict[str, str]) -> None:
    """The SDK's own switches hold."""
    server = serve(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_address[1]}", **switch)
    assert server.chat("Hi")[0] == 200
    assert server.stop() == 0
    assert collector.bodies == []
