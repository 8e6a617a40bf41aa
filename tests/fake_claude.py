#!/usr/bin/env python3
"""A stand-in for the `claude` executable that does what the real one cannot be made to do.

It speaks enough of the control protocol to serve a turn; the first word of the question says what goes wrong.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

if "--version" in sys.argv:
    print(os.environ.get("FAKE_VERSION", "2.1.330") + " (Fake)")
    sys.exit()
if sys.argv[1:3] == ["auth", "status"]:
    account = {"email": os.environ["FAKE_EMAIL"]} if "FAKE_EMAIL" in os.environ else {}
    print(json.dumps({"loggedIn": not os.environ.get("FAKE_LOGGED_OUT"), "authMethod": "fake", **account}))
    sys.exit()


def say(**line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def event(**fields: object) -> None:
    say(type="stream_event", event=fields, parent_tool_use_id=None)


def begin() -> None:
    event(type="message_start", message={"id": "msg_1", "model": "claude-fake-1"})
    event(type="content_block_start", index=0, content_block={"type": "text", "text": ""})


def word(text: str) -> None:
    event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def half_a_call() -> None:
    event(type="content_block_stop", index=0)
    block = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    event(type="content_block_start", index=1, content_block=block)
    event(type="content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": '{"where":"he'})
    time.sleep(0.2)  # it is read by then


def finish(end: str = "\n") -> None:
    event(type="content_block_stop", index=0)
    event(type="message_delta", delta={"stop_reason": "end_turn"})
    event(type="message_stop")
    usage = {"input_tokens": 1, "output_tokens": 2}
    line = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "", "usage": usage}
    sys.stdout.write(json.dumps(line) + end)
    sys.stdout.flush()


def flood(kind: str) -> None:
    """Print without end, or one line that is very long."""
    lines = {
        "blank": "\n",
        "unknown-lines": json.dumps({"type": "horoscope", "text": "x"}) + "\n",
        "small-lines": json.dumps({"type": "system"}) + "\n",
        "bulk-lines": json.dumps({"type": "horoscope", "text": "x" * 30_000}) + "\n",
    }
    if kind == "long-line":
        say(type="horoscope", text="\\" * 15_000_000)
        return
    while True:
        sys.stdout.write(lines[kind] * (2**20 // len(lines[kind])))


def answer(command: str, rest: str = "") -> None:
    if command in {"blank", "unknown-lines", "small-lines", "bulk-lines", "long-line"}:
        flood(command)
    if command == "structured":
        line = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": ""}
        begin()
        event(type="message_delta", delta={"stop_reason": "end_turn"})
        event(type="message_stop")
        say(**line, structured_output=json.loads(rest))
        return
    if command == "say":
        # As many pieces as there are lines.
        event(type="message_start", message={"id": "msg_1", "model": "claude-fake-1"})
        event(type="content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
        event(type="content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Hm."})
        event(type="content_block_stop", index=0)
        event(type="content_block_start", index=1, content_block={"type": "text", "text": ""})
        for line in rest.splitlines(keepends=True):
            event(type="content_block_delta", index=1, delta={"type": "text_delta", "text": line})
        finish()
        return
    if command == "as":
        begin()
        for _ in range(500):
            word("a" * 499)
        finish()
        return
    if command == "crash-before":
        sys.stderr.write("fake: out of luck\n")
        sys.exit(7)
    if command == "exit-zero":
        sys.exit(0)
    if command == "overloaded":
        time.sleep(float(rest or 0))
        line = {"subtype": "success", "is_error": True, "num_turns": 1, "result": "API Error: 529 Overloaded"}
        say(type="result", **line, api_error_status=529)
        return
    if command == "limited":
        window = {"status": "rejected", "resetsAt": int(time.time()) + 3600, "rateLimitType": "five_hour"}
        say(type="rate_limit_event", rate_limit_info=window)
        line = {"subtype": "success", "is_error": True, "num_turns": 1, "result": "You've hit your 5-hour limit"}
        say(type="result", **line, api_error_status=429)
        return
    if command == "hang-before":
        time.sleep(600)
    if command == "stubborn":
        # Neither a signal nor the end of its input moves it, and it has a child in its group.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = [sys.executable, "-c", "import signal,time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"]
        subprocess.Popen(child, cwd=".")
    begin()
    word("Hello ")
    if command == "crash-in-call":
        half_a_call()
    if command in {"crash", "crash-in-call"}:
        os.kill(os.getpid(), signal.SIGKILL)
    if command == "leave":
        sys.exit(0)
    if command in {"hang", "stubborn"}:
        time.sleep(600)
    if command in {"garbage", "broken-line"}:
        time.sleep(0.2)  # what came before is read by then
    if command == "garbage":
        sys.stdout.write("this is not JSON\n")
        sys.stdout.flush()
    if command == "broken-line":
        say(type="result", is_error="perhaps")
    if command == "unknown":
        say(type="horoscope", text="you will meet a parser")
        event(type="aura_start", aura={"colour": "blue"})
        event(type="content_block_delta", index=0, delta={"type": "mood_delta", "mood": 3})
    if command == "giant":
        word("x" * (20 * 2**20))
    if command == "flood":
        for number in range(5 * 2**10):
            word(f"{number:<1024}")
    if command == "split":
        line = json.dumps(
            {
                "type": "stream_event",
                "event": {
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": "größe 🙂 "},
                },
                "parent_tool_use_id": None,
            },
            ensure_ascii=False,
        ).encode()
        for byte in line + b"\n":
            sys.stdout.buffer.write(bytes([byte]))
            sys.stdout.buffer.flush()
    if command == "noisy":
        sys.stderr.write("noise\n" * 200_000)
    if command == "sub-agent":
        inner = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "SECRET"}}
        say(type="stream_event", event=inner, parent_tool_use_id="toolu_1")
    if command == "slow":
        time.sleep(3)
    word("world.")
    if command == "unended":
        finish(end="")
        sys.exit(0)
    finish()


waited = False
for raw in sys.stdin:
    line = json.loads(raw)
    if line["type"] == "control_request":
        subtype = line["request"]["subtype"]
        waited = waited or subtype == "list_models"
        # A spare is asked for its models first; what is started for a request is not.
        if subtype == "initialize" and (waited if os.environ.get("FAKE_DEAD_SPARE") else os.environ.get("FAKE_DEAD")):
            sys.exit(3)
        told = {"subtype": "success", "request_id": line["request_id"]}
        if subtype == "get_usage":
            reset = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 3600))
            windows = {"five_hour": {"utilization": 25, "resets_at": reset}, "seven_day": None}
            told["response"] = {"rate_limits_available": True, "rate_limits": windows, "subscription_type": "max"}
        if subtype == "rewind_conversation":
            told["response"] = {"rewound": not os.environ.get("FAKE_UNREWINDABLE")}
        say(type="control_response", response=told)
    elif line["type"] == "user":
        content = line["message"]["content"]
        if line.get("shouldQuery") is False:
            if content[-1].get("text") == "crash-in-history":
                os.kill(os.getpid(), signal.SIGKILL)
            if content[-1].get("text") == "hang-in-history":
                time.sleep(600)
            say(type="result", subtype="success", is_error=False, num_turns=0, result="")
        else:
            answer(*content[-1].get("text", "picture").split(maxsplit=1))
