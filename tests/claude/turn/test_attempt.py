"""A turn writes the conversation as native messages in the CLI's order, and gives the events of the answer."""

from __future__ import annotations

import collections
import contextlib
import json
import time
from pathlib import Path

import pytest

from app.claude.cli.binary import Binary
from app.claude.cli.channel import Deadlines
from app.claude.cli.proofs import Capabilities
from app.claude.shelf.memory import Line, digests_of, steps
from app.claude.shelf.shelf import Taken, Waiting
from app.claude.turn.attempt import Attempt
from app.conversation import (
    Conversation,
    Message,
    Options,
    TextBlock,
    ThinkingBlock,
    ToolChoice,
    ToolResultBlock,
    ToolUseBlock,
)
from app.errors import AnswerCut, CliFailed, Overloaded, TurnTimeout
from app.events import TextDelta, TurnEnd, TurnStart
from app.models import CliModel
from claude import cli_lines as cli

ANSWER = [*cli.message("Hello"), cli.result("Hello")]


class FakeProcess:
    """Gives one list of lines a read, by a script; an exception in it is raised. It notes every write with its time.

    `writes` holds, for each write, how many reads came before it and the lines of it.
    """

    def __init__(self, *reads):
        self.script, self.reads, self.writes = list(reads), 0, []

    def write(self, data, timeout):
        assert data.endswith(b"\n")
        assert timeout > 0
        self.writes.append((self.reads, [json.loads(line) for line in data.splitlines()]))

    def read(self, timeout):
        assert timeout > 0
        self.reads += 1
        item = self.script.pop(0) if self.script else []
        if isinstance(item, Exception):
            raise item
        return item

    def readable(self, timeout):
        return False

    @property
    def written(self):
        return [line for _, lines in self.writes for line in lines]


def say(role, *texts):
    return Message(role, tuple(map(TextBlock, texts)))


ALL = Capabilities(composed=True, going_back=True, quick_history=True)


def waiting_on(process, capabilities=ALL):
    return Waiting(process, Binary(Path("claude"), (2, 1, 330), (0, 0, 0), capabilities))


def turn_on(waiting, conversation, place=0, deadlines=None):
    told = steps(conversation.messages)
    digests = digests_of(conversation, told)
    return Attempt(Taken(waiting, place), conversation, told, digests, deadlines or Deadlines(10, 10))


def turn_of(process, *messages, system="Be kind.", deadlines=None, composed=True):
    """Return a turn on a fresh process of a version that can do nothing else but perhaps that."""
    conversation = Conversation(model="sonnet", system=system, messages=messages or (say("user", "Hello?"),))
    return turn_on(waiting_on(process, Capabilities(composed=composed)), conversation, deadlines=deadlines)


def test_plain_question():
    """All of a question without history goes out in one write, before anything is read."""
    process = FakeProcess([cli.control(), *ANSWER])
    (batch,) = turn_of(process).batches()
    assert batch[:2] == [TurnStart("claude-sonnet-5-5"), TextDelta(b'"Hello"')]
    ((reads, (initialize, settings, question)),) = process.writes
    assert reads == 0
    assert initialize["request"] == {"subtype": "initialize", "systemPrompt": ["Be kind."]}
    assert settings["request"] == {"subtype": "apply_flag_settings", "settings": {"model": "sonnet"}}
    assert question["message"] == {"role": "user", "content": [{"type": "text", "text": "Hello?"}]}
    assert "shouldQuery" not in question


def test_no_system_prompt():
    """No system prompt means none: left out, the CLI would send its own."""
    process = FakeProcess(ANSWER)
    list(turn_of(process, system="").batches())
    assert process.written[0]["request"]["systemPrompt"] == []


