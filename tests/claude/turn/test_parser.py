"""A turn's lines become events: what the model said, once, and nothing that is not the answer."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.agents.agent import Agent, Workplace
from app.claude.turn.parser import AnswerParser, Stops
from app.conversation import Citing, Conversation, DocumentBlock, Message, TextBlock, TextSource
from app.errors import AnswerCut, CliFailed, NotLoggedIn, Overloaded, PlanLimit
from app.events import (
    Quote,
    RedactedThinking,
    Restart,
    Retrying,
    TextBreak,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    TurnEnd,
    TurnStart,
    Usage,
)
from claude import cli_lines as cli

PLAIN = Conversation("sonnet", "", (Message("user", (TextBlock("Hi"),)),))


def events_of(*lines):
    """Return all events of the lines."""
    answer = AnswerParser(PLAIN)
    return [event for line in cli.typed(*lines) for event in answer.feed(line)]


def text_of(*lines):
    """Return the text that counts at the end."""
    pieces = []
    for event in events_of(*lines):
        if isinstance(event, TextDelta):
            pieces.append(event.text)
        elif isinstance(event, Restart):
            del pieces[event.keep :]
    return "".join(pieces)


def test_text_turn():
    """A plain answer gives its start, each delta and its end with the API's counts."""
    lines = [
        cli.raw("system", subtype="init", tools=[]),
        cli.message_start(),
        cli.block_start(),
        cli.text("One "),
        cli.text("two."),
        cli.assistant("One two."),
        cli.message_delta(),
        cli.message_stop(),
        cli.rate_limit("allowed_warning", utilization=0.93),
        cli.result("One two."),
    ]
    assert events_of(*lines) == [
        TurnStart("claude-sonnet-5-5"),
        TextDelta(b'"One "'),
        TextDelta(b'"two."'),
        TurnEnd("end_turn", Usage(12, 7, cache_read_tokens=5, cache_write_tokens=3, reasoning_tokens=2)),
    ]


def test_thinking():
    """Thinking comes with its signature, and what only the API can read as it is."""
    lines = [
        cli.message_start(),
        cli.thinking("hm"),
        cli.event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "c2ln"}),
        cli.event("content_block_start", index=1, content_block={"type": "redacted_thinking", "data": "eHh4"}),
    ]
    assert events_of(*lines)[1:] == [ThinkingDelta(b'"hm"'), ThinkingSignature("c2ln"), RedactedThinking("eHh4")]


def test_whole_thinking():
    """Thinking of a message that was not streamed comes too."""
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eHh4"},
        {"type": "text", "text": "So."},
    ]
    message = {"id": "msg_1", "role": "assistant", "model": "claude-x", "content": blocks}
    assert events_of(cli.raw("assistant", message=message, parent_tool_use_id=None))[1:] == [
        ThinkingDelta(b'"hm"'),
        ThinkingSignature("c2ln"),
        RedactedThinking("eHh4"),
        TextDelta(b'"So."'),
    ]


def test_thinking_that_broke_off():
    """Thinking of a message that broke off is taken back too, since nothing proves it."""
    lines = [cli.message_start(), cli.thinking("hm"), cli.message_start("msg_2"), cli.thinking("well")]
    assert events_of(*lines)[1:] == [ThinkingDelta(b'"hm"'), Restart(0), ThinkingDelta(b'"well"')]


