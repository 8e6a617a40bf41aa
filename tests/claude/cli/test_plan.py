"""What is remembered of the plan: its windows, and which requests need not be tried."""

from __future__ import annotations

import pytest

from app.claude.cli.incoming import decode
from app.claude.cli.plan import Inquiry, Plan, Window
from app.errors import CliFailed, PlanLimit
from app.models import Catalogue, CliModel
from claude.cli_lines import control, rate_limit

NOW = 1_795_000_000.0
HOUR = 3600
PROBE = 600


@pytest.fixture
def time():
    return {"wall": NOW, "since": 0.0}


@pytest.fixture
def plan(time):
    catalogue = Catalogue()
    catalogue.update((CliModel("default", "claude-opus-5-5"), CliModel("best", "claude-opus-5-5")))
    return Plan(catalogue.family, PROBE, clock=lambda: time["wall"], monotonic=lambda: time["since"])


def info(status="allowed", **fields):
    return decode(rate_limit(status, **fields)).rate_limit_info


def refuse(plan, window="five_hour", model="sonnet", resets=NOW + HOUR, **fields):
    plan.refused(info("rejected", rateLimitType=window, resetsAt=resets, **fields), model, "Used up.")


def open_to(plan, *models):
    """Return those of `models` that would be asked."""
    found = []
    for model in models:
        try:
            plan.check(model)
        except PlanLimit:
            continue
        found.append(model)
    return found


def test_windows(plan):
    """A warning tells the use of each window in percent, with its reset and status."""
    week = {"utilization": 0.41, "resetsAt": NOW + 24 * HOUR, "status": "allowed"}
    five = {"utilization": 0.93, "resetsAt": NOW + HOUR, "status": "allowed_warning"}
    fields = {"resetsAt": NOW + HOUR, "rateLimitType": "five_hour", "utilization": 0.93}
    plan.note(info("allowed_warning", **fields, unifiedWindows={"five_hour": five, "seven_day": week, "odd": None}))
    assert plan.windows == {
        "five_hour": Window(93.0, NOW + HOUR, "allowed_warning", NOW),
        "seven_day": Window(41.0, NOW + 24 * HOUR, "allowed", NOW),
    }
    assert plan.limits == []


def test_windows_pass(plan, time):
    """After its reset nothing is known of a window."""
    plan.note(info(resetsAt=NOW + HOUR, rateLimitType="five_hour", utilization=0.5))
    time["wall"] += HOUR
    assert plan.windows == {}


def test_plain_allowed_keeps_the_use(plan, time):
    """An event that does not tell the use leaves what was told of the same window."""
    plan.note(info(resetsAt=NOW + HOUR, rateLimitType="five_hour", utilization=0.5))
    time["wall"] += 60
    plan.note(info(resetsAt=NOW + HOUR, rateLimitType="five_hour"))
    assert plan.windows["five_hour"] == Window(50.0, NOW + HOUR, "allowed", NOW + 60)
    plan.note(info(resetsAt=NOW + 2 * HOUR, rateLimitType="five_hour"))
    assert plan.windows["five_hour"].used_percent is None


def test_one_window_of_two_sources(plan):
    """What `get_usage` told of a window stays known when an answer names its reset by the second."""
    plan.note_usage({"five_hour": {"utilization": 85, "resets_at": "2026-11-18T12:06:39.943648+00:00"}})
    reset = round(plan.windows["five_hour"].resets_at)
    plan.note(info(resetsAt=reset, rateLimitType="five_hour"))
    assert plan.windows["five_hour"] == Window(85, reset, "allowed", NOW)


def test_refused_is_used_up(plan):
    """A window that the API refuses is used up, whatever was told of it before."""
    plan.note(info("allowed_warning", resetsAt=NOW + HOUR, rateLimitType="five_hour", utilization=0.97))
    plan.note(info("rejected", resetsAt=NOW + HOUR, rateLimitType="five_hour"))
    assert plan.windows["five_hour"].used_percent == 100


def test_usage(plan):
    """What `get_usage` tells: percentages and ISO times; whatever is not a window is left out."""
    plan.note_usage(
        {
            "five_hour": {"utilization": 12.5, "resets_at": "2026-11-18T22:46:40+00:00"},
            "seven_day": {"utilization": 40, "resets_at": None},
            "seven_day_opus": None,
            "seven_day_sonnet": {"utilization": None, "resets_at": None},
            "model_scoped": [{"display_name": "Fable", "utilization": 7, "resets_at": "nonsense"}],
            "extra_usage": {"is_enabled": True, "utilization": 3},
        }
    )
    assert {name: seen.used_percent for name, seen in plan.windows.items()} == {
        "five_hour": 12.5,
        "seven_day": 40,
        "seven_day_fable": 7,
    }
    assert plan.windows["five_hour"].resets_at == 1_795_042_000
    for odd in (None, [], "x", {"five_hour": 3, "model_scoped": [1]}):
        plan.note_usage(odd)


