"""What a client with tools of its own is promised."""

from __future__ import annotations

from typing import Any

from app.claude.cli.tools import definition
from app.conversation import Conversation, Message, Options, TextBlock, ToolDefinition, ToolResultBlock, ToolUseBlock
from app.events import ToolCallStart
from app.proof.broken import Broken, Refused
from app.proof.dialogue import Dialogue, compare, difference, go_back
from app.proof.promise import Scene
from app.proof.trial import MODEL
from app.standin import Reply, ToolUse

# Some clients' tools have long descriptions, 9,696 characters in one that is much used.
LONG = "Looks things up, in every place. " * 300 + "Ends."
# As clients write them: long, nested, in every script, and one by the name of a tool of Claude Code's own.
TOOLS = (
    ToolDefinition("Bash", "Runs a command on the client's own machine.", {
        "type": "object",
        "properties": {"command": {"type": "string", "description": "Übergröße, 長い説明, 🙂 " * 20}},
        "required": ["command"],
        "additionalProperties": False,
    }),
    ToolDefinition("look-up_2", LONG, {
        "type": "object",
        "properties": {
            "filters": {
                "type": "array",
                "items": {"type": "object", "properties": {"größe": {"enum": ["klein", "大きい"]}, "$top": {}}},
            },
            "kind.of-thing_1": {"anyOf": [{"type": "string", "pattern": "^a+$"}, {"type": "null"}]},
        },
    }),
    ToolDefinition("odd", "Odd names.", {
        "type": "object",
        "properties": {"filter[id]": {"type": "string"}, "first name": {"type": "integer"}, "größe": {"const": "㎡"}},
        "required": ["größe"],
    }),
    ToolDefinition("nothing", "", {"type": "object", "properties": {}}),
)  # fmt: skip

tool_calls = Scene(Conversation(MODEL, "You use tools.", (), tools=TOOLS, options=Options(parallel_tools=False)))


@tool_calls.promise("it takes the tools' list in advance and does not ask for it", switches="manifests")
def manifests(dialogue: Dialogue) -> None:
    _offered(dialogue, dialogue.asked())
    if "tools/list" in dialogue.tools.asked:
        raise Refused("it asked for the list all the same")


@tool_calls.promise(
    "the client's tools reach the model under their names and with their schemas, whatever these are", switches="tools"
)
def tools(dialogue: Dialogue) -> None:
    _offered(dialogue, dialogue.asked())


@tool_calls.promise("a tool's description reaches the model whole, however long it is")
def descriptions(dialogue: Dialogue) -> None:
    got = {tool["name"]: tool.get("description", "") for tool in dialogue.asked().get("tools") or []}
    for tool in dialogue.conversation.offered:
        if got.get(tool.name) != tool.description:
            seen, all_of_it = len(got.get(tool.name, "")), len(tool.description)
            raise Broken(f"of {all_of_it} characters the model gets {seen}")


@tool_calls.promise("calls one at a time can be asked for", switches="one_call")
def one_call(dialogue: Dialogue) -> None:
    choice = dialogue.asked().get("tool_choice") or {}
    if choice.get("disable_parallel_tool_use") is not True:
        raise Broken(f"tool_choice is {choice} in the request")


@tool_calls.promise("calls and results of a history reach the model as such", essential=True)
def tool_rounds(dialogue: Dialogue) -> None:
    word = dialogue.trial.marker
    calls = (ToolUseBlock("toolu_01a", "Bash", {"command": f"ls {word}"}), ToolUseBlock("toolu_01b", "nothing", {}))
    results = (_result("toolu_01a", f"done {word}"), _result("toolu_01b", f"no such thing {word}", is_error=True))
    dialogue.tell(
        Message("user", (TextBlock(f"Do both. {word}"),)),
        Message("assistant", (TextBlock("I will."), *calls)),
        Message("user", results),
        Message("assistant", (TextBlock("Done."),)),
    )
    compare(dialogue, dialogue.ask(f"Thanks. {word}").body)


@tool_calls.promise("a call reaches the client, and its result the model, in the process that waits", switches="parked")
def parked(dialogue: Dialogue) -> None:
    word = dialogue.trial.marker
    call = _called(dialogue, f"Call. {word}", "toolu_01c")
    compare(dialogue, dialogue.answer_calls(_result(call.id or "", f"the result {word}")).body)


@tool_calls.promise(
    "a process goes back to a text behind results, and to before them rightly or not at all", switches="going_back"
)
def going_back_results(dialogue: Dialogue) -> None:
    word = dialogue.trial.marker
    dialogue.tell(
        Message("user", (TextBlock(f"Work. {word}"),)),
        Message("assistant", (ToolUseBlock("toolu_01d", "nothing", {}),)),
        Message("user", (_result("toolu_01d", f"worked {word}"),)),
    )
    results = dialogue.lines[-1]
    dialogue.ask(f"A passing note. {word}")
    note = dialogue.lines[-1]
    if dialogue.went_back(results):
        dialogue.tell(Message("user", (_result("toolu_01d", f"worked better {word}"),)))
        compare(dialogue, dialogue.ask(f"Another note. {word}").body)
        note = dialogue.lines[-1]
    go_back(dialogue, note)
    compare(dialogue, dialogue.ask(f"A last note. {word}").body)


@tool_calls.promise("a process goes back after a call that nobody answers", switches="going_back")
def going_back_calls(dialogue: Dialogue) -> None:
    word = dialogue.trial.marker
    _called(dialogue, f"Call in vain. {word}", "toolu_01e")
    dialogue.interrupt()
    go_back(dialogue, dialogue.lines[-1])
    compare(dialogue, dialogue.ask(f"Without a call. {word}").body)


def _called(dialogue: Dialogue, text: str, call_id: str) -> ToolUse:
    """Have the model call a tool, and see that the client is told so."""
    call = ToolUse("Bash", {"command": f"echo {dialogue.trial.marker}"}, call_id)
    events = dialogue.ask(text, reply=Reply((call,))).events
    started = [(event.id, event.name) for event in events if isinstance(event, ToolCallStart)]
    if [name for _, name in started] != ["Bash"]:
        raise Broken(f"the client was told of {started}")
    return call


def _offered(dialogue: Dialogue, body: dict[str, Any]) -> None:
    got = {tool["name"]: tool for tool in body.get("tools") or []}
    should = {tool.name: definition(tool) for tool in dialogue.conversation.offered}
    if sorted(got) != sorted(should):
        raise Broken(f"the model is offered {sorted(got)}, not {sorted(should)}")
    for name, tool in should.items():
        seen = {part: got[name].get(part) for part in tool}
        if seen | {"description": ""} != tool | {"description": ""}:
            raise Broken(f"{name}: {difference(tool, seen)}")


def _result(call_id: str, text: str, *, is_error: bool = False) -> ToolResultBlock:
    return ToolResultBlock(call_id, (TextBlock(text),), is_error)
