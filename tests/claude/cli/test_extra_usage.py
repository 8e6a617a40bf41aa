"""Extra usage: what is remembered of it, for whom, until when, and what refuses."""

from __future__ import annotations

import fcntl
import os
import threading
import time

import msgspec
import pytest

from app.backend import Window
from app.claude.cli.extra_usage import MAX_EXTRAS, SAME_SECONDS, UNTOLD_SECONDS, ExtraUsageFile, ExtraUsageGuard
from app.claude.cli.incoming import RateLimitInfo
from app.errors import ExtraUsage

NOW = 1_800_000_000.0


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("app.claude.cli.extra_usage.time.time", clock)
    return clock


@pytest.fixture
def guard(tmp_path, clock):
    def make(mode="refuse", **more):
        return ExtraUsageGuard(
            mode,
            ExtraUsageFile(tmp_path),
            lambda model: model.removeprefix("claude-").split("-")[0],
            clock=clock,
            **more,
        )

    return make


def told(status="rejected", overage="allowed", resets_at=NOW + 100, window="five_hour"):
    return msgspec.convert(
        {
            "status": status, "overageStatus": overage, "resetsAt": resets_at, "rateLimitType": window,
            "isUsingOverage": status == "rejected" and overage == "allowed",
        },
        RateLimitInfo,
    )  # fmt: skip


def test_refuses_until_the_reset(guard, clock):
    """What was billed beyond the plan closes all models until the reset that the API told, in so many seconds."""
    one = guard()
    one.check("opus")
    one.note(told(), "opus")
    clock.now += 40.5
    with pytest.raises(ExtraUsage) as refused:
        one.check("sonnet")
    assert (refused.value.status, refused.value.code, refused.value.retry_after) == (429, "extra_usage", 60)
    assert "claude-max-api resume" in refused.value.message
    clock.now = NOW + 100
    one.check("sonnet")
    assert one.known == []


def test_header_of_the_api(guard):
    """That the API itself says that extra usage is in use is enough, whatever the window's status."""
    one = guard()
    one.note(msgspec.convert({"status": "allowed", "overageInUse": True}, RateLimitInfo), "claude-opus-5")
    assert [(extra.window, extra.models, extra.until) for extra in one.known] == [
        ("unknown", "opus", NOW + UNTOLD_SECONDS)
    ]
    one.check("sonnet")
    with pytest.raises(ExtraUsage):
        one.check("opus")


@pytest.mark.parametrize("mode", ["warn", "allow"])
def test_other_modes(guard, mode):
    """Nothing is refused where it is not to be, and it is known who pays."""
    one = guard(mode)
    one.note(told(), "opus")
    one.check("opus")
    assert one.pays("haiku")
    assert not one.refuses


def test_the_plan_pays_again(guard):
    """An answer that the plan pays for opens what covers its model, and nothing else."""
    one = guard()
    one.note(told(), "opus")
    one.note(told(window="seven_day_opus"), "opus")
    one.note(told("allowed", None), "sonnet")
    one.check("sonnet")
    assert [extra.window for extra in one.known] == ["seven_day_opus"]


def test_a_refusal_says_nothing_of_extra_usage(guard):
    """A window that is used up and refused costs nothing, and opens nothing either."""
    one = guard()
    one.note(told(overage="rejected"), "opus")
    one.check("opus")
    one.note(told(), "opus")
    one.note(told(overage="rejected"), "opus")
    assert one.refuses


def test_accepted(guard, clock):
    """An operator's word holds until the reset, which the API may tell a little otherwise; not for a later one."""
    one, other = guard(), guard()
    one.note(told(), "opus")
    assert [extra.accepted for extra in other.resume()] == [False]
    one.check("opus")
    assert (one.refuses, one.pays("opus")) == (False, True)
    one.note(told(resets_at=NOW + 100 + SAME_SECONDS), "opus")
    one.check("opus")
    one.note(told(resets_at=NOW + 5000), "opus")
    with pytest.raises(ExtraUsage):
        one.check("opus")
    clock.now = NOW + 5001
    assert one.resume() == []


