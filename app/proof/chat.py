"""What a plain chat is promised."""

from __future__ import annotations

import json
from typing import Final

from app.claude.turn.parser import LIMITED
from app.conversation import Conversation, Message, Options, TextBlock
from app.proof.broken import Broken, Refused
from app.proof.dialogue import TRACE, Dialogue, Line, compare, difference, go_back, said, same
from app.proof.promise import Scene
from app.proof.trial import MODEL

SYSTEM = "You are kind, and brief."
# What the CLI says of itself before the client's system prompt, in characters: its name and version.
MAX_OF_ITS_OWN = 400
BOUND = 4321
COMMAND = "/clear {word}"
STOP = "END OF ANSWER"
EFFORT: Final = "low"

chat = Scene(Conversation(MODEL, SYSTEM, (), options=Options(max_tokens=BOUND, stop=(STOP,), effort=EFFORT)))


def user(text: str) -> Message:
    """Return a user's message."""
    return Message("user", (TextBlock(text),))


def assistant(text: str) -> Message:
    """Return an assistant's message."""
    return Message("assistant", (TextBlock(text),))


@chat.promise("it starts, answers `initialize` and takes a question", essential=True)
def starts(dialogue: Dialogue) -> None:
    dialogue.ask(f"Hello. {dialogue.trial.marker}")


@chat.promise("the system prompt is the client's, and no other is added", essential=True)
def system_prompt(dialogue: Dialogue) -> None:
    body = dialogue.asked()
    blocks = [block["text"] for block in body.get("system") or []]
    if blocks[-1:] != [SYSTEM]:
        raise Broken(f"the API got {json.dumps(blocks[-1:])[:120]} for a system prompt")
    if sum(map(len, blocks[:-1])) > MAX_OF_ITS_OWN:
        raise Broken(f"{sum(map(len, blocks[:-1]))} characters stand before it")


@chat.promise("the model that is asked is the client's choice, whichever a process was started with", essential=True)
def model(dialogue: Dialogue) -> None:
    asked = dialogue.asked().get("model")
    if MODEL not in str(asked):
        raise Broken(f"{asked} was asked for {MODEL}")


@chat.promise("a change of the model leaves no trace in the conversation")
def traceless(dialogue: Dialogue) -> None:
    first = json.dumps(dialogue.asked()["messages"][0])
    if any(trace in first for trace in TRACE):
        raise Refused("the first turn has the change before its text")


@chat.promise("messages reach the model as messages, in their order, the assistant's among them", essential=True)
def turns(dialogue: Dialogue) -> None:
    word = dialogue.trial.marker
    for number in range(2):
        dialogue.tell(user(f"Question {number}? {word}"), assistant(f"Answer {number}. {word}"))
    dialogue.tell(
        Message("user", (TextBlock(f"Two blocks. {word}"), TextBlock(f"The second. {word}"))), assistant("Yes.")
    )
    compare(dialogue, dialogue.ask(f"And the last? {word}").body)


@chat.promise("@file, /command, !shell and #note are words like others, in questions and in history", essential=True)
def verbatim(dialogue: Dialogue) -> None:
    _say_texts(dialogue, "!cat {file} {word}", "#{word}", " /cost {word}", "@secret.txt and @{file} {word}", COMMAND)


@chat.promise("a plain chat is offered no tool", essential=True)
def no_tools(dialogue: Dialogue) -> None:
    tools = dialogue.asked().get("tools")
    if tools:
        names = ", ".join(str(tool.get("name")) for tool in tools)
        raise Broken(f"{len(tools)} are offered: {names[:120]}")


@chat.promise("the user's settings, hooks, CLAUDE.md and files are left alone", essential=True)
def settings(dialogue: Dialogue) -> None:
    dialogue.asked()
    bodies = json.dumps(dialogue.trial.requests(), ensure_ascii=False)
    for where, text in (("a request", bodies), ("a header", dialogue.trial.headers())):
        if dialogue.trial.planted in text:
            raise Broken(f"{where} has what stood in a file")


@chat.promise("`max_tokens` bounds the answer", switches="max_tokens")
def max_tokens(dialogue: Dialogue) -> None:
    _in_request(dialogue, "max_tokens", BOUND)


@chat.promise("stop sequences reach the API")
def stop(dialogue: Dialogue) -> None:
    _in_request(dialogue, "stop_sequences", [STOP])


@chat.promise("the effort reaches the API", switches="effort")
def effort(dialogue: Dialogue) -> None:
    _in_request(dialogue, "output_config", {"effort": EFFORT})


@chat.promise("a text that begins with a slash needs no newline before it", switches="composed")
def composed(dialogue: Dialogue) -> None:
    _say_texts(dialogue, "@{file} {word}", COMMAND)


@chat.promise("it lists the models of the login", switches="models")
def models(dialogue: Dialogue) -> None:
    listed = dialogue.control("list_models").get("models") or []
    if not listed or not all(isinstance(model.get("value"), str) for model in listed):
        raise Broken("the list is empty, or none")