def test_history():
    """A user line is written only after the one before it was acknowledged; assistant lines go with what follows."""
    messages = [say("user", "1"), say("assistant", "2"), say("user", "3"), say("assistant", "4"), say("user", "5")]
    process = FakeProcess([cli.control()], [cli.acknowledged()], [], [cli.acknowledged()], ANSWER)
    batches = list(turn_of(process, *messages).batches())
    assert [(reads, [line["type"] for line in lines][-2:]) for reads, lines in process.writes] == [
        (0, ["control_request", "user"]),
        (2, ["assistant", "user"]),
        (4, ["assistant", "user"]),
    ]
    spoken = [line for line in process.written if line["type"] != "control_request"]
    assert [line["message"]["content"][0]["text"] for line in spoken] == list("12345")
    assert [line.get("shouldQuery", True) for line in spoken if line["type"] == "user"] == [False, False, True]
    ids = [line["message"]["id"] for line in spoken if line["type"] == "assistant"]
    assert len(set(ids)) == len(ids)
    assert isinstance(batches[-1][-1], TurnEnd)


def test_tool_history():
    """Calls and results of the history go in as the blocks they are, words behind results in a line of their own."""
    call = Message("assistant", (ToolUseBlock("call1", "look", {"at": "sky"}),))
    answered = Message("user", (ToolResultBlock("call1", (TextBlock("blue"),)), TextBlock("So?")))
    process = FakeProcess([cli.acknowledged()], [cli.acknowledged()], ANSWER)
    list(turn_of(process, say("user", "1"), call, answered).batches())
    kinds = [[block["type"] for block in line["message"]["content"]] for line in process.written[-3:]]
    assert kinds == [["tool_use"], ["tool_result"], ["text"]]
    assert process.written[-3]["message"]["content"][0]["input"] == {"at": "sky"}


def test_thinking_in_history():
    """Thinking goes in under the full name of the model, which the process itself has told."""
    thought = Message("assistant", (ThinkingBlock("Hm.", "c2ln"), TextBlock("Yes.")))
    models = {"models": [{"value": "sonnet", "resolvedModel": "claude-sonnet-5-5"}]}
    process = FakeProcess([cli.control(response=models), cli.acknowledged()], ANSWER)
    list(turn_of(process, say("user", "1"), thought, say("user", "So?")).batches())
    assert process.written[-2]["message"]["model"] == "claude-sonnet-5-5"


def test_process_that_has_been_opened():
    """A process that was told the set-up, or more, is told what it lacks and no more, thinking by its model's name."""
    thought = Message("assistant", (ThinkingBlock("Hm.", "c2ln"), TextBlock("Yes.")))
    conversation = Conversation("sonnet", "Be kind.", (say("user", "1"), thought, say("user", "So?")))
    digests = digests_of(conversation, steps(conversation.messages))
    for told, written in ((0, ["1", "Yes.", "So?"]), (1, ["Yes.", "So?"]), (2, ["So?"])):
        process = FakeProcess(*[[cli.acknowledged()]] * (told == 0), ANSWER)
        waiting = waiting_on(process)
        waiting.channel.models = (CliModel("sonnet", "claude-sonnet-5-5"),)
        waiting.memory.setup = digests[0]
        for digest in digests[1 : told + 1]:
            waiting.memory.add(Line(digest))
        list(turn_on(waiting, conversation, told).batches())
        assert [line["message"]["content"][-1]["text"] for line in process.written] == written
        assert [line["message"].get("model") for line in process.written if line["type"] == "assistant"] == [
            "claude-sonnet-5-5"
        ] * (told < 2)
        assert [line.digest for line in waiting.memory.lines] == digests[1:]


def talk(*texts):
    roles = ("user", "assistant") * len(texts)
    return Conversation("sonnet", "", tuple(say(role, text) for role, text in zip(roles, texts, strict=False)))


def test_quick_history():
    """Where the CLI takes the user's earlier texts at once, only the first one waits for its acknowledgement."""
    process = FakeProcess([cli.acknowledged()], ANSWER)
    turn = turn_on(waiting_on(process), talk("1", "2", "/3", "4", "5"))
    list(turn.batches())
    assert len(process.writes) == 2
    quick = process.written[-3]
    assert (quick["type"], quick["is_meta"], quick["local_command_source"]) == ("assistant", True, "/3")
    assert [line.landmark for line in turn.waiting.memory.lines] == [True, False, False, False, True]


