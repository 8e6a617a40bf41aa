"""What an agent does becomes short lines, as many as the client wants to see."""

from __future__ import annotations

import json

import msgspec
import pytest

from app.agents.agent import Agent, Workplace
from app.claude.cli.incoming import ContentBlock, User, decode
from app.claude.turn.parser import AnswerParser
from app.claude.turn.work import MAX_LINE_CHARACTERS, Work
from app.conversation import Conversation, Message, TextBlock, ToolDefinition
from app.events import Source, Step, TextDelta, ToolCallStart
from claude import cli_lines as cli


def call(name, call_id="t1", **given):
    return ContentBlock(type="tool_use", id=call_id, name=name, input=msgspec.Raw(json.dumps(given).encode()))


def gave(content, call_id="t1", *, failed=False, **fields):
    block = {"type": "tool_result", "tool_use_id": call_id, "content": content, "is_error": failed}
    line = decode(cli.raw("user", message={"role": "user", "content": [block]}, **fields))
    assert isinstance(line, User)
    return line


def lines(events):
    return [msgspec.json.decode(event.json, type=str) for event in events if isinstance(event, Step)]


def result_of(content, **more):
    work = Work("steps")
    work.called(call("Bash", command="x"))
    (line,) = lines(work.gave(gave(content, **more)))
    return line


@pytest.mark.parametrize(
    ("name", "given", "line"),
    [
        ("Bash", {"description": "Shows commits", "command": "git log -3"}, "Bash: git log -3"),
        ("Bash", {"command": "cd /tmp\nmake\nmake install"}, "Bash: cd /tmp (2 more lines)"),
        ("Read", {"file_path": "/w/notes.md", "limit": 3}, "Read: /w/notes.md"),
        ("Grep", {"path": "/w", "pattern": "TODO"}, "Grep: TODO"),
        ("TodoWrite", {"todos": []}, "TodoWrite"),
        ("mcp__home-assistant__turn_on", {"n": 1, "entity": "light.kitchen"}, "home-assistant/turn_on: light.kitchen"),
        ("Bash", {"command": "echo \x1b[31mred\x1b[0m\u202e\x07"}, "Bash: echo red"),
        ("Bash", {"command": 7}, "Bash"),
    ],
)
def test_calls(name, given, line):
    """A call is its tool and its main argument, the first line of it, without what does something to a terminal."""
    assert lines(Work("names").called(call(name, **given))) == [f"{line}\n"]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("hi", "hi"),
        ("\n1\ta\n2\tb\n", "1 a (1 more line)"),
        ("a\n" * 13, "a (12 more lines)"),
        ("", "(no output)"),
        ([{"type": "text", "text": "a"}, {"type": "image", "source": {}}], "a (1 more line)"),
        ([{"type": "image", "source": {}}], "(image)"),
        ("<tool_use_error>No such tool</tool_use_error>", "No such tool"),
    ],
)
def test_results(content, line):
    """A result is its first line and the number of the others."""
    assert result_of(content) == f"  {line}\n"


def test_failure():
    """A result that is a failure says so."""
    assert result_of("Exit code 3\na", failed=True) == "  failed: Exit code 3 (1 more line)\n"


def test_bounds():
    """However long something is, what is shown of it is short."""
    assert len(result_of("x" * 10**6)) < MAX_LINE_CHARACTERS + 10
    (line,) = lines(Work("names").called(call("Bash" * 1000, command="y" * 10**6)))
    assert len(line) < 2 * MAX_LINE_CHARACTERS + 10


def test_levels():
    """Names are without results, and without a wish nothing is told at all."""
    for show, number in (("none", 0), ("names", 1), ("steps", 2)):
        work = Work(show)
        assert len([*work.called(call("Bash", command="x")), *work.gave(gave("hi"))]) == number


def test_calls_at_a_time():
    """A result that does not follow its call has the call's line before it again."""
    work = Work("steps")
    told = work.called(call("Bash", "t1", command="a")) + work.called(call("Bash", "t2", command="b"))
    told += work.gave(gave("1", "t1")) + work.gave(gave("2", "t2"))
    assert "".join(lines(told)) == "Bash: a\nBash: b\nBash: a\n  1\nBash: b\n  2\n"


