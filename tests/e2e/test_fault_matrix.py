"""Faults at the points of a turn that other tests leave out: in the history, in a call, on a kept process, in an API.

Before `initialize`, before the first token and in the text the CLI is killed in test_faults, between two turns in
test_kept; the API breaks off and falls silent in test_errors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import FAKE_CLAUDE
from faults import Told, assert_whole, cut_off, told
from server import Server, events, living, read_until, text_of, until
from talk import Talk
from talk import told as heard

from app.standin import Reply, StandIn, Text, ToolUse

LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def with_history(server: Server, text: str, *, stream: bool) -> tuple[int, Any, Any]:
    """Ask with `text` as an earlier question."""
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
    return server.chat("", stream=stream, messages=[*messages, {"role": "user", "content": "hello"}])


def test_killed_in_the_history(fake_server: Server, *, stream: bool) -> None:
    """A CLI killed while it is told the history is a 502 in both modes: the answer had not begun."""
    assert told(with_history(fake_server, "crash-in-history", stream=stream)) == Told(502, "cli_exited", "")
    assert_whole(fake_server)


@pytest.fixture(scope="module")
def session_patient(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_IDLE_TIMEOUT="1.5")
    yield server
    server.kill()


def test_hung_in_the_history(session_patient: Server, *, stream: bool) -> None:
    """A CLI that hangs while it is told the history is a 504 in both modes."""
    session_patient.wait_for_spare()
    assert told(with_history(session_patient, "hang-in-history", stream=stream)) == Told(504, "timeout", "")
    assert_whole(session_patient)


def test_killed_in_a_call(fake_server: Server, *, stream: bool) -> None:
    """A CLI killed amid a call's arguments is a 502; a stream gives what there was, and neither finish nor end mark."""
    answer = fake_server.chat("crash-in-call", stream=stream, tools=[LOOK])
    assert told(answer) == (Told(200, "cli_exited", "Hello ") if stream else Told(502, "cli_exited", ""))
    if stream:
        choices = [chunk["choices"][0] for chunk in answer[2][:-1]]
        calls = [call["function"] for choice in choices for call in choice["delta"].get("tool_calls", ())]
        assert [call["name"] for call in calls if "name" in call] == ["look"]
        assert "".join(call.get("arguments", "") for call in calls) == '{"where":"he'
        assert {choice["finish_reason"] for choice in choices} == {None}
    assert_whole(fake_server)


def test_quiet_end_in_the_answer(fake_server: Server, *, stream: bool) -> None:
    """A CLI that leaves with status 0 in the middle of its answer has failed: half an answer is never a whole one."""
    answer = told(fake_server.chat("leave", stream=stream))
    assert answer == (Told(200, "cli_exited", "Hello ") if stream else Told(502, "cli_exited", ""))
    assert_whole(fake_server)


def processes(server: Server) -> set[int]:
    return {process.pid for process in server.children()}