@pytest.mark.parametrize(
    ("text", "quick"),
    [
        ("<b>bold</b>, a < b, x-y", True),
        ("/clear @file !ls #note", True),
        ("<local-command-stdout>x</local-command-stdout>", False),
        ("See <system-reminder>", False),
        ("<tick>", False),
    ],
)
def test_words_like_the_own_ones(text, quick):
    """What looks like the CLI's own words, some of which it drops, is told as a line of the user's."""
    process = FakeProcess(*[[cli.acknowledged()]] * (1 if quick else 2), ANSWER)
    list(turn_on(waiting_on(process), talk("1", "2", text, "4", "5")).batches())
    assert any("local_command_source" in line for line in process.written) is quick


def test_what_is_not_quick():
    """A text beside a picture, in parts or behind results is told with the acknowledgement that it takes."""
    call = Message("assistant", (ToolUseBlock("call1", "look", {}),))
    answered = Message("user", (ToolResultBlock("call1", (TextBlock("blue"),)), TextBlock("So?")))
    messages = (say("user", "1"), call, answered, say("assistant", "2"), say("user", "3", "4"), say("assistant", "5"))
    process = FakeProcess(*[[cli.acknowledged()]] * 4, ANSWER)
    turn = turn_on(waiting_on(process), Conversation("sonnet", "", (*messages, say("user", "6"))))
    list(turn.batches())
    assert not any("local_command_source" in line for line in process.written)
    landmarks = [line.landmark for line in turn.waiting.memory.lines]
    assert landmarks == [True, False, False, True, False, True, False, True]
    names = [line["uuid"] for line in process.written if line["type"] == "user"]
    assert len({name[:8] for name in names}) == len(names) == 5


def rewound(to, **fields):
    return cli.control("rewind_conversation-1", response={"rewound": True, "targetMessageUuid": to, **fields})


def one_that_knows(process, *texts):
    """Return a process that was told a conversation and has answered it, and the conversation."""
    conversation = talk(*texts)
    waiting = waiting_on(process)
    digests = digests_of(conversation, conversation.messages)
    waiting.memory.setup = digests[0]
    for number, digest in enumerate(digests[1:]):
        waiting.memory.add(Line(digest, f"line {number}" if number % 2 == 0 else None, number % 2 == 0))
    return waiting, conversation


def test_going_back():
    """A process goes back to before a line, by its name and that of the newest, and is told what comes then."""
    process = FakeProcess([rewound("line 2")], ANSWER)
    waiting, _ = one_that_knows(process, "1", "2", "3", "4", "5", "6")
    list(turn_on(waiting, talk("1", "2", "three"), 2).batches())
    back, question = process.written
    assert back["request"] == {
        "subtype": "rewind_conversation",
        "target_message_uuid": "line 2",
        "last_seen_user_message_uuid": "line 4",
    }
    assert question["message"]["content"][0]["text"] == "three"
    assert [line.digest for line in waiting.memory.lines] == digests_of(
        talk("1", "2", "three"), talk("1", "2", "three").messages
    )[1:]
    assert waiting.memory.newest == question["uuid"]


def test_a_round_with_a_passing_note():
    """A process whose last question ended in a note is told three lines: its own calls, their results, the new note."""
    process = FakeProcess([cli.failed("")], [rewound("line 3")], [cli.acknowledged()], ANSWER)
    calls = [Message("assistant", (ToolUseBlock(f"call{number}", "look", {}),)) for number in range(2)]
    seen = [ToolResultBlock(f"call{number}", (TextBlock("blue"),)) for number in range(2)]
    asked = say("user", "Look!")
    waiting = waiting_on(process)
    known = Conversation("sonnet", "", (asked, calls[0], Message("user", (seen[0], TextBlock("old note"))), calls[1]))
    told = steps(known.messages)
    digests = digests_of(known, told)
    waiting.memory.setup = digests[0]
    for number, digest in enumerate(digests[1:]):
        waiting.memory.add(
            Line(digest, None if told[number].role == "assistant" else f"line {number}", number in {0, 3})
        )
    waiting.memory.calls = frozenset({"call1"})
    results = (Message("user", (seen[0],)), Message("user", (seen[1], TextBlock("new note"))))
    following = Conversation("sonnet", "", (asked, calls[0], results[0], calls[1], results[1]))
    place = waiting.memory.place(
        digests_of(following, steps(following.messages)), steps(following.messages), going_back=True
    )
    assert place == 3
    list(turn_on(waiting, following, place).batches())
    lines = [line["message"]["content"][0]["type"] for line in process.written if line["type"] != "control_request"]
    assert lines == ["tool_use", "tool_result", "text"]