def test_stop_sequence():
    """The end tells which sequence ended the answer."""
    delta = {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    ending = [cli.event("message_delta", delta=delta, usage={"output_tokens": 5}), cli.message_stop(), cli.result("a")]
    *_, end = events_of(cli.message_start(), cli.block_start(), cli.text("a"), *ending)
    assert (end.stop_reason, end.stop_sequence) == ("stop_sequence", "END")


def test_ended():
    """Only the result ends the turn, not the message's end."""
    answer = AnswerParser(PLAIN)
    for line in cli.typed(*cli.message("Hi")):
        answer.feed(line)
        assert not answer.ended
    answer.feed(*cli.typed(cli.result()))
    assert answer.ended


def test_thinking_is_apart():
    """Thinking comes as thinking, never as text."""
    lines = [cli.message_start(), cli.block_start("thinking"), cli.thinking("hmm"), *cli.message("Hi")[1:]]
    assert events_of(*lines)[1:] == [ThinkingDelta(b'"hmm"'), TextDelta(b'"Hi"')]


def test_blocks_are_separated():
    """Two blocks of text have a blank line between them, as have two messages of one turn."""
    assert text_of(*cli.message("a", "b"), *cli.message("c", msg_id="msg_2"), cli.result()) == "a\n\nb\n\nc"


@pytest.mark.parametrize("empty", ["", None], ids=["empty first", "empty last"])
def test_empty_blocks_leave_no_gap(empty):
    """A block without text adds no blank line."""
    order = ("", "a") if empty == "" else ("a", "")
    assert text_of(*cli.message(*order), cli.result()) == "a"


@pytest.mark.parametrize(
    "stop", ["end_turn", "max_tokens", "stop_sequence", "refusal", "model_context_window_exceeded"]
)
def test_stop_reason(stop):
    """The stop reason is that of the last message."""
    (*_, end) = events_of(
        *cli.message("a", stop_reason="tool_use"), *cli.message("b", msg_id="2", stop_reason=stop), cli.result()
    )
    assert end.stop_reason == stop


def test_refusal_ends_the_turn():
    """A refusal is the end: that the CLI would ask the model once more, and how that ends, is not the client's."""
    again = [*cli.message("No!", msg_id="2", stop_reason="refusal"), cli.failed("stopped by a safety classifier")]
    *_, end = events = events_of(*cli.message("No.", stop_reason="refusal"), *again)
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["No."]
    assert end.stop_reason == "refusal"


def test_refusal_of_an_agent():
    """An agent's model may be asked once more; where it is left at that the turn has ended by a refusal."""
    answer = AnswerParser(msgspec.structs.replace(PLAIN, workplace=Workplace(Agent(name="notes"), ("Bash",))))
    lines = cli.typed(*cli.message("No.", stop_reason="refusal"), cli.failed("stopped by a safety classifier"))
    *_, end = [event for line in lines for event in answer.feed(line)]
    assert end.stop_reason == "refusal"


def test_sub_agents_are_left_out():
    """What a sub-agent says, streamed or whole, is not part of the answer."""
    inner = [cli.text("SECRET", parent="toolu_1"), cli.assistant("SECRET", msg_id="msg_9", parent="toolu_1")]
    lines = [*cli.message("a")[:-2], *inner, cli.message_delta(), cli.message_stop(), cli.result()]
    assert text_of(*lines) == "a"


def test_unstreamed_answer():
    """Where the CLI asked without streaming, the finished block is the answer."""
    events = events_of(cli.assistant("Whole."), cli.result(stop_reason="end_turn"))
    assert events[:2] == [TurnStart("claude-sonnet-5-5"), TextDelta(b'"Whole."')]
    assert events[2].stop_reason == "end_turn"


def test_unstreamed_answer_after_a_call():
    """It ended as its own result says, not as the message before it did."""
    invented = cli.event("content_block_start", index=0, content_block={"type": "tool_use", "id": "t", "name": "none"})
    called = [cli.message_start("msg_0"), invented, cli.message_delta("tool_use"), cli.message_stop()]
    *_, end = events_of(*called, cli.assistant("Whole."), cli.result(stop_reason="end_turn"))
    assert end.stop_reason == "end_turn"


def test_streamed_text_is_not_doubled():
    """The finished block repeats what was streamed, and is not given again."""
    assert text_of(*cli.message("Hello"), cli.assistant("Hello"), cli.result()) == "Hello"


BROKEN_STREAM = [cli.message_start("msg_1"), cli.block_start(), cli.text("Half an"), cli.message_delta(None)]


@pytest.mark.parametrize(
    "second",
    [
        cli.message("Whole.", msg_id="msg_2"),
        [cli.api_retry(), *cli.message("Whole.", msg_id="msg_2")],
        [cli.assistant("Whole.", msg_id="x")],
    ],
    ids=["streamed anew", "after a retry", "asked without streaming"],
)
def test_broken_stream(second):
    """A message that broke off does not count; the one that replaces it does, once."""
    assert text_of(*BROKEN_STREAM, *second, cli.result(stop_reason="end_turn")) == "Whole."


def test_broken_stream_after_a_whole_message():
    """What earlier messages of the turn said still counts."""
    lines = [
        *cli.message("First.", msg_id="msg_0"),
        *BROKEN_STREAM,
        *cli.message("Last.", msg_id="msg_2"),
        cli.result(),
    ]
    assert text_of(*lines) == "First.\n\nLast."


def test_broken_stream_at_the_end():
    """A turn that ends with half a message is an error, not a short answer."""
    with pytest.raises(AnswerCut):
        events_of(*BROKEN_STREAM, cli.result())


def test_retrying():
    """A failure that the CLI is going to repeat is told as such."""
    assert events_of(cli.api_retry(attempt=2)) == [Retrying("overloaded")]


def test_refused_login_does_not_wait_for_retries():
    """A refused login is an error at the first retry, minutes before the CLI gives up."""
    with pytest.raises(NotLoggedIn):
        events_of(cli.api_retry("authentication_failed", 401))


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([cli.rate_limit("rejected", resetsAt=4102444800), cli.own_words("limit", "rate_limit")], PlanLimit),
        ([cli.own_words("API Error: 529 Overloaded.", "server_error")], Overloaded),
        ([cli.own_words("Please run /login", "authentication_failed")], NotLoggedIn),
        ([], CliFailed),
    ],
    ids=["limit", "overloaded", "login", "unknown"],
)
def test_own_words_are_no_answer(lines, error):
    """The CLI's words about a failure are never given as text, and decide which error it is."""
    answer = AnswerParser(PLAIN)
    assert [event for line in cli.typed(*lines) for event in answer.feed(line)] == []
    with pytest.raises(error):
        answer.feed(*cli.typed(cli.failed("It did not work.")))


