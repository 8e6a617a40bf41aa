"""What a machine had in files goes into the database, counted, and may go there twice."""

from __future__ import annotations

import os
import time

import hermetic
import pytest
from click.testing import CliRunner
from server import until

from app.claude.cli.registry import RECORDS, Registry
from app.console import main
from app.conversation import Message, TextBlock
from app.keys.file import KeyFile
from app.keys.keyring import Keyring
from app.keys.postgres import PostgresKeys
from app.keys.terms import Terms
from app.ledger.entry import Entry, day_of
from app.ledger.ledger import Ledger
from app.ledger.postgres import PostgresLedger, PostgresWindows
from app.ledger.report import Since
from app.ledger.sqlite import FILE as LEDGER_FILE
from app.ledger.sqlite import SqliteLedger
from app.ledger.windows import FILE as WINDOWS_FILE
from app.ledger.windows import FileWindows, Place, Seen
from app.sessions.postgres import PostgresStore
from app.sessions.sqlite import FILE, SqliteStore
from app.sessions.store import SessionName
from app.takeover import take_over


def said(text):
    return Message("user", (TextBlock(text),))


@pytest.fixture
def command(tmp_path, url):
    """Run a command with the database."""

    def run(*args, **more):
        env = hermetic.environment(tmp_path, **{"CLAUDE_PROXY_DATABASE": url, **more})
        return CliRunner().invoke(main, args, env=env)

    return run


