#!/usr/bin/env -S python3 -I -S
"""A `claude` that costs next to nothing, so that what is measured is the proxy.

The question says what to give: `bulk N` chunks at once, or `paced N RATE`, N chunks, RATE a second, each with the time
it was written at.
"""

import os
import sys
import time

if "--version" in sys.argv:
    print("2.1.330 (Fast)")
    sys.exit()
if sys.argv[1:3] == ["auth", "status"]:
    print('{"loggedIn":true,"authMethod":"fast"}')
    sys.exit()

# Of the length the real one's lines have.
REST = (
    b',"session_id":"c4f59874-3571-4ff9-a4c0-25c8c930e972","parent_tool_use_id":null,'
    b'"uuid":"548dfbe0-5472-43a5-aec1-9aa0775a9398","api_message_id":"msg_1795353584055798158"}\n'
)
USAGE = b'{"input_tokens":1,"output_tokens":2}'


def event(body: bytes) -> bytes:
    return b'{"type":"stream_event","event":' + body + REST


def delta(text: bytes) -> bytes:
    return event(b'{"index":0,"delta":{"type":"text_delta","text":"' + text + b'"},"type":"content_block_delta"}')


def say(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view[: 2**20]) :]


def answer(words: list[str]) -> None:
    say(
        event(b'{"type":"message_start","message":{"id":"msg_1","model":"claude-fast-1"}}')
        + event(b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}')
    )
    if words[0] == "bulk":
        thousand = delta(b"tok0 ") * 1000
        for _ in range(int(words[1]) // 1000):
            say(thousand)
    elif words[0] == "paced":
        began = time.monotonic()
        for number in range(int(words[1])):
            time.sleep(max(0.0, began + number / float(words[2]) - time.monotonic()))
            say(delta(b"@%.6f;" % time.monotonic()))
    else:
        say(delta(b"Hello."))
    say(
        event(b'{"type":"content_block_stop","index":0}')
        + event(b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":' + USAGE + b"}")
        + event(b'{"type":"message_stop"}')
        + b'{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"","usage":'
        + USAGE
        + b"}\n"
    )


for line in sys.stdin.buffer:
    if b'"control_request"' in line:
        start = line.index(b'"request_id":"') + len(b'"request_id":"')
        request = line[start : line.index(b'"', start)]
        reply = b'{"type":"control_response","response":{"subtype":"success","request_id":"' + request + b'"}}\n'
        say(reply)
    elif b'"shouldQuery":false' in line:
        say(b'{"type":"result","subtype":"success","is_error":false,"num_turns":0,"result":""}\n')
    elif b'"type":"user"' in line:
        start = line.rindex(b'"text":"') + len(b'"text":"')
        answer(line[start : line.index(b'"', start)].decode().split())
