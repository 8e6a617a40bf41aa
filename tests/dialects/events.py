"""Turns as events, for property tests of what becomes of them."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from app.events import (
    Fallback,
    RedactedThinking,
    Retrying,
    Source,
    Step,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallStart,
    TurnEnd,
    TurnStart,
    Usage,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.sampled_from(
    ["\n\n", '"', "\\", "🙂", "[Kittens](https://kittens.example)", "data: [DONE]\n\n", "\u2028", "\x00"]
)
counts = st.integers(0, 10**9)
usages = st.builds(Usage, counts, counts, counts, counts, counts)
stops = st.sampled_from(["end_turn", "stop_sequence", "max_tokens", "tool_use", "refusal", "new_reason"])


def delta(text, *, escaped=False):
    """Return a text as the CLI may write it."""
    return TextDelta(json.dumps(text, ensure_ascii=escaped).encode())


deltas = st.builds(lambda text, escaped: delta(text, escaped=escaped), texts, st.booleans())
thoughts = (
    texts.map(lambda text: ThinkingDelta(delta(text).json))
    | st.just(ThinkingSignature("c2ln"))
    | st.just(RedactedThinking("eHh4"))
)
# What an agent does, and a page that it found.
work = texts.map(lambda text: Step(delta(text).json)) | st.just(Source("https://kittens.example", "Kittens"))


@st.composite
def calls(draw):
    """Return the events of up to two calls, their arguments in pieces."""
    events = []
    for index in range(draw(st.integers(0, 2))):
        events.append(ToolCallStart(index, f"toolu{index}", draw(st.sampled_from(["look", "Bash"]))))
        arguments = json.dumps(draw(st.dictionaries(texts, texts, max_size=2)))
        cut = draw(st.integers(0, len(arguments)))
        events += [ToolCallDelta(index, delta(piece).json) for piece in (arguments[:cut], arguments[cut:])]
    return events


@st.composite
def turns(draw):
    """Return the batches of a whole turn, silent ticks included."""
    events = [
        *draw(st.lists(st.just(Retrying("overloaded")) | st.just(Fallback("haiku")), max_size=1)),
        TurnStart("claude-sonnet-5-5"),
        *draw(st.lists(deltas | thoughts | work, max_size=12)),
        *draw(calls()),
        TurnEnd(draw(stops), draw(usages)),
    ]
    batches, batch = [], []
    for event in events:
        batch.append(event)
        if event is not events[-1] and draw(st.booleans()):
            batches += [batch, *[[]] * draw(st.integers(0, 1))]
            batch = []
    return [*batches, batch]


def named_events(data):
    """Return the data of a stream's events, each under the name it has itself."""
    found = []
    for part in data.decode().split("\n\n")[:-1]:
        name, line = part.split("\n")
        found.append(json.loads(line.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found