@pytest.mark.parametrize(
    "reply",
    [
        rewound("line 0"),
        rewound("line 2", rewound=False),
        rewound("line 2", rewound="yes"),
        cli.control("rewind_conversation-1", response={"rewound": True}),
        cli.control("rewind_conversation-1", subtype="error", error="no such request"),
    ],
    ids=["another line", "refused", "not quite true", "no line", "unknown"],
)
def test_going_back_is_not_taken_on_trust(reply):
    """A process that does not say that it went back to that very line is told nothing more."""
    process = FakeProcess([reply], ANSWER)
    waiting, _ = one_that_knows(process, "1", "2", "3", "4")
    with pytest.raises(CliFailed, match="did not go back"):
        list(turn_on(waiting, talk("1", "2", "three"), 2).batches())
    assert len(process.written) == 1


def test_going_back_from_open_calls():
    """A turn that waits for results is interrupted, and over, before its process goes back."""
    process = FakeProcess([cli.failed("", subtype="error_during_execution")], [rewound("line 0")], ANSWER)
    waiting, _ = one_that_knows(process, "1", "2")
    waiting.memory.calls, waiting.channel.idle = frozenset({"toolu01"}), False
    list(turn_on(waiting, talk("one")).batches())
    assert [line.get("request", {}).get("subtype") for line in process.written] == [
        "interrupt",
        "rewind_conversation",
        None,
    ]
    assert waiting.memory.calls == frozenset()


def test_one_that_stands_still(monkeypatch):
    """A process that has waited and says nothing when it is told something is given up in a moment."""
    monkeypatch.setattr("app.claude.cli.channel.FIRST_SIGN_SECONDS", 0.05)
    waiting, _ = one_that_knows(FakeProcess(), "1", "2")
    conversation = talk("1", "2", "3")
    told = steps(conversation.messages)
    turn = Attempt(Taken(waiting, 2), conversation, told, digests_of(conversation, told), Deadlines(10, 10))
    with pytest.raises(CliFailed, match="does not answer"):
        collections.deque((time.sleep(0.02) for _ in turn.batches()), maxlen=0)


def test_what_is_remembered():
    """The answer is part of what the process knows where the client was given just that; else it knows too much."""
    for lines, exact in ((ANSWER, True), ([*cli.message("Hel", "lo"), cli.result("Hello")], False)):
        turn = turn_on(waiting_on(FakeProcess(lines)), talk("1"))
        list(turn.batches())
        turn.remember(say("assistant", "Hello"))
        memory = turn.waiting.memory
        assert (memory.exact, len(memory.lines)) == (exact, 2 if exact else 1)
        assert turn.channel.idle


@pytest.mark.parametrize("composed", [True, False])
def test_slash(composed):
    """A text with a slash is protected in the way the version knows."""
    process = FakeProcess(ANSWER)
    list(turn_of(process, say("user", "/clear"), composed=composed).batches())
    question = process.written[-1]
    assert question["message"]["content"][0]["text"] == ("/clear" if composed else "\n/clear")


def test_batches():
    """One read is one batch, a silent tick an empty one."""
    lines = cli.message("a")
    process = FakeProcess([], lines[:3], [], lines[3:], [cli.result()])
    sizes = [len(batch) for batch in turn_of(process).batches()]
    assert sizes == [0, 2, 0, 0, 1]


def test_unknown_lines():
    """What this version does not know is skipped and counted."""
    turn = turn_of(FakeProcess([b'{"type":"horoscope"}', b'{"type":"weather","message":{}}', *ANSWER]))
    list(turn.batches())
    assert turn.channel.skipped == 2


def test_models():
    """The models that `initialize` tells are kept, and not lost to a later answer without any."""
    models = [{"value": "opus", "resolvedModel": "claude-opus-5"}]
    turn = turn_of(
        FakeProcess([cli.control(response={"models": models}), cli.control("settings", response={}), *ANSWER])
    )
    list(turn.batches())
    assert [model.value for model in turn.channel.models] == ["opus"]