@pytest.fixture(scope="module")
def session_spareless(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(CLAUDE_PROXY_SPARES="0")
    yield server
    server.kill()


@pytest.fixture
def spareless(session_spareless: Server, standin: StandIn) -> Server:
    """A server that keeps processes and starts none in advance, so that a test knows the few there are."""
    until(lambda: session_spareless.slots() == (0, 0), what="quiet")
    return session_spareless


def calling(body: dict[str, Any]) -> Reply:
    """Call a tool, or greet where there is none."""
    return Reply((ToolUse("look", {}),) if body.get("tools") else (Text("Hello."),))


@pytest.mark.parametrize("parked", [False, True], ids=["kept", "parked"])
def test_kept_process_killed_before_the_first_token(spareless: Server, standin: StandIn, *, parked: bool) -> None:
    """A process killed when it has taken up its conversation again costs the client time, not the answer."""
    standin.reply = calling
    talk = Talk(spareless, tools=[LOOK] if parked else [], max_tokens=4001)  # nobody else's opening
    before = processes(spareless)
    talk.ask("Hello")
    (kept,) = [process for process in spareless.children() if process.pid not in before]
    standin.reply = lambda _: Reply((Text("late"),), delay=30)
    active = standin.active
    with ThreadPoolExecutor(1) as threads:
        messages = talk.results() if parked else [{"role": "user", "content": "And now?"}]
        served = threads.submit(talk.send, *messages)
        until(lambda: standin.active == active + 1, what="the second turn")
        standin.reply = lambda _: Reply((Text("in time"),))
        kept.kill()
        assert served.result(20) == "cold"
    assert talk.messages[-1]["content"] == "in time"
    assert len(heard(standin.messages[-1])) == 3
    until(spareless.is_whole, what="a whole server")


def test_kept_process_killed_in_its_text(spareless: Server, standin: StandIn) -> None:
    """What was given cannot be taken back: the stream ends with the error, and the conversation goes on by replay."""
    talk = Talk(spareless, max_tokens=4002)
    before = processes(spareless)
    talk.ask("Hello")
    (kept,) = [process for process in spareless.children() if process.pid not in before]
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."]),), silent_after=2)
    question = {"role": "user", "content": "And now?"}
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(spareless.chat, "", stream=True, max_tokens=4002, messages=[*talk.messages, question])
        until(lambda: standin.active == 1, what="the second turn")
        until(lambda: len(standin.messages) == 2, what="the second question")
        with pytest.raises(TimeoutError):
            answer.result(0.5)
        kept.kill()
        assert told(answer.result(20)) == Told(200, "cli_exited", "One two ")
    standin.reply = lambda _: Reply((Text("fine"),))
    assert talk.ask("And now?") == "cold"
    assert len(heard(standin.messages[-1])) == 3
    until(spareless.is_whole, what="a whole server")


def test_trickling_api(serve: Callable[..., Server], standin: StandIn) -> None:
    """An answer that takes longer than any silence may, word by word, is no silence: it arrives whole."""
    words = [f"{number} " for number in range(9)]
    standin.reply = lambda _: Reply((Text(words, pause=0.8),))
    server = serve(CLAUDE_PROXY_IDLE_TIMEOUT="5", CLAUDE_PROXY_HEARTBEAT="0.2")
    server.wait_for_spare()
    with ThreadPoolExecutor(2) as threads:
        for answer in [threads.submit(server.chat, "Count", stream=stream) for stream in (False, True)]:
            assert told(answer.result(30)) == Told(200, None, "".join(words))
    standin.reply = lambda _: Reply((Text("fine"),))
    assert_whole(server)


def install(path: Path, claude: Path, remark: str) -> None:
    """Put an executable there that is the real CLI; at once, as an installer does."""
    new = path.with_suffix(".new")
    new.write_text(f'#!/bin/sh\n# {remark}\nexec {claude} "$@"\n')
    new.chmod(0o755)
    new.replace(path)


def test_upgrade_under_kept_processes(
    serve: Callable[..., Server], standin: StandIn, tmp_path: Path, claude: Path
) -> None:
    """After an upgrade of the CLI no conversation goes on in the old one: it is given up, the new one is told all."""
    path = tmp_path / "claude"
    install(path, claude, "old")
    server = serve(CLAUDE_BIN=str(path))
    standin.reply = calling
    asked, waits = Talk(server), Talk(server, tools=[LOOK])
    for talk in (asked, waits):
        talk.ask("Hello")
    until(server.is_whole, what="a whole server")
    assert server.get("/ready")[1]["kept"] == {"limit": 4, "idle": 1, "parked": 1}
    old = processes(server)
    install(path, claude, "new")
    standin.reply = lambda _: Reply((Text("fine"),))
    assert asked.ask("And now?") in {"spare", "cold"}
    assert len(heard(standin.messages[-1])) == 3
    until(lambda: not living(old), what="end of the old version")
    assert waits.send(*waits.results()) in {"spare", "cold"}
    assert asked.ask("And then?") == "kept"
    until(server.is_whole, 20, what="a whole server")


def test_killed_worker(serve: Callable[..., Server], standin: StandIn) -> None:
    """A worker killed by the system in mid-stream leaves nothing: neither a running CLI nor a kept nor a parked one.

    Its client's stream breaks off without an end mark; the next worker goes on with every conversation, by replay.
    """
    server = serve()
    server.wait_for_spare()
    standin.reply = calling
    asked, waits = Talk(server), Talk(server, tools=[LOOK])
    for talk in (asked, asked, waits):
        talk.ask("Hello")
    until(server.is_whole, what="a whole server")
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."]),), silent_after=2)
    with server.open_stream("Hi") as connection:
        data = read_until(connection, b"two ")
        server.wait_for_spare()
        before, worker = processes(server), server.worker()
        assert len(before) == 4
        worker.kill()
        data += cut_off(connection)
    assert text_of(events(data)) == "One two "
    assert b"[DONE]" not in data
    assert not data.endswith(b"0\r\n\r\n")
    until(lambda: not living(before), 10, "end of the processes")
    until(lambda: worker.pid != server.worker().pid, what="another worker")
    server.wait()
    asks = len(standin.messages)
    standin.reply = lambda _: Reply((Text("fine"),))
    assert asked.ask("And now?") in {"spare", "cold"}
    assert waits.send(*waits.results()) in {"spare", "cold"}
    assert len(standin.messages) == asks + 2
    until(server.is_whole, 20, what="a whole server")


@pytest.mark.parametrize("whole", [False, True], ids=["worker", "server"])
def test_killed_while_calls_wait(serve: Callable[..., Server], standin: StandIn, *, whole: bool) -> None:
    """What waits for results when its worker is killed, or all of its server, asks the API no more, and ends."""
    standin.reply = lambda _: Reply((ToolUse("look", {}),))
    server = serve(CLAUDE_PROXY_SPARES="0")
    for model in ("sonnet", "opus", "haiku"):
        Talk(server, model=model, tools=[LOOK]).ask("Hello")
    before, worker = processes(server), server.worker()
    assert server.get("/ready")[1]["kept"]["parked"] == len(before) == 3
    if whole:
        server.process.kill()
    worker.kill()
    until(lambda: not living(before), 30, "end of the processes")
    assert len(standin.messages) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends processes with their parent on Linux alone")
def test_kernel_ends_processes(serve: Callable[..., Server], standin: StandIn) -> None:
    """Where the undertaker is killed, too, the kernel ends what waits for a message or for results, without a word."""
    standin.reply = lambda _: Reply((ToolUse("look", {}),))
    server = serve()
    server.wait_for_spare()
    Talk(server, tools=[LOOK]).ask("Hello")
    server.wait_for_spare()
    before, worker = processes(server), server.worker()
    assert len(before) >= 2
    server.undertaker().kill()
    server.process.kill()
    worker.kill()
    until(lambda: not living(before), 10, "end of the processes")
    assert len(standin.messages) == 1
