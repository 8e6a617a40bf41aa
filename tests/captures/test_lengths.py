"""Of JSON without its texts nothing is left that was said; the protocol's own words stay."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.captures.lengths import FIELDS, THEIRS, WORDS, Lengths
from app.dialects import DIALECTS

# Words that no protocol has: whatever is left of them is found.
SAID = st.text(alphabet='qzQZ\u2028"\\ \n', min_size=6, max_size=20)
NAMES = SAID | st.sampled_from(sorted(FIELDS | THEIRS | {"content", "type", "model"}))
JSON = st.recursive(
    SAID | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


def strings(value: Any) -> list[str]:
    """Return every text in a value, the names of fields included."""
    if isinstance(value, dict):
        return [*value, *(text for inner in value.values() for text in strings(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner)]
    return [value] if isinstance(value, str) else []


@given(JSON)
def test_nothing_is_left(value: Any) -> None:
    """Whatever the shape, no text and no name that a client made up is left; the shape is."""
    left = Lengths().value(value)
    assert not {text for text in strings(left) if set(text) & set("qzQZ\u2028")} - FIELDS - WORDS
    assert len(strings(left)) == len(strings(value))


@given(JSON)
def test_streams(value: Any) -> None:
    """The same holds for an answer, as a stream's event, a line of JSON or a whole."""
    line = json.dumps(value, ensure_ascii=False)
    for sent in (f"event: {json.dumps(value)}\ndata: {line}\n\n", f"{line}\n", line, f": {json.dumps(value)}\n\n"):
        left = json.dumps(Lengths().sent(sent))
        assert not {text for text in strings(json.loads(left)) if set(text) & set("qzQZ\u2028")} - FIELDS - WORDS


def test_what_stays() -> None:
    """Fields, enumerated words, models, numbers and the order of things: what a fault is found by."""
    body = {
        "model": "claude-sonnet-4",
        "max_tokens": 5,
        "stream": True,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    }
    said = "<5 characters, text 1>"
    told = {**body, "messages": [{"role": "user", "content": [{"type": "text", "text": said}]}]}
    assert Lengths().value(body) == told


def test_parameters_stay() -> None:
    """Every parameter that a dialect reads keeps its name in a report."""
    read = {name for dialect in DIALECTS for name in dialect.operation.request.__struct_fields__}
    assert read <= FIELDS


def test_equal_texts() -> None:
    """Equal texts have equal numbers throughout a report, and only they have."""
    lengths = Lengths()
    first, second, third = (lengths.text(text) for text in ("one", "two", "one"))
    assert first == third != second


def test_a_models_name() -> None:
    """A name that is no model's is a text, and so is any below what a client made up."""
    lengths = Lengths()
    assert lengths.value({"model": "my secret"}) != {"model": "my secret"}
    assert lengths.value({"input": {"model": "claude-sonnet-4"}})["input"]["model"].startswith("<15 characters")


def test_numbers_of_a_client() -> None:
    """What a tool is told is told as a shape alone, its numbers included."""
    left = Lengths().value({"input": {"pin": 1234, "ok": True}, "index": 3})
    assert list(left["input"].values()) == ["<number>", True]
    assert left["index"] == 3


def test_not_json() -> None:
    """A line that is none is a text, and one that is nested without end is no failure."""
    assert Lengths().line("Segmentation fault") == "<18 characters, text 1>"
    assert "[" not in str(Lengths().line("[" * 100_000))


def test_stream_marks() -> None:
    """A stream's own lines stay."""
    sent = 'event: message_stop\ndata: {"type":"message_stop"}\n\ndata: [DONE]\n\n'
    assert Lengths().sent(sent) == [{"event": "message_stop"}, {"data": {"type": "message_stop"}}, {"data": "[DONE]"}]
