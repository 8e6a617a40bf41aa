"""One process under trial: what it is told, as the server tells it, and what the API then gets from it."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, cast

import msgspec

from app.claude.cli.channel import Channel, Deadlines, finished
from app.claude.cli.incoming import ControlRequest, Result
from app.claude.cli.outgoing import assistant_line, quick_user_line, user_line
from app.claude.cli.proofs import Capabilities
from app.claude.cli.setup import setup_lines
from app.claude.cli.tools import ToolServer
from app.claude.turn.parser import AnswerParser
from app.conversation import Block, Conversation, Message, TextBlock, ToolResultBlock
from app.errors import ProxyError
from app.events import Event, TextDelta
from app.proof.broken import Broken, Refused
from app.proof.trial import Trial
from app.standin import Failure, Reply, Text, ToolUse

# How long one probe may take; the machine may be busy, and a trial gets only what is left of it.
MAX_PROBE_SECONDS = 30.0
WORDS = "Understood."
PAUSE_SECONDS = 0.2
MAX_SHOWN = 80
# How blocks begin that the CLI adds to a user's: of the date (up to 2.1.260), of a change of the model (to 2.1.197).
REMINDER = "<system-reminder>"
TRACE = ("<local-command-caveat>", "<command-name>", "<local-command-stdout>")

Said = list[tuple[str, list[Any]]]


@dataclasses.dataclass
class Heard:
    """What came of one turn: the request that the API got, and the events for the client or the error instead."""

    body: dict[str, Any] = dataclasses.field(default_factory=dict)
    events: list[Event] = dataclasses.field(default_factory=list)
    error: ProxyError | None = None

    @property
    def text(self) -> str:
        """The answer's text."""
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))


@dataclasses.dataclass(frozen=True)
class Line:
    """A user line: its id, and how many messages had been told before it."""

    uuid: str
    messages: int