def test_windows_are_bounded(plan):
    """Names from outside cannot fill the memory."""
    plan.note_usage({f"window_{number}": {"utilization": 1} for number in range(1000)})
    assert len(plan.windows) == 16


@pytest.mark.parametrize("window", ["five_hour", "seven_day"])
def test_used_up_for_all(plan, time, window):
    """The five hours' and the week's end refuses every model at once, with the time to the reset, until it has come."""
    refuse(plan, window)
    time["wall"] += 600.5
    with pytest.raises(PlanLimit) as raised:
        plan.check("haiku")
    assert (raised.value.message, raised.value.retry_after) == ("Used up.", 3000)
    assert open_to(plan, "sonnet", "claude-opus-4-6[1m]", "default") == []
    assert [(limit.window, limit.models) for limit in plan.limits] == [(window, "all")]
    time["wall"] = NOW + HOUR
    assert open_to(plan, "sonnet") == ["sonnet"]
    assert plan.limits == []


def test_used_up_for_a_family(plan):
    """A model's own window refuses that family under all its names, and no other."""
    refuse(plan, "seven_day_opus", "opus")
    names = ("opus", "opus[1m]", "claude-opus-4-6", "claude-3-opus-20240229", "default", "best")
    assert open_to(plan, *names, "sonnet", "claude-haiku-5-5") == ["sonnet", "claude-haiku-5-5"]


def test_unknown_window(plan):
    """A window that nobody has heard of refuses the family that met it."""
    refuse(plan, "seven_day_overage_included", "claude-fable-5-2")
    assert open_to(plan, "fable", "opus") == ["opus"]


def test_success_clears(plan):
    """An answer shows that the windows it falls under are open; others stay shut."""
    refuse(plan, "seven_day_opus", "opus")
    refuse(plan, "five_hour", "sonnet")
    plan.succeeded("sonnet")
    assert open_to(plan, "sonnet", "opus") == ["sonnet"]
    plan.succeeded("claude-opus-5-5")
    assert open_to(plan, "opus") == ["opus"]


@pytest.mark.parametrize(
    "fields", [{"resets": None}, {"isUsingOverage": True}, {"overageStatus": "allowed"}], ids=["reset", "use", "may"]
)
def test_not_remembered(plan, fields):
    """A refusal without a reset, or beyond which credits pay, refuses no later request."""
    refuse(plan, **fields)
    assert open_to(plan, "sonnet") == ["sonnet"]


def test_probes(plan, time):
    """Every so often one request is let through, so that neither a new plan nor a clock set back locks anybody out."""
    refuse(plan)
    time["wall"] -= 24 * HOUR
    time["since"] += PROBE - 1
    assert open_to(plan, "sonnet", "opus") == []
    time["since"] += 1
    assert open_to(plan, "sonnet", "opus", "sonnet") == ["sonnet"]
    time["since"] += PROBE
    assert open_to(plan, "opus") == ["opus"]


def asked(plan, answer):
    """Have an inquiry look twice, its first question answered by `answer`; return the questions."""
    questions = []

    def ask(subtype, seconds, **fields):
        questions.append((subtype, fields))
        return answer()

    inquiry = Inquiry(plan, ask)
    inquiry._refresh()
    inquiry.look()
    return questions


def test_inquiry(plan):
    """The CLI is asked once for what is left, without its scan of transcripts, and its answer is taken over."""
    limits = {"five_hour": {"utilization": 3, "resets_at": None}}
    line = control("usage", response={"subscription_type": "max", "rate_limits": limits})
    assert asked(plan, lambda: decode(line).response) == [("get_usage", {"skip_behaviors": True})]
    assert plan.windows["five_hour"].used_percent == 3
    assert plan.name == "max"


def gone():
    raise CliFailed("It ended.")


@pytest.mark.parametrize(
    "answer",
    [lambda: None, lambda: decode(control("usage", subtype="error", error="unknown")).response, gone],
    ids=["none", "error", "gone"],
)
def test_inquiry_without_an_answer(plan, answer):
    """A CLI that does not know, does not answer or is gone leaves the windows unknown, and nothing fails."""
    asked(plan, answer)
    assert plan.windows == {}


def test_remembered(plan):
    """What was seen before the start is known until it is seen again; of another login's plan nothing is."""
    plan.note(info(rateLimitType="five_hour", utilization=0.5, resetsAt=NOW + HOUR))
    before = {name: Window(7.0, NOW + 2 * HOUR, None, NOW - HOUR) for name in ("five_hour", "seven_day")}
    plan.remember(before)
    assert plan.windows == {**before, "five_hour": Window(50.0, NOW + HOUR, "allowed", NOW)}
    refuse(plan)
    plan.forget()
    assert plan.windows == {}
    assert open_to(plan, "sonnet") == ["sonnet"]