def test_text_before_an_error():
    """What came before a failure in the same read still reaches the client, then the error."""
    process = FakeProcess([*cli.message("Half")[:3], cli.failed("no", api_error_status=529)])
    batches = turn_of(process).batches()
    assert TextDelta(b'"Half"') in next(batches)
    with pytest.raises(Overloaded):
        next(batches)


@pytest.mark.parametrize(
    ("reads", "code"),
    [
        ([CliFailed("ended")], "cli_exited"),
        ([[b"not JSON"]], "cli_protocol"),
        ([[cli.control(subtype="error", error="no such request")]], "cli_error"),
        ([[cli.control("settings", subtype="error", error="bad model")]], "cli_error"),
    ],
    ids=["ends", "babbles", "refuses initialize", "refuses settings"],
)
def test_failures(reads, code):
    """A CLI that ends, babbles or refuses to be set up fails the turn."""
    with pytest.raises(CliFailed) as caught:
        list(turn_of(FakeProcess(*reads)).batches())
    assert caught.value.code == code


def test_refused_model_list_is_no_failure():
    """A refusal that answers the spare's own question says nothing of this turn."""
    process = FakeProcess([cli.control("models", subtype="error", error="unknown"), *ANSWER])
    assert list(turn_of(process).batches())


def test_history_error():
    """An error in place of an acknowledgement fails the turn."""
    process = FakeProcess([cli.failed("Prompt is too long")])
    with pytest.raises(Exception, match="prompt is too long"):
        list(turn_of(process, say("user", "1"), say("assistant", "2"), say("user", "3")).batches())
    assert len(process.writes) == 1


@pytest.mark.parametrize(("total", "idle", "variable"), [(0.05, 10, "TIMEOUT"), (10, 0.05, "IDLE_TIMEOUT")])
def test_deadlines(total, idle, variable):
    """A silent CLI ends the turn with the error that names the setting, also in the history."""
    for messages in ([say("user", "1")], [say("user", "1"), say("assistant", "2"), say("user", "3")]):
        batches = turn_of(FakeProcess(), *messages, deadlines=Deadlines(total, idle)).batches()
        with pytest.raises(TurnTimeout, match=f"CLAUDE_PROXY_{variable} "):
            collections.deque((time.sleep(0.01) for _ in batches), maxlen=0)


def test_lines_postpone_the_idle_deadline():
    """A CLI that says anything is not silent."""
    process = FakeProcess(*[[cli.raw("system", subtype="status")]] * 8, ANSWER)
    for _ in turn_of(process, deadlines=Deadlines(10, 0.06)).batches():
        time.sleep(0.02)


HELD = Capabilities(held=True)
KEPT = cli.failed("Prompt is too long", terminal_reason="blocking_limit")
LIMITS = ({"CLAUDE_CODE_BLOCKING_LIMIT_OVERRIDE": "1"}, {"CLAUDE_CODE_BLOCKING_LIMIT_OVERRIDE": ""})


def holds(process):
    """Return what the process was told of the limit, in order."""
    settings = [line.get("request", {}).get("settings", {}).get("env") for line in process.written]
    return [env for env in settings if env in LIMITS]


def bounded(process, bound, capabilities=HELD, **options):
    conversation = Conversation("sonnet", "", (say("user", "Hi"),), options=Options(max_tokens=bound, **options))
    return turn_on(waiting_on(process, capabilities), conversation)


def test_an_answer_that_may_be_cut():
    """Once an answer is long enough to be cut, its process is kept from going on, until its turn has ended."""
    words = "word " * 100
    begun = [cli.message_start(), cli.block_start()]
    cut = [cli.assistant(words), cli.message_delta("max_tokens"), cli.message_stop()]
    process = FakeProcess([*begun, cli.text("One")], [cli.text(words)], [cli.control("apply_flag_settings-1")], cut)
    turn = bounded(process, 500)
    batches = list(turn.batches())
    assert batches[-1][-1].stop_reason == "max_tokens"
    assert turn.held
    assert [reads for reads, lines in process.writes if lines[0]["type"] == "control_request"] == [0, 2]
    assert holds(process) == [LIMITS[0]]
    process.script = [[cli.failed("Prompt is too long")]]
    turn.channel.read()
    assert turn.channel.idle
    assert not turn.channel.held
    assert holds(process) == [*LIMITS]