class Dialogue:
    """A process that has been told its set-up. `messages` have been said since, `lines` are the user's."""

    def __init__(self, trial: Trial, conversation: Conversation, capabilities: Capabilities) -> None:
        self.trial = trial
        self.capabilities = capabilities
        self.conversation = conversation
        self.messages: Said = []
        self.lines: list[Line] = []
        self.tools = Listening(conversation.offered)
        self._body: dict[str, Any] = {}
        self._deadlines = Deadlines(MAX_PROBE_SECONDS, MAX_PROBE_SECONDS)
        self.process = trial.start()
        self.channel = Channel(self.process, self._deadlines)
        self.channel.tools = self.tools
        try:
            self.channel.write(setup_lines(conversation, manifests=capabilities.manifests))
        except BaseException:
            self.close()
            raise

    def give_time(self) -> None:
        """Start the time of the next probe."""
        self._deadlines.ends = time.monotonic() + MAX_PROBE_SECONDS
        self._deadlines.touch()

    def close(self) -> None:
        """End the process; idempotent."""
        self.trial.end(self.process, at_once=True)

    def tell(self, *messages: Message) -> None:
        """Tell messages of a history, waiting where the next must not come before."""
        for message in messages:
            if message.role == "assistant":
                name = f"msg_{len(self.messages)}"
                self._write(assistant_line(message.content, name, self.conversation.model))
            else:
                self._say(message.content, ask=False)
                self._until_result()

    def tell_at_once(self, *messages: Message) -> None:
        """Tell messages of a history at once: the assistant's, then one text of the user's, and so on."""
        pending = b""
        for number, message in enumerate(messages, len(self.messages)):
            if message.role == "assistant":
                pending += assistant_line(message.content, f"msg_{number}", self.conversation.model)
            else:
                (block,) = message.content
                pending += quick_user_line(cast("TextBlock", block).text)
            self.messages.append((message.role, msgspec.to_builtins(message.content)))
        self.channel.write(pending)

    def ask(self, *content: Block | str, reply: Reply | Failure | None = None, again: Reply | None = None) -> Heard:
        """Ask a question and return what came of it. Raises Broken where it fails and `reply` is no failure.

        Where the API is asked more than once for it, it answers `again`.
        """
        blocks = tuple(TextBlock(block) if isinstance(block, str) else block for block in content)
        with self._turn(reply, again) as heard:
            self._say(blocks, ask=True)
            self._listen(heard)
        return heard

    def asked(self) -> dict[str, Any]:
        """Return the last request of this process, for what is in each; make one where there has been none."""
        return self._body or self.ask(f"What is there? {self.trial.marker}").body

    def answer_calls(self, *results: ToolResultBlock, reply: Reply | None = None) -> Heard:
        """Give the results that the process waits for, and return what comes of them."""
        with self._turn(reply) as heard:
            self.messages.append(("user", msgspec.to_builtins(results)))
            self.channel.write(self.tools.give(results))
            self._listen(heard)
        return heard

    def ask_in_vain(self, text: str) -> None:
        """Ask a question, and interrupt the answer when it has begun."""
        with self._turn(Reply((Text([WORDS, WORDS]),), silent_after=1)) as heard:
            self._say((TextBlock(text),), ask=True)
            answer = AnswerParser(self.conversation)
            while not heard.text:
                for line in self.channel.read():
                    heard.events += answer.feed(line)
            self.interrupt()

    def ask_too_much(self, text: str) -> Result:
        """Ask a question whose answer is cut at `max_tokens`, keep the process from going on, and return the end."""
        cut = Reply((Text([WORDS, WORDS], pause=PAUSE_SECONDS),), stop_reason="max_tokens")
        with self._turn(cut) as heard:
            self._say((TextBlock(text),), ask=True)
            answer = AnswerParser(self.conversation)
            while not answer.ended:
                for line in self.channel.read():
                    heard.events += answer.feed(line)
                if heard.text:
                    self.channel.hold()
            if not self.channel.held:
                raise Refused("it does not take the limit")
            return self._until_result()

    def interrupt(self) -> None:
        """End what is going on, and wait for its end."""
        self.channel.interrupt()
        self._until_result()

    def went_back(self, line: Line) -> bool:
        """Go back to before a user's line; return whether the process did. Raises Broken where it went elsewhere.

        What has been said since is forgotten here, too.
        """
        newest = self.lines[-1].uuid
        told = self.control("rewind_conversation", target_message_uuid=line.uuid, last_seen_user_message_uuid=newest)
        if told.get("rewound") is not True:
            return False
        if told.get("targetMessageUuid") != line.uuid:
            raise Broken("it went back to another line than it was to")
        self.messages = self.messages[: line.messages]
        self.lines = [before for before in self.lines if before.messages < line.messages]
        return True

    def control(self, subtype: str, **fields: Any) -> dict[str, Any]:
        """Put a control request and return what is answered. Raises Refused."""
        reply = finished(self.channel.request(subtype, MAX_PROBE_SECONDS, **fields))
        if reply.subtype == "error":
            raise Refused(str(reply.error))
        return reply.payload()

    def expected(self) -> Said:
        """Return what the API should have got to see when it was asked last, in the form of `said`."""
        asked = max(index for index, (role, _) in enumerate(self.messages) if role == "user")
        return _joined(self.messages[: asked + 1])

    def _say(self, content: tuple[Block, ...], *, ask: bool) -> None:
        line = Line(str(uuid.uuid4()), len(self.messages))
        self.lines.append(line)
        self._write(user_line(content, ask=ask, composed=self.capabilities.composed, uuid=line.uuid))

    def _write(self, line: bytes) -> None:
        """Write a message, and remember what it says."""
        self.channel.write(line)
        message = json.loads(line)["message"]
        self.messages.append((message["role"], message["content"]))

    @contextlib.contextmanager
    def _turn(self, reply: Reply | Failure | None, again: Reply | None = None) -> Iterator[Heard]:
        """Have the API answer what is asked within; at the end its request is known, and the answer remembered."""
        answer = reply or Reply((Text(WORDS),))
        answers = itertools.chain([answer], itertools.repeat(again or answer))
        self.trial.api.reply = lambda _: next(answers)
        before, heard = len(self.trial.requests()), Heard()
        yield heard
        bodies = list(enumerate(self.trial.requests()))[before:]
        # A request that is not the turn's own may have come first.
        place, body = next((one for one in bodies if self.trial.marker in json.dumps(one[1])), (before, {}))
        self.trial.own.add(place)
        if not body:
            raise Broken("the API was not asked")
        if heard.error is not None and isinstance(answer, Reply):
            raise Broken(f"an answer of the API's came as {heard.error.status}: {heard.error.message}")
        heard.body = self._body = body
        if isinstance(answer, Reply) and heard.error is None:
            self.messages.append(("assistant", [_given(block) for block in answer.blocks]))

    def _listen(self, heard: Heard) -> None:
        answer = AnswerParser(self.conversation)
        try:
            while not answer.ended:
                for line in self.channel.read():
                    heard.events += answer.feed(line)
        except ProxyError as error:
            if not self.process.alive or time.monotonic() >= self._deadlines.ends:
                raise
            heard.error = error

    def _until_result(self) -> Result:
        while True:
            for line in self.channel.read():
                if isinstance(line, Result):
                    return line


