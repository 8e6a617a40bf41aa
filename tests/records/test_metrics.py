"""The numbers: what a request adds, what is read off when asked, and that no label is a client's to choose."""

from __future__ import annotations

import pytest
from fake_backend import FakeBackend
from prometheus_client.parser import text_string_to_metric_families

from app.backend import Limit, PlanStatus, ProcessCounts, SlotCounts, Window
from app.models import Catalogue, CliModel
from app.records.metrics import Metrics
from app.records.record import RequestSummary

TURN = RequestSummary(
    id="req_1",
    at=1.0,
    route="/v1/chat/completions",
    turn=True,
    key="laptop",
    status=200,
    model="claude-sonnet-5-5",
    served="spare",
    stop="end_turn",
    ms=2500,
    queued_ms=200,
    ttft_ms=300,
    input_tokens=10,
    output_tokens=20,
    cache_read_tokens=30,
    heartbeats=2,
)


@pytest.fixture
def backend():
    return FakeBackend()


@pytest.fixture
def metrics(backend):
    return made(backend)


def made(backend):
    catalogue = Catalogue()
    catalogue.update((CliModel("sonnet", "claude-sonnet-5-5"),))
    return Metrics(backend, catalogue)


def samples(metrics):
    """Return the value of each sample by its name and labels."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name.removeprefix("claude_proxy_"), *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def changed(metrics, *facts):
    """Return the counters that are not 0 after these requests."""
    for fact in facts:
        metrics.observe(fact)
    names = ("requests_total", "turns_total", "tokens_total", "heartbeats_total", "disconnects_total")
    return {key: value for key, value in samples(metrics).items() if key[0] in names and value}


def test_turn(metrics):
    """A turn counts once by route, model, status and key, with its tokens, heartbeats and kind of process."""
    assert changed(metrics, TURN) == {
        ("requests_total", "", "/v1/chat/completions", "200", "claude-sonnet-5-5", "laptop"): 1,
        ("turns_total", "spare"): 1,
        ("tokens_total", "claude-sonnet-5-5", "input", "laptop"): 10,
        ("tokens_total", "claude-sonnet-5-5", "laptop", "output"): 20,
        ("tokens_total", "cache_read", "claude-sonnet-5-5", "laptop"): 30,
        ("heartbeats_total",): 2,
    }


def test_times(metrics):
    """Time to first token, duration and wait are in seconds."""
    metrics.observe(TURN)
    found = samples(metrics)
    assert found["time_to_first_token_seconds_sum", "claude-sonnet-5-5", "spare"] == 0.3
    assert found["request_duration_seconds_sum", "/v1/chat/completions", "claude-sonnet-5-5"] == 2.5
    assert found["queue_wait_seconds_sum",] == 0.2
    assert found["time_to_first_token_seconds_bucket", "0.25", "claude-sonnet-5-5", "spare"] == 0
    assert found["time_to_first_token_seconds_bucket", "0.5", "claude-sonnet-5-5", "spare"] == 1


def test_failures(metrics):
    """A failure is told by its code, a client that left is counted, and a refusal has no model."""
    left = RequestSummary(
        id="a", at=1, route="/v1/completions", turn=True, status=200, code="client_gone", served="cold"
    )
    refused = RequestSummary(id="b", at=1, route="unmatched", turn=False, status=404, code="not_found")
    assert changed(metrics, left, refused) == {
        ("requests_total", "", "", "/v1/completions", "200", "client_gone"): 1,
        ("requests_total", "", "", "404", "not_found", "unmatched"): 1,
        ("turns_total", "cold"): 1,
        ("disconnects_total", "/v1/completions"): 1,
    }


def test_models_are_bounded(metrics):
    """Whatever model is said to have answered, the label is the catalogue's, a family's, or `other`."""
    names = ["claude-sonnet-5-5", *(f"claude-opus-{number}" for number in range(5, 100)), "claude-x", 'a"b\nc', "gpt-5"]
    facts = [RequestSummary(id=name, at=1, route="/", turn=True, model=name) for name in names]
    models = {set(key).intersection({"claude-sonnet-5-5", "opus", "other"}).pop() for key in changed(metrics, *facts)}
    assert models == {"claude-sonnet-5-5", "opus", "other"}


def test_status(metrics, backend):
    """Slots, queue, processes and the plan are told as they are when asked for."""
    window, limit = Window(100.0, 2e9, "rejected", 1.0), Limit("five_hour", "all", 2e9, "Used up.")
    processes = ProcessCounts(3, {"spare": 3}, {"exited": 1})
    backend.tell(slots=SlotCounts(8, 1, 0), processes=processes, plan=PlanStatus({"five_hour": window}, [limit]))
    found = samples(metrics)
    assert (found["slots",], found["slots_running",], found["queue_length",], found["spares_wanted",]) == (8, 1, 0, 2)
    assert (found["process_starts_total", "spare"], found["process_ends_total", "exited"]) == (3, 1)
    assert (found["plan_used_ratio", "five_hour"], found["plan_limited", "five_hour"]) == (1, 1)
    assert found["plan_reset_timestamp_seconds", "five_hour"] == 2e9
    backend.tell(slots=SlotCounts(8, 0, 0))
    assert samples(metrics)["slots_running",] == 0


def test_budgets(metrics):
    """What is left of keys' budgets is told as it is when asked for, shares from 0 to 1; a key sees its own."""
    left = {"key": "phone", "unit": "tokens", "per": "day", "most": 100, "left": 70}
    share = {"key": "bot", "unit": "per cent", "per": "five_hour", "most": 20.0, "left": -1.0}
    metrics.watch_budgets(lambda: [left, share])
    found = samples(metrics)
    assert found["key_budget_left", "day", "phone", "tokens"] == 70
    assert found["key_budget_limit", "bot", "five_hour", "share"] == 0.2
    assert found["key_budget_left", "bot", "five_hour", "share"] == 0
    metrics.observe(RequestSummary(id="a", at=1, route="/", turn=True, key="phone", owner="phone.1"))
    own = metrics.exposition("phone.1", "phone").decode()
    assert "key_budget_left" in own
    assert "bot" not in own


def test_two_applications(metrics, backend):
    """Two applications in one process count for themselves."""
    other = made(backend)
    metrics.observe(TURN)
    assert changed(other) == {}