def test_accepted_without_an_end(guard, clock):
    """Where the API does not say until when, an operator's word holds for the hour that it was given for."""
    one = guard()
    one.note(told(resets_at=None), "opus")
    one.resume()
    clock.now += UNTOLD_SECONDS - 1
    one.note(told(resets_at=None), "opus")
    one.check("opus")
    clock.now += 2
    one.note(told(resets_at=None), "opus")
    with pytest.raises(ExtraUsage):
        one.check("opus")


def test_two_at_the_same_moment(guard, tmp_path, monkeypatch):
    """What two workers are told at the same moment both know afterwards, and an operator's word is not lost."""
    one, other = guard(), guard()
    written, go_on = threading.Event(), threading.Event()
    write = one._file.write

    def slowly(extras):
        write(extras)
        written.set()
        go_on.wait(0.3)

    monkeypatch.setattr(one._file, "write", slowly)
    first = threading.Thread(target=one.note, args=(told(window="seven_day_opus"), "opus"))
    second = threading.Thread(target=other.note, args=(told(window="seven_day_sonnet"), "sonnet"))
    first.start()
    written.wait()
    second.start()
    time.sleep(0.05)
    go_on.set()
    first.join()
    second.join()
    windows = {"seven_day_opus", "seven_day_sonnet"}
    assert [{extra.window for extra in worker.known} for worker in (one, other)] == [windows, windows]


def test_many_names(guard, clock):
    """However many windows there were that have ended, one that is new is remembered."""
    one = guard()
    for number in range(MAX_EXTRAS):
        one.note(told(window=f"seven_day_{number}"), "opus")
    clock.now = NOW + 101
    one.note(told(resets_at=NOW + 5000), "opus")
    with pytest.raises(ExtraUsage):
        one.check("opus")


def test_what_is_known_is_not_written_again(guard, tmp_path):
    """Answers that tell nothing new wait for nobody who holds the folder."""
    one = guard("warn")
    one.note(told(), "opus")
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    begun = time.monotonic()
    for _ in range(20):
        one.note(told(), "opus")
    os.close(folder)
    assert time.monotonic() - begun < 0.5


def test_shared_and_kept(guard, tmp_path):
    """All workers know at once, and the next server, too; a damaged file is as good as none."""
    one, other = guard(), guard()
    one.note(told(), "opus")
    for knows in (other, guard()):
        with pytest.raises(ExtraUsage):
            knows.check("opus")
    assert (tmp_path / "extra-usage.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "extra-usage.json").write_text("{")
    other.check("opus")
    one.check("opus")


def test_looks_without_a_request(guard, clock):
    """While it refuses it has the CLI asked now and then, and opens when the window has something left again."""
    looked: list[float] = []
    windows: dict[str, Window] = {}
    one = guard(windows=lambda: windows, look=lambda: looked.append(clock.now), probe=60.0)
    one.note(told(resets_at=NOW + 9000), "opus")
    for _ in range(3):
        clock.now += 30
        with pytest.raises(ExtraUsage):
            one.check("opus")
    assert looked == [NOW + 30, NOW + 90]
    clock.now -= 1000  # it was set back
    for _ in range(2):
        with pytest.raises(ExtraUsage):
            one.check("opus")
    assert looked[2:] == [NOW + 90 - 1000]
    clock.now += 1000
    windows["five_hour"] = Window(40.0, NOW + 9000, None, NOW - 1)  # told before
    with pytest.raises(ExtraUsage):
        one.check("opus")
    windows["five_hour"] = Window(100.0, NOW + 9000, None, clock.now)
    with pytest.raises(ExtraUsage):
        one.check("opus")
    windows["five_hour"] = Window(40.0, NOW + 9000, None, clock.now)
    one.check("opus")
    assert one.known == []


def test_unwritable(guard, tmp_path, caplog):
    """Where nothing can be written this worker refuses all the same, and the log says it."""
    one = guard()
    tmp_path.rename(tmp_path.with_name("gone"))
    one.note(told(), "opus")
    with pytest.raises(ExtraUsage):
        one.check("opus")
    assert "cannot be written" in caplog.text