class Listening(ToolServer):
    """The server of the client's tools; `asked` are the methods that the process called."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.asked: list[str] = []

    def reply(self, line: ControlRequest) -> bytes | None:
        """Answer, and note the method."""
        if line.request.message is not None:
            self.asked.append(line.request.message.method)
        return super().reply(line)


def said(body: dict[str, Any]) -> Said:
    """Return what a request says, message by message, without cache marks and without the notes that the CLI adds."""
    return _joined(
        (message["role"], blocks)
        for message in body["messages"]
        if message["role"] != "system"
        if (blocks := [block for block in _blocks(message["content"]) if not _is_note(block)])
    )


def difference(expected: Any, got: Any, place: str = "") -> str:
    """Return where two JSON values begin to differ, and how, in a few words."""
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in [*expected, *got]:
            if expected.get(key) != got.get(key):
                return difference(expected.get(key), got.get(key), f"{place}.{key}")
    if isinstance(expected, list | tuple) and isinstance(got, list | tuple):
        for index, (one, other) in enumerate(zip(expected, got, strict=False)):
            if one != other:
                return difference(one, other, f"{place}.{index}")
        return f"{place.strip('.') or 'in all'}: {len(expected)} expected, {len(got)} seen"
    return f"{place.strip('.')}: expected {_short(expected)}, saw {_short(got)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _joined(messages: Iterable[tuple[str, Any]]) -> Said:
    """Return messages as the API takes them: those of one side one after the other are one."""
    joined: Said = []
    for role, blocks in messages:
        if joined and joined[-1][0] == role:
            joined[-1][1].extend(map(_bare, blocks))
        else:
            joined.append((role, [_bare(block) for block in blocks]))
    return joined


def _blocks(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _bare(block: dict[str, Any]) -> dict[str, Any]:
    bare = {name: value for name, value in block.items() if name != "cache_control"}
    if block["type"] == "tool_result":
        bare["content"] = [_bare(inner) for inner in _blocks(block.get("content") or [])]
        if not bare.get("is_error"):
            bare.pop("is_error", None)
    return bare


def _is_note(block: dict[str, Any]) -> bool:
    text = str(block.get("text", "")).strip()
    return text.startswith((REMINDER, *TRACE)) and text.endswith(">")


def _given(block: Any) -> dict[str, Any]:
    """Return a block of the stand-in's answer as it comes back with the next request."""
    if isinstance(block, ToolUse):
        return {"type": "tool_use", "id": block.id, "name": block.name, "input": dict(block.input)}
    return {"type": "text", "text": "".join(block.chunks)}


def compare(dialogue: Dialogue, body: dict[str, Any]) -> None:
    """Raise Broken unless a request, the last one, says what has been said."""
    should, got = dialogue.expected(), said(body)
    if got != should:
        raise Broken(difference(should, got))


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Raise Broken unless two requests ask the same, cache marks and `metadata` aside."""
    first, second = _plain(one), _plain(other)
    if first != second:
        raise Broken(difference(first, second))


def go_back(dialogue: Dialogue, line: Line) -> None:
    """Go back to before a user's line. Raises Refused where the process does not."""
    if not dialogue.went_back(line):
        raise Refused("it does not go back")


def _plain(body: dict[str, Any]) -> Any:
    """Return a request without what may differ: cache marks, the session's id, and what is computed from the rest."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items() if name != "cache_control"}
        return [plain(inner) for inner in value] if isinstance(value, list) else value

    bare = {name: plain(value) for name, value in body.items() if name != "metadata"}
    bare["messages"] = [{**message, "content": _blocks(message["content"])} for message in bare["messages"]]
    return bare