@chat.promise("it counts tokens without asking a model", switches="counting")
def counting(dialogue: Dialogue) -> None:
    before = len(dialogue.trial.requests())
    dialogue.tell(user(f"How long is this? {dialogue.trial.marker}"), assistant("Not long."))
    parts = dialogue.control("get_context_usage").get("categories") or []
    asked = len(dialogue.trial.requests()) - before
    # The requests for counting belong to no turn, and are expected.
    dialogue.trial.claim(before)
    if asked:
        raise Refused(f"it asked a model {asked} times")
    if not any(part.get("name") == "Messages" and part.get("tokens", 0) > 0 for part in parts):
        raise Broken("it tells no number")


@chat.promise("a process goes back to before any line, and is as new from there", switches="going_back")
def going_back(dialogue: Dialogue) -> None:
    word = dialogue.trial.marker
    if dialogue.lines:
        go_back(dialogue, dialogue.lines[0])
    first = dialogue.ask(f"First. {word}").body
    compare(dialogue, first)
    dialogue.tell(user(f"Second, told. {word}"), assistant("Told."))
    second = dialogue.lines[-1]
    dialogue.ask(f"Third. {word}")
    go_back(dialogue, second)
    compare(dialogue, dialogue.ask(f"Second, edited. {word}").body)
    go_back(dialogue, dialogue.lines[0])
    same(first, dialogue.ask(f"First. {word}").body)


@chat.promise("a process goes back after an answer that was interrupted", switches="going_back")
def going_back_interrupted(dialogue: Dialogue) -> None:
    word = dialogue.trial.marker
    dialogue.ask_in_vain(f"Never mind. {word}")
    go_back(dialogue, dialogue.lines[-1])
    compare(dialogue, dialogue.ask(f"Something else. {word}").body)


@chat.promise("an answer that was cut at `max_tokens` is not gone on with where it is not wanted", switches="held")
def held(dialogue: Dialogue) -> None:
    word, before = dialogue.trial.marker, len(dialogue.trial.requests())
    end = dialogue.ask_too_much(f"Tell me everything. {word}")
    if len(dialogue.trial.requests()) > before + 1:
        raise Refused("it asked to go on")
    if end.terminal_reason != LIMITED:
        raise Refused("it does not say that it was kept from going on")
    go_back(dialogue, dialogue.lines[-1])
    compare(dialogue, dialogue.ask(f"Tell me a little. {word}").body)
    _in_request(dialogue, "max_tokens", BOUND)


@chat.promise("a process says which line it went back to, and refuses one that there is not", switches="going_back")
def going_back_refused(dialogue: Dialogue) -> None:
    if not dialogue.lines:
        dialogue.tell(user(f"Here. {dialogue.trial.marker}"), assistant("Here."))
    nowhere = Line("ffffffff-0000-4000-8000-000000000000", len(dialogue.messages))
    if dialogue.went_back(nowhere):
        raise Broken("it went back to a line that there is not")
    compare(dialogue, dialogue.ask(f"Still here. {dialogue.trial.marker}").body)


@chat.promise("earlier texts of the user are taken at once, in their order and word for word", switches="quick_history")
def quick_history(dialogue: Dialogue) -> None:
    word, file = dialogue.trial.marker, dialogue.trial.secret
    texts = [f"/clear {word}", f"@{file}", f"!cat {file}", f"#{word}", f"  {word} \n", "(no content)"]
    texts += [f"<b>{word}</b>", "[Request interrupted by user]", word * 5000]
    dialogue.tell(user(f"First. {word}"), assistant("I see."))
    messages = [message for number, text in enumerate(texts) for message in (user(text), assistant(f"Fine, {number}."))]
    dialogue.tell_at_once(*messages)
    compare(dialogue, dialogue.ask(f"Hm? {word}").body)
    # It does not matter to a process that goes back, whatever it is told next.
    go_back(dialogue, dialogue.lines[-2])
    dialogue.tell(user(f"Other. {word}"), assistant("I see."))
    dialogue.tell_at_once(*messages[:4])
    compare(dialogue, dialogue.ask(f"Well? {word}").body)


@chat.promise("the end of its input ends the process")
def ends(dialogue: Dialogue) -> None:
    dialogue.trial.end(dialogue.process, at_once=False)
    if dialogue.process.exit_code != 0:
        raise Broken(f"it ended with {dialogue.process.exit_code}")


def _say_texts(dialogue: Dialogue, *kinds: str) -> None:
    """Say what the CLI might take for more than words, the last two of it in questions as well.

    The texts alone are compared: messages are another promise.
    """
    word, file = dialogue.trial.marker, dialogue.trial.secret
    texts = [kind.format(file=file, word=word) for kind in kinds]
    for text in texts:
        dialogue.tell(user(text), assistant("I see."))
    for text in texts[-2:]:
        body = dialogue.ask(text).body
    if dialogue.trial.planted in json.dumps(body):
        raise Broken("a file was read that a text names")
    mark = "" if dialogue.capabilities.composed else "\n"
    should = [f"{mark}{text}" if text.startswith("/") else text for text in (*texts, *texts[-2:])]
    seen = [block["text"] for role, blocks in said(body) if role == "user" for block in blocks]
    if seen[-len(should) :] != should:
        raise Broken(difference(should, seen[-len(should) :]))


def _in_request(dialogue: Dialogue, name: str, value: object) -> None:
    got = dialogue.asked().get(name)
    if got != value:
        raise Broken(f"{name} is {json.dumps(got)} in the request, not {json.dumps(value)}")
