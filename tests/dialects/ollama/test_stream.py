"""A turn in Ollama's lines: each is JSON, and together they say what the whole answer says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects.ollama import OllamaRequest
from app.dialects.ollama.answers import of_chat, of_generate
from app.dialects.ollama.request import parse_chat, parse_generate
from app.errors import AnswerCut, ProxyError
from app.events import Restart, Step, TextDelta, ThinkingDelta, TurnEnd, TurnStart, Usage
from dialects.events import turns

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "prompt": "Hi", "think": True}
START, END = TurnStart("claude-sonnet-5-5"), TurnEnd("end_turn", Usage())
TIMES = ("created_at", "total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


def request(form=of_chat):
    parse = parse_chat if form is of_chat else parse_generate
    return OllamaRequest(parse(json.dumps(BODY).encode(), str), form)


def lines(data):
    return [json.loads(line) for line in data.decode().split("\n") if line]


def timeless(value):
    return {name: inner for name, inner in value.items() if name not in TIMES}


@pytest.mark.parametrize("form", [of_chat, of_generate])
@given(turns(), st.booleans())
def test_stream_is_the_answer(form, batches, beats):
    """The lines of a stream, put together as clients do, are the whole answer."""
    asked = request(form)
    stream = asked.stream()
    heard = lines(b"".join(stream.feed(batch) + (stream.heartbeat() if beats else b"") for batch in batches))
    whole = json.loads(asked.render(batches))
    last = next(line for line in heard if line["done"])
    assert [line["done"] for line in heard].count(True) == 1
    if form is of_generate:
        said = "".join(line["response"] for line in heard)
        assert said == whole["response"]
    else:
        said = {
            "role": "assistant",
            "content": "".join(line["message"]["content"] for line in heard),
            "thinking": "".join(line["message"].get("thinking", "") for line in heard),
            "tool_calls": [call for line in heard for call in line["message"].get("tool_calls", ())],
        }
        assert {name: value for name, value in said.items() if value or name == "content"} == whole["message"]
    names = ("model", "done_reason", "prompt_eval_count", "eval_count")
    assert [last[name] for name in names] == [whole[name] for name in names]
    assert set(TIMES) <= set(last) & set(whole)


def test_restart():
    """What begins anew before anything was sent goes on; else the answer is cut, and the error is a line."""
    stream = request().stream()
    assert stream.feed([Restart(0)]) == b""
    stream.feed([TextDelta(b'"One"')])
    with pytest.raises(AnswerCut):
        stream.feed([Restart(0)])
    assert lines(stream.error(ProxyError("It failed."))) == [{"error": "It failed."}]


@pytest.mark.parametrize(
    ("reason", "word"),
    [("end_turn", "stop"), ("tool_use", "stop"), ("refusal", "stop"), ("max_tokens", "length"), ("new", "stop")],
)
def test_reasons(reason, word):
    """Ollama's clients know two words for why an answer ended."""
    (line,) = lines(request().stream().feed([TurnEnd(reason, Usage(1, 2, 3, 4))]))
    assert (line["done_reason"], line["prompt_eval_count"], line["eval_count"]) == (word, 8, 2)


def test_steps():
    """What an agent does is thinking, whether that is asked for or not, apart from the model's own."""
    batch = [START, ThinkingDelta(b'"hm"'), Step(rb'"Bash: ls\n"'), Step(rb'"  a\n"'), TextDelta(b'"Done."'), END]
    for think, shown in ((True, "hm\n\nBash: ls\n  a\n"), (False, "Bash: ls\n  a\n")):
        asked = OllamaRequest(parse_chat(json.dumps({**BODY, "think": think}).encode(), str), of_chat)
        assert json.loads(asked.render([batch]))["message"]["thinking"] == shown
        heard = lines(asked.stream().feed(batch))
        assert "".join(line["message"].get("thinking", "") for line in heard) == shown