def test_an_acknowledgement_that_comes_with_the_end():
    """The CLI may have gone on before it was held, so such a process is not taken for one that was."""
    begun = [cli.message_start(), cli.block_start(), cli.text("One")]
    process = FakeProcess(begun, [cli.message_delta("max_tokens"), cli.control("apply_flag_settings-1")])
    turn = bounded(process, 5)
    assert list(turn.batches())[-1][-1].stop_reason == "max_tokens"
    assert turn.channel.held
    assert not turn.held


@pytest.mark.parametrize(
    "case",
    [
        {"bound": None},
        {"bound": 10_000},
        {"bound": 5, "capabilities": Capabilities()},
        {"bound": 5, "schema": {"type": "object"}},
        {"bound": 5, "tool_choice": ToolChoice("required")},
    ],
    ids=["no bound", "a large one", "an older version", "a form", "a call that must come"],
)
def test_an_answer_that_is_not_held(case):
    """The API may be asked again for what needs it; and nothing is told to a process without need."""
    process = FakeProcess([*cli.message("Hello")], [cli.result("{}", structured_output={})])
    turn = bounded(process, **case)
    with contextlib.suppress(StopIteration):
        batches = turn.batches()
        for _ in range(3):
            next(batches)
    assert holds(process) == []


def test_a_call_lets_go():
    """A process whose model calls something may ask again, since the call may be the CLI's to answer."""
    calls = cli.event("content_block_start", index=0, content_block={"type": "tool_use", "id": "t1", "name": "nothing"})
    process = FakeProcess([cli.message_start()], [calls], ANSWER)
    list(bounded(process, 5).batches())
    assert holds(process)[:2] == [*LIMITS]


@pytest.mark.parametrize("stop_reason", ["end_turn", None], ids=["whole", "broken off"])
def test_what_a_held_process_may_not_ask(stop_reason):
    """An answer that is whole is given, whatever the CLI had wanted of the API then; one that is not has broken off."""
    said = [cli.message_start(), cli.block_start(), cli.text("Hello")]
    process = FakeProcess(said, [cli.message_delta(stop_reason), KEPT])
    turn = bounded(process, 5)
    if stop_reason is None:
        with pytest.raises(AnswerCut):
            list(turn.batches())
    else:
        assert list(turn.batches())[-1][-1].stop_reason == stop_reason
    assert holds(process) == [*LIMITS]


def test_a_call_that_is_answered_before_the_process_may_ask():
    """An invented call is no end of the answer: the model is told to go on."""
    start = cli.event("content_block_start", index=0, content_block={"type": "tool_use", "id": "t1", "name": "nothing"})
    called = [start, cli.event("content_block_stop", index=0), cli.message_delta("tool_use"), cli.message_stop()]
    process = FakeProcess([cli.message_start()], called, [KEPT], ANSWER)
    events = [event for batch in bounded(process, 5).batches() for event in batch]
    assert events[-1].stop_reason == "end_turn"
    assert sum(isinstance(event, TurnEnd) for event in events) == 1
    assert holds(process) == [*LIMITS]
    assert "does not exist" in str(process.written[-1])


def test_another_failure_of_a_held_process():
    """What the API could not do is told as that, though the process was held."""
    process = FakeProcess(
        [cli.message_start()], [cli.failed("API Error: Connection error.", terminal_reason="api_error")]
    )
    with pytest.raises(Overloaded):
        list(bounded(process, 5).batches())


def test_a_held_process_that_is_asked():
    """Whatever is asked of a process, it may ask the API first."""
    process = FakeProcess()
    channel = waiting_on(process).channel
    channel.hold()
    channel.write(b'{"type": "user"}\n', asks=True)
    assert [line.get("type") for line in process.written] == ["control_request", "control_request", "user"]
    assert holds(process) == [*LIMITS]


def test_a_limit_that_is_refused():
    """A process that does not take the limit is not held."""
    refused = cli.raw("control_response", response={"subtype": "error", "request_id": "apply_flag_settings-1"})
    process = FakeProcess([refused])
    channel = waiting_on(process).channel
    channel.hold()
    assert not channel.held
    channel.read()
    assert not channel.held
