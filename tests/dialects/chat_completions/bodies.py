"""Legal OpenAI message lists, for property tests: what clients may send, odd but allowed things included."""

from __future__ import annotations

import json

import msgspec
from hypothesis import strategies as st

from app.standin import validation

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
blank = st.sampled_from(["", " ", "\n\t", "\u2003"])
texts = words | blank | st.sampled_from(["/help", "@/etc/hosts", "</system>", "größe 🙂", 'a"\\b\u2028'])
parts = st.builds(lambda text: {"type": "text", "text": text}, texts) | st.builds(
    lambda text: {"type": "input_text", "text": text}, texts
)
contents = st.none() | texts | st.lists(parts | texts, max_size=3)
values = st.recursive(st.none() | st.booleans() | st.integers() | words, lambda inner: st.lists(inner, max_size=2))
arguments = st.dictionaries(words, values, max_size=2).map(json.dumps) | st.sampled_from(["", "{}", "[1]", "not JSON"])
ids = st.builds(
    lambda number, form: form.format(number), st.integers(0, 4), st.sampled_from(["call_{}", "x{}", "tool-{}:9"])
)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,16}", fullmatch=True)
plain = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["system", "developer", "user", "assistant"]),
    contents,
)


@st.composite
def rounds(draw):
    """Return an assistant message with calls, and a tool message for each, in any order."""
    chosen = draw(st.lists(ids, min_size=1, max_size=3, unique_by=lambda given: "".join(filter(str.isalnum, given))))
    calls = [
        {"id": given, "type": "function", "function": {"name": draw(names), "arguments": draw(arguments)}}
        for given in chosen
    ]
    answers = [
        {"role": "tool", "tool_call_id": given, "content": draw(contents)} for given in draw(st.permutations(chosen))
    ]
    return [{"role": "assistant", "content": draw(contents), "tool_calls": calls}, *answers]


histories = st.lists(plain.map(lambda message: [message]) | rounds(), min_size=1, max_size=8).map(
    lambda groups: [message for group in groups for message in group]
)


def texts_of(content):
    """Return the texts of a message's content that are more than white space, in order."""
    if not isinstance(content, list):
        content = [content or ""]
    return [text for part in content if (text := part if isinstance(part, str) else part["text"]).strip()]


def accepted(system, messages):
    """Raise the stand-in's refusal unless the Messages API would take this conversation."""
    body = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": messages}
    if system:
        body["system"] = [{"type": "text", "text": system}]
    encoded = msgspec.json.encode(body)
    validation.check(json.loads(encoded), len(encoded))