def test_error_after_text():
    """A turn that fails in its middle raises; `subtype: success` does not make it one."""
    with pytest.raises(Overloaded):
        events_of(cli.message_start(), cli.block_start(), cli.text("a"), cli.failed("no", api_error_status=500))


def test_turn_without_a_model():
    """A command that the CLI answers by itself is not the model's answer."""
    with pytest.raises(CliFailed) as caught:
        events_of(cli.result("/help isn't available"))
    assert caught.value.code == "cli_error"


@pytest.mark.parametrize(
    "line",
    [
        cli.event("aura_start", aura={"colour": "blue"}),
        cli.event("content_block_delta", index=0, delta={"type": "mood_delta", "mood": 3}),
        cli.event("content_block_start", index=0, content_block={"type": "tool_use", "name": "x"}),
        cli.raw("system", subtype="status", status="requesting"),
        cli.raw("system", subtype="new", attempt=None),
    ],
)
def test_unknown_events(line):
    """Events that this version does not know give nothing."""
    assert events_of(line) == []


@pytest.mark.parametrize("value", [None, 7, {"a": 1}])
def test_text_that_is_no_text(value):
    """A delta whose text is not a string fails the turn; spliced as it is it would break the client's JSON."""
    with pytest.raises(CliFailed):
        events_of(cli.message_start(), cli.block_start(), cli.text(value))


def test_system_lines_of_any_shape():
    """A system line that nobody looks at may hold anything."""
    assert events_of(cli.raw("system", subtype="weather", error={"a": 1}, attempt="x", error_status=[])) == []


LETTERS = st.text("abE", max_size=30)


@given(LETTERS, st.lists(st.text("abE", min_size=1, max_size=4), max_size=3), st.data())
def test_any_cut(text, stops, data):
    """Wherever the pieces cut the text, what comes out is the text up to the first stop sequence, and all of it."""
    pieces, rest = [], text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        pieces.append(rest[:size])
        rest = rest[size:]
    looking = Stops(tuple(stops))
    out = ""
    for piece in pieces:
        out += looking.feed(piece)
        # Of two that overlap the one counts that is complete first.
        hits = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
        assert text[: min(hits, default=(0, len(text)))[1]].startswith(out)
        if looking.found is not None:
            break
    else:
        out += looking.flush()
    assert (looking.found is not None) == any(stop in text for stop in stops)
    if looking.found is not None:
        # Up to where the sequence begins that was found, and none is complete before.
        assert looking.found in stops
        assert text.startswith(looking.found, len(out))
        assert not any(stop in out for stop in stops)
    else:
        assert out == text


def test_held_back():
    """The beginning of a stop sequence waits for the piece that decides."""
    looking = Stops(("END",))
    assert looking.feed("a E") == "a "
    assert looking.feed("N") == ""
    assert looking.feed("x") == "ENx"
    assert looking.feed("EN") == ""
    assert looking.feed("D more") == ""
    assert looking.found == "END"


def test_citations():
    """Texts that are to cite a document follow one another in the middle of a sentence; others are a line apart."""
    quote = cli.event("content_block_delta", index=1, delta={"type": "citations_delta", "citation": {"type": "x"}})
    lines = [cli.message_start(), cli.block_start(), cli.text("They are "), cli.block_start(index=1)]
    lines += [cli.text("small", 1), quote, cli.message_delta(), cli.message_stop(), cli.result("")]
    document = DocumentBlock(TextSource("Kittens are small."), citations=Citing(enabled=True))
    citing = msgspec.structs.replace(PLAIN, messages=(Message("user", (document,)),))
    answer = AnswerParser(citing)
    events = [event for line in cli.typed(*lines) for event in answer.feed(line)]
    assert events[1:-1] == [TextDelta(b'"They are "'), TextBreak(), TextDelta(b'"small"'), Quote(b'{"type": "x"}')]
    assert text_of(*lines) == "They are \n\nsmall"
