"""The options of a key's terms."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time

import pytest
from fake_backend import FakeBackend

from app.backend import Window
from app.ledger.entry import Entry
from app.ledger.ledger import Ledger
from app.ledger.sqlite import SqliteLedger
from app.ledger.windows import FileWindows, Windows


def test_terms(key, file):
    """What a key may use is kept, changed one by one, and listed with what is left."""
    given = "--tokens-per-day 2M --requests-per-week 7 --share 20% --models haiku,sonnet --expires 90d".split()
    key("add", "phone", *given)
    terms = file.read()[0].terms
    assert (terms.tokens_per_day, terms.share, terms.models) == (2_000_000, 0.2, ("haiku", "sonnet"))
    assert key("set", "phone", "--no-models", "--no-share", "--personal", "--dollars-per-day", "1.5").exit_code == 0
    (line,) = key("list").stdout.splitlines()
    assert "2,000,000 tokens per day (2,000,000 tokens left until" in line
    assert "1.50 dollars per day (1.50 dollars left until" in line
    assert "personal" in line
    assert "models" not in line
    (told,) = json.loads(key("list", "--json").stdout)
    assert told["terms"]["requests_per_week"] == 7
    assert [(left["unit"], left["per"], left["left"]) for left in told["left"]] == [
        ("tokens", "day", 2_000_000), ("requests", "week", 7), ("dollars", "day", 1.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--share", "20"], "a percentage, such as 20%"),
        (["--tokens-per-day", "many"], "a number above 0"),
        ([], "Say what to change"),
        (["--models", "haiku", "--no-models"], "given and ended at once"),
    ],
)
def test_terms_that_cannot_be(key, options, said):
    """What cannot be used is said, and nothing changes."""
    key("add", "phone")
    result = key("set", "phone", *options)
    assert result.exit_code == 2
    assert said in result.stderr


def test_terms_of_nobody(key):
    """A key that is not there is named."""
    assert "no key named 'phone'" in key("set", "phone", "--personal").stderr


def test_shares(key, file, tmp_path):
    """What is left of a share is told as an estimate, as a server has seen it last; else it is not known."""
    key("add", "phone", "--share", "20%", "--weekly-share", "5%")
    (kept,) = file.read()
    ledger = Ledger(SqliteLedger(tmp_path / "state" / "usage.db"), 30, 730)
    windows = Windows(FakeBackend(), ledger.spent, FileWindows(tmp_path / "state" / "shares.json"))
    resets_at = time.time() + 3600
    windows.note("five_hour", Window(10.0, resets_at, "allowed", time.time()))
    ledger.note(Entry(request="req_1", at=time.time(), owner=kept.identity, key="phone", dollars=1.0))
    ledger.note(Entry(request="req_2", at=time.time(), owner="other", key="other", dollars=1.0))
    ledger.close()
    windows.note("five_hour", Window(20.0, resets_at, "allowed", time.time()))
    windows.keep()
    (line,) = key("list").stdout.splitlines()
    assert "20% of the plan's five hours (about 15.0% left until" in line
    assert "5% of the plan's week (use not known now)" in line
    (told,) = json.loads(key("list", "--json").stdout)
    assert [(left["per"], left["most"], left["left"], left["estimate"]) for left in told["left"]] == [
        ("five_hour", 20, 15, True), ("seven_day", 5, None, True),
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["add", "set"])
def test_models_that_mean_nothing(key, command):
    """Who misspells a model, or limits a key to one of another maker's, is told that it is refused."""
    key("add", "bot")
    told = key(
        command, "bot" if command == "set" else "other", "--models", "sonnett,gpt-4o,haiku,claude-opus-4.1"
    ).stderr
    assert "is called sonnett (did you mean sonnet?)" in told
    assert "is called gpt-4o:" in told
    assert told.count("is called") == 2


def test_for_ever(key):
    """A key may end when no calendar does any longer, and is listed with all others."""
    assert key("add", "phone", "--expires", "9999-12-31").exit_code == 0
    result = key("list")
    assert result.exit_code == 0
    assert "until a time that no calendar has" in result.stdout
    assert key("set", "phone", "--expires", "9998-12-31").exit_code == 0
    assert "until 9999-01-01 00:00" in key("list").stdout


def test_only_read(key, tmp_path):
    """Listing changes nothing in the ledger: a file that another version wrote stays, and no use is made up."""
    key("add", "phone", "--tokens-per-day", "2M")
    path = tmp_path / "state" / "usage.db"
    ledger = SqliteLedger(path)
    ledger.write("w", [(1, Entry(request="req_1", at=time.time()))])
    ledger.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    result = key("list")
    assert "2,000,000 tokens per day" in result.stdout
    assert "left until" not in result.stdout
    assert "What is left of the budgets is not known" in result.stderr
    assert path.read_bytes() == before
