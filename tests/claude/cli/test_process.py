"""One child: its lines whatever it does with its pipes, and its end whatever it does to avoid it."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time

import psutil
import pytest
from server import living, until

from app.claude.cli.process import EOF_SECONDS, KILL_SECONDS, STDERR_TAIL_BYTES, TERM_SECONDS, Process
from app.errors import CliFailed, TurnTimeout

SOON = 5.0


def lines_of(process, seconds=SOON):
    """Return all lines until the end of the output."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found += process.read(0.05)
        except CliFailed:
            return found
    pytest.fail(f"no end of output; {len(found)} lines so far")


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("print('one'); print(); print('two')", [b"one", b"two"]),
        ("import sys; sys.stdout.write('one\\nunended')", [b"one", b"unended"]),
        ("pass", []),
    ],
    ids=["lines", "end without a newline", "nothing"],
)
def test_lines(spawn, code, lines):
    """Whole lines come out, the last one also without its newline, and then the end."""
    assert lines_of(spawn(code)) == lines


def test_giant_line(spawn):
    """A line of many reads arrives whole."""
    process = spawn("import sys; sys.stdout.write('x' * 8_000_000 + '\\n')")
    assert [len(line) for line in lines_of(process)] == [8_000_000]


def test_split_utf8(spawn):
    """A character that is written byte by byte arrives whole."""
    code = "import os, time\nfor byte in 'ü🙂\\n'.encode(): os.write(1, bytes([byte])); time.sleep(0.005)"
    assert lines_of(spawn(code)) == ["ü🙂".encode()]


def test_silence(spawn):
    """A read of a silent process returns nothing after its time."""
    process = spawn("input()")
    began = time.monotonic()
    assert process.read(0.05) == []
    assert not process.readable(0)
    assert 0.04 < time.monotonic() - began < 1
    assert process.alive


def test_write(spawn):
    """Megabytes go in while the child reads slowly, and arrive whole."""
    process = spawn("import sys, time; time.sleep(0.05); print(len(sys.stdin.readline()))")
    process.write(b"x" * 5_000_000 + b"\n", SOON)
    assert lines_of(process) == [b"5000001"]


def test_write_to_a_child_that_does_not_read(spawn):
    """A write gives up after its time."""
    process = spawn("import time; time.sleep(60)")
    began = time.monotonic()
    with pytest.raises(TurnTimeout):
        process.write(b"x" * 20_000_000, 0.1)
    assert time.monotonic() - began < 2


def test_write_after_the_end(spawn):
    """A write to a process that has ended raises the same error as a read."""
    process = spawn("pass")
    until(lambda: not process.alive)
    with pytest.raises(CliFailed) as caught:
        process.write(b"x", 1)
    assert caught.value.code == "cli_exited"
    assert process.exit_code == 0


def test_stderr(spawn):
    """Error output nobody asks for does not stop the child, and its tail is kept for the log."""
    process = spawn("import sys; sys.stderr.write('noise\\n' * 200_000 + 'last words'); sys.exit(3)")
    assert lines_of(process) == []
    until(lambda: process.stderr_tail.endswith("last words"))
    assert len(process.stderr_tail) <= STDERR_TAIL_BYTES
    until(lambda: process.exit_code == 3)


def test_streams_are_the_childs_own(spawn, monkeypatch):
    """The child leads its own session and gets blocking streams and no descriptor of ours."""
    code = (
        "import os; print(os.getpid() == os.getsid(0), [os.get_blocking(n) for n in range(3)], os.listdir('/dev/fd'))"
    )
    (line,) = lines_of(spawn(code))
    # Number 3 is the folder that is being listed.
    assert line.decode() == "True [True, True, True] ['0', '1', '2', '3']"


def test_idle_child_leaves_at_the_end_of_its_input(spawn):
    """A child that waits for input ends by itself, unharmed."""
    process = spawn("import sys; sys.stdin.read(); sys.exit(5)")
    process.close(at_once=False)
    assert process.exit_code == 5


def test_busy_child_is_ended_at_once(spawn):
    """`at_once` waits for nothing."""
    process = spawn("print('up', flush=True); import time; time.sleep(60)")
    until(lambda: process.read(0.1))
    began = time.monotonic()
    process.close(at_once=True)
    assert time.monotonic() - began < EOF_SECONDS
    assert process.exit_code == -signal.SIGTERM


DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
STUBBORN = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(subprocess.Popen([sys.executable, "-c", {DEAF!r}]).pid, flush=True)
time.sleep(60)
"""


def test_stubborn_child_and_grandchild(spawn):
    """Who ignores the end of input and SIGTERM is killed, with everything it started, within the patience."""
    process = spawn(STUBBORN)
    lines = []
    until(lambda: lines.extend(process.read(0.1)) or len(lines) == 2)
    grandchild = psutil.Process(int(max(lines, key=bytes.isdigit)))
    began = time.monotonic()
    process.close(at_once=True)
    assert time.monotonic() - began < TERM_SECONDS + KILL_SECONDS
    assert process.exit_code == -signal.SIGKILL
    until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE, 1)


def test_deaf_child_gets_the_patience_of_an_idle_one(spawn, monkeypatch):
    """A child that does not care about its input is terminated after the patience."""
    monkeypatch.setattr("app.claude.cli.process.EOF_SECONDS", 0.1)
    process = spawn("import time; time.sleep(60)")
    process.close(at_once=False)
    assert process.exit_code == -signal.SIGTERM
    assert EOF_SECONDS > 1.6  # seen once of an idle CLI


def test_grandchild_of_a_child_that_left(spawn):
    """What a child leaves behind ends too."""
    code = (
        "import subprocess, sys; print(subprocess.Popen("
        "[sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True)"
    )
    process = spawn(code)
    lines = []
    until(lambda: lines.extend(process.read(0.1)) or lines)
    until(lambda: not process.alive)
    grandchild = psutil.Process(int(lines[0]))
    process.close(at_once=False)
    until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE, 1)


def test_second_close_signals_nobody(spawn, monkeypatch):
    """Closing again is harmless: the number may belong to a stranger by then."""
    process = spawn("pass")
    process.close(at_once=True)
    signals = []
    monkeypatch.setattr(os, "killpg", lambda *args: signals.append(args))
    process.close(at_once=True)
    process._signal(signal.SIGKILL)
    assert signals == []


def test_closers_wait_for_each_other(spawn):
    """Whoever calls close returns when the process has ended, first or second."""
    process = spawn(DEAF)
    until(lambda: process.read(0.1))
    ended = []

    def close():
        process.close(at_once=True)
        ended.append(process.alive)

    closers = [threading.Thread(target=close) for _ in range(3)]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join(SOON)
    assert ended == [False] * 3


def test_close_ends_a_read(spawn):
    """A reader in another thread is not left waiting when the process is closed."""
    process = spawn("import time; time.sleep(60)")
    closer = threading.Timer(0.05, process.close, kwargs={"at_once": True})
    closer.start()
    began = time.monotonic()
    with pytest.raises(CliFailed):
        process.read(30)
    assert time.monotonic() - began < 2
    closer.join()


def test_after_close(spawn):
    """A closed process answers every call with the error, or with emptiness, and holds no descriptor."""
    process = spawn("pass")
    process.close(at_once=True)
    with pytest.raises(CliFailed):
        process.read(0.1)
    with pytest.raises(CliFailed):
        process.write(b"x", 0.1)
    assert process.readable(0)
    assert [s.fileno() for s in (process._stdin, process._stdout, process._stderr)] == [-1, -1, -1]


def test_readable_with_many_descriptors_open(spawn):
    """A worker may hold thousands of connections: whether there is something to read is told all the same."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this system does not give a process so many descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    taken = []
    try:
        while not taken or taken[-1] < 1024:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        process = spawn("import sys; sys.stdin.readline(); print(1, flush=True); sys.stdin.read()")
        assert not process.readable(0.05)
        process.write(b"go\n", 5)
        assert process.readable(5)
        assert process.read(5) == [b"1"]
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("argv", "code"), [(["/no/such/file"], "cli_missing"), ([__file__], "cli_missing")])
def test_does_not_start(tmp_path, argv, code):
    """A file that is missing or no program raises, and leaves no descriptor open."""
    before = psutil.Process().num_fds()
    with pytest.raises(CliFailed) as caught:
        Process(argv, {}, tmp_path)
    assert caught.value.code == code
    assert psutil.Process().num_fds() == before


def test_many_leave_no_descriptors(tmp_path):
    """Processes that come and go leave nothing open."""
    before = psutil.Process().num_fds()
    for _ in range(5):
        Process([sys.executable, "-S", "-c", "pass"], {}, tmp_path).close(at_once=True)
    assert psutil.Process().num_fds() == before


TOOL = """
import subprocess, sys
tool = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(tool.pid, flush=True)
sys.stdin.read()
"""


def test_tools_of_a_process_that_died(spawn):
    """What a process with tools has started ends with it, also when it has died before anybody ended it."""
    process = spawn(TOOL, with_tools=True)
    (line,) = until(lambda: process.read(1.0), what="the tool")
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not process.alive, what="its end")
    assert living({int(line)})
    process.close(at_once=True)
    until(lambda: not living({int(line)}), what="the tool's end")


@pytest.mark.parametrize("end", ["kill", "close", "close at once"])
def test_tools_in_groups_of_their_own(spawn, end):
    """What a process with tools has started ends with it, even in a session of its own."""
    process = spawn(TOOL, with_tools=True)
    (line,) = until(lambda: process.read(1.0), what="the tool")
    if end == "kill":
        process.kill()
    else:
        process.close(at_once=end == "close at once")
    until(lambda: not living({int(line)}), what="the tool's end")