def test_everything(command, connect, tmp_path):
    """Keys with their terms, sessions and responses with their times: as many as were found, and once."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    secret = KeyFile(folder).add("laptop", Terms(requests_per_day=5))
    (key,) = KeyFile(folder).read()
    files = SqliteStore(folder / FILE, 86400)
    names = [SessionName(key.identity, str(number)) for number in range(30)]
    for number, name in enumerate(names):
        assert files.save(name, None, f"system {number}", tuple(said(f"{n}") for n in range(number + 1)))
    assert files.save(SessionName(f"{key.identity}/responses", "resp_1"), None, "", (said("kept"),))
    before = {name: files.look(name) for name in names}
    result = command("database", "copy")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "API keys: 1 found, 1 copied.",
        "sessions: 30 found, 30 copied.",
        "responses: 1 found, 1 copied.",
    ]
    there = PostgresStore(connect(), 86400)
    for name, session in before.items():
        copied = there.look(name)
        assert (copied.system, copied.messages) == (session.system, session.messages)
        assert (copied.created, copied.used) == (session.created, session.used)
    assert len(there.names()) == 31
    found = Keyring((), PostgresKeys(connect())).find(secret)
    assert (found.identity, found.terms) == (key.identity, key.terms)
    assert there.delete(names[0])
    assert command("database", "copy").stdout.splitlines() == [
        "API keys: 1 found, 0 copied; 1 were there already.",
        "sessions: 30 found, 1 copied; 29 were there already.",
        "responses: 1 found, 0 copied; 1 were there already.",
    ]
    assert len(files.names()) == 31
    files.close()


def test_the_ledger(command, connect, tmp_path):
    """Turns, sums by day and windows: as many as were found, and once, also where the file has grown meanwhile."""
    folder, now = tmp_path / "state", time.time()
    folder.mkdir(mode=0o700)
    file, there = SqliteLedger(folder / LEDGER_FILE), PostgresLedger(connect())
    there.write("there 1", [(1, Entry(request="r", at=now, owner="ann.1", key="ann", dollars=0.5))])
    ledger = Ledger(there, 365, 730)
    ledger.open()

    def note(writer, *ago, **more):
        entries = [Entry(request="r", at=now - one * 86400, owner="ann.1", key="ann", **more) for one in ago]
        file.write(writer, list(enumerate(entries, 1)))

    def sums(begin):
        return {part.name: part.requests for part in there.sums("day", begin)}

    note("here 1", 0, 0, 1, dollars=0.25)
    note("here 2", 0, login="ann", client="a\0b", model="sonnet", ttft_ms=7)
    note("here 3", *[100] * 1200)
    file.expire((now - 50 * 86400, 0), 0, 200)
    FileWindows(folder / WINDOWS_FILE).merge(
        {Place(login, "five_hour"): Seen(now + 60, 40.0, 30.0, 1.0, now) for login in ("", "ann")}
    )
    copied = command("database", "copy")
    assert copied.exit_code == 0, copied.output
    assert copied.stdout.splitlines() == [
        "API keys: 0 found, 0 copied.",
        "turns in the ledger: 1004 found, 1004 copied.",
        "sums by day: 4 found, 4 copied.",
        "windows of the plan: 1 found, 1 copied.",
    ]
    today, yesterday, old = (day_of(now - ago * 86400) for ago in (0, 1, 100))
    assert sums(Since(0, old)) == {today: 4, yesterday: 1, old: 1200}
    assert sums(Since(now - 5 * 86400)) == {today: 4, yesterday: 1}
    until(lambda: ledger.spent("ann.1", now - 2 * 86400).requests == 5, 10, "what was copied")
    assert ledger.spent("ann.1", now - 2 * 86400, ("ann", "")).requests == 1 + 1  # that of no login, written there
    assert list(PostgresWindows(connect()).merge({})) == [Place("ann", "five_hour")]
    note("here 4", 0)
    assert command("database", "copy").stdout.splitlines()[1:] == [
        "turns in the ledger: 1005 found, 1 copied; 1004 were there already.",
        "sums by day: 4 found, 0 copied; 4 were there already.",
        "windows of the plan: 1 found, 0 copied; 1 were there already.",
    ]
    assert sums(Since(0, old)) == {today: 5, yesterday: 1, old: 1200}
    ledger.close()
    file.close()


def test_old_turns_beside_new_ones(connect, tmp_path, monkeypatch):
    """Where there are too many turns the oldest go, whenever they came here: what is new counts at the next start."""
    monkeypatch.setattr(PostgresLedger, "MOST", 50)
    there, now = PostgresLedger(connect()), time.time()
    there.write("w", [(number, Entry(request="new", at=now)) for number in range(30)])
    old = SqliteLedger(tmp_path / LEDGER_FILE)
    old.write("x", [(number, Entry(request="old", at=now - 86400)) for number in range(50)])
    old.close()
    list(take_over(tmp_path, there._database, 60))
    first = there.first_kept(0)
    while there.expire(first, 0, 7):
        pass
    again = Ledger(there, 30, 730)
    again.open()
    assert (again.spent(None, now - 60).requests, again.spent(None, now - 2 * 86400).requests) == (30, 50)
    again.close()


def test_a_server_that_runs(command, tmp_path):
    """Who has not stopped the server is told, since what it goes on keeping in its files is not copied."""
    assert command("database", "copy").stderr == ""
    (tmp_path / "state" / RECORDS).mkdir()
    registry = Registry(tmp_path / "state" / RECORDS)
    registry.start(["sleep", "60"], {"PATH": os.environ["PATH"]}, tmp_path)
    told = command("database", "copy")
    registry.close()
    assert (told.exit_code, f"as process {os.getpid()}." in told.stderr) == (0, True), told.output
    assert command("database", "copy").stderr == ""


def test_nothing_to_copy(command):
    """An empty state folder is copied, too; without a database there is nowhere to copy to."""
    assert command("database", "copy").stdout.splitlines() == ["API keys: 0 found, 0 copied."]
    refused = command("database", "copy", CLAUDE_PROXY_DATABASE="")
    assert refused.exit_code == 1
    assert "CLAUDE_PROXY_DATABASE" in refused.output


def test_the_commands_for_keys(command, connect):
    """`key` works on the database where there is one."""
    added = command("key", "add", "laptop", "--requests-per-day", "5")
    assert added.exit_code == 0, added.output
    assert PostgresKeys(connect()).read()[0].name == "laptop"
    assert "laptop" in command("key", "list").stdout
    assert command("key", "set", "laptop", "--personal").exit_code == 0
    ended = command("key", "revoke", "laptop")
    assert ended.exit_code == 0
    assert "lets nobody in" in ended.output


def test_keys_left_behind(command, tmp_path):
    """A server does not open to all because its keys are still in a file: it does not start, and says what to do."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    KeyFile(folder).add("laptop")
    refused = command("serve")
    assert refused.exit_code == 1
    assert "database copy" in refused.output


def test_beyond_loopback_without_keys(command):
    """A server that others can reach does not start without keys in its database."""
    refused = command("serve", "--host", "0.0.0.0")
    assert refused.exit_code == 1
    assert "key add" in refused.output