@pytest.mark.parametrize("content", ["Resume", [7], {"x": 1}, None, [{"type": "text", "text": "x"}]])
def test_other_lines(content):
    """A user's line of another form is no result, and no failure either."""
    line = decode(cli.raw("user", message={"role": "user", "content": content}))
    assert isinstance(line, User)
    work = Work("steps")
    work.called(call("Bash", command="x"))
    assert work.gave(line) == []


SEARCHED = {
    "query": "kittens",
    "results": [
        "I search.",
        {"tool_use_id": "s1", "content": [
            {"title": "Kittens", "url": "https://a.example/k"},
            {"title": "Cats", "url": "https://b.example/c"},
            {"title": "Odd", "url": "javascript:alert(1)"},
        ]},
        "They are small.",
    ],
    "durationSeconds": 0.2,
}  # fmt: skip


def test_sources():
    """The pages that a search found are told whatever is shown, those on the web alone."""
    for show in ("none", "steps"):
        work = Work(show)
        work.called(call("WebSearch", query="kittens"))
        told = work.gave(gave("Web search results", tool_use_result=SEARCHED))
        assert [event for event in told if isinstance(event, Source)] == [
            Source("https://a.example/k", "Kittens"),
            Source("https://b.example/c", "Cats"),
        ]
    assert lines(told) == ["  Kittens https://a.example/k (1 more line)\n"]


@pytest.mark.parametrize("told", [None, "Error: no", {"results": 7}, {"results": [{"content": [{}]}]}])
def test_search_of_another_form(told):
    """A search whose result has another form has no sources."""
    work = Work("none")
    work.called(call("WebSearch", query="kittens"))
    assert work.gave(gave("nothing", tool_use_result=told)) == []


def test_only_searches_have_sources():
    """What another tool gives cannot pass for a search's result."""
    work = Work("none")
    work.called(call("Bash", command="x"))
    assert work.gave(gave("x", tool_use_result=SEARCHED)) == []


LOOK = ToolDefinition("look", "", {"type": "object"})
WORKPLACE = Workplace(Agent(name="notes"), ("Bash",))
AGENT = Conversation(
    "sonnet", "", (Message("user", (TextBlock("Hi"),)),), tools=(LOOK,), workplace=WORKPLACE, show="steps"
)


def used(name, call_id, **given):
    block = {"type": "tool_use", "id": call_id, "name": name, "input": given}
    start = {**block, "input": {}}
    message = {"id": "msg_1", "model": "claude-sonnet-5-5", "content": [block]}
    return [
        cli.event("content_block_start", index=1, content_block=start),
        cli.raw("assistant", message=message, parent_tool_use_id=None),
    ]


def events_of(conversation, *raw):
    answer = AnswerParser(conversation)
    return [event for line in cli.typed(*raw) for event in answer.feed(line)]


def test_turn():
    """A turn tells of Claude Code's own calls in their place, never of the client's, nor of a sub-agent's."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "hi"}
    sub = {"id": "msg_9", "model": "m", "content": [{"type": "tool_use", "id": "t9", "name": "Read", "input": {}}]}
    told = events_of(
        AGENT,
        cli.message_start(),
        cli.text("I look. "),
        *used("Bash", "t1", command="echo hi"),
        cli.raw("assistant", message=sub, parent_tool_use_id="t1"),
        cli.raw("user", message={"role": "user", "content": [{**result, "content": "sub"}]}, parent_tool_use_id="t1"),
        cli.raw("user", message={"role": "user", "content": [result]}, parent_tool_use_id=None),
        *used("look", "t2"),
    )
    kinds = [type(event) for event in told[1:]]
    assert kinds == [TextDelta, Step, Step, ToolCallStart]
    assert lines(told) == ["Bash: echo hi\n", "  hi\n"]


def test_chat():
    """A turn without Claude Code's own tools tells of none, whatever its client wants to see."""
    chat = msgspec.structs.replace(AGENT, workplace=None)
    assert lines(events_of(chat, cli.message_start(), *used("Bash", "t1", command="x"))) == []


def test_form():
    """The tool by which the CLI takes an answer in a form is no step."""
    assert Work("steps").called(call("StructuredOutput", colour="red")) == []
