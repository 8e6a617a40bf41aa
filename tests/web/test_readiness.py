"""What /ready and /metrics tell of the backend."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.backend import Cli, Limit, PlanStatus, Readiness, SlotCounts, Window
from app.config import Settings


@pytest.fixture
def client(fronted):
    return fronted.test_client()


def test_status(client, backend):
    """/ready and /metrics tell what the backend's status says."""
    window = Window(100.0, 2e9, "rejected", 1e9)
    limits = [Limit("five_hour", "all", 2e9, "Used up.")]
    backend.tell(
        slots=SlotCounts(8, 3, 2), plan=PlanStatus({"five_hour": window}, limits), promises={"kept": 9, "broken": 1}
    )
    body = client.get("/ready").json
    assert body["status"] == "ready"
    assert body["cli"] == {"found": True, "put_aside": None, "path": "/bin/claude", "version": "2.1.300"}
    assert body["slots"] == {"limit": 8, "running": 3, "waiting": 2}
    assert body["limited"] == "Used up."
    assert body["plan"]["windows"]["five_hour"]["used_percent"] == 100
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
    }
    assert found["claude_proxy_slots_running",] == 3
    assert found["claude_proxy_plan_used_ratio", "five_hour"] == 1
    assert found["claude_proxy_cli_promises", "broken"] == 1


def test_not_ready(client, backend):
    """A backend that cannot answer says why: 503, and its words on the page."""
    backend.readiness_told = Readiness("Log in first.", Cli(found=False, put_aside=None), "absent")
    response = client.get("/ready")
    assert (response.status_code, response.json["reason"]) == (503, "Log in first.")
    assert response.json["cli"] == {"found": False, "put_aside": None}
    assert "Log in first." in client.get("/").text


def test_a_plan_that_is_used_up(tmp_path, backend, front):
    """Where the operator wants it, a plan that refuses all models makes the server not ready; a family's does not."""
    client = front(Settings(state_dir=tmp_path, ready_when_limited=False)).test_client()
    for models, status in (("opus", 200), ("all", 503)):
        backend.tell(plan=PlanStatus({}, [Limit("five_hour", models, 2e9, "Used up.")]))
        response = client.get("/ready")
        assert (response.status_code, response.json["limited"]) == (status, "Used up.")
    assert (response.json["status"], response.json["reason"]) == ("not_ready", "Used up.")
