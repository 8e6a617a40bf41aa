"""A conversation in the neutral form between the dialects and `claude`: the Messages API's messages and blocks.

Block shapes: https://docs.claude.com/en/api/messages
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from app.agents.agent import Workplace


class TextBlock(msgspec.Struct, frozen=True, tag="text"):
    """Text, never empty or only white space (the API refuses that)."""

    text: str


class Base64Source(msgspec.Struct, frozen=True, tag="base64"):
    """Bytes of an image or a document, encoded."""

    media_type: str
    data: str


class UrlSource(msgspec.Struct, frozen=True, tag="url"):
    """An address that the API fetches; this server never does."""

    url: str


class TextSource(msgspec.Struct, frozen=True, tag="text"):
    """A plain text document."""

    data: str
    media_type: Literal["text/plain"] = "text/plain"


class ImageBlock(msgspec.Struct, frozen=True, tag="image"):
    """A picture."""

    source: Base64Source | UrlSource


class Citing(msgspec.Struct, frozen=True):
    """Whether the answer is to cite a document; the API wants the same of all of them."""

    enabled: bool


class DocumentBlock(msgspec.Struct, frozen=True, tag="document", omit_defaults=True):
    """A PDF or a text; `context` is what the client says about it."""

    source: Base64Source | UrlSource | TextSource
    title: str | None = None
    context: str | None = None
    citations: Citing | None = None


def plain(call_id: str) -> str:
    """Return a call's id as ids are compared: clients may hand them back without their punctuation."""
    return re.sub(r"[^a-zA-Z0-9]", "", call_id)


class ToolUseBlock(msgspec.Struct, frozen=True, tag="tool_use"):
    """A call the assistant made; `input` is a JSON object."""

    id: str
    name: str
    input: dict[str, Any]


class ToolResultBlock(msgspec.Struct, frozen=True, tag="tool_result", omit_defaults=True):
    """What a call gave, or why it failed, in the user message right after it."""

    tool_use_id: str
    content: tuple[TextBlock | ImageBlock | DocumentBlock, ...]
    is_error: bool = False


# The result of a call that somebody interrupted; the API takes no call without a result.
INTERRUPTED = TextBlock("[The tool was interrupted; it gave no result.]")


def interrupted(call_id: str) -> ToolResultBlock:
    """Return the result of a call that was interrupted."""
    return ToolResultBlock(call_id, (INTERRUPTED,), is_error=True)


class ThinkingBlock(msgspec.Struct, frozen=True, tag="thinking"):
    """What the assistant thought; the API takes it back only unchanged, with its signature."""

    thinking: str
    signature: str


class RedactedThinkingBlock(msgspec.Struct, frozen=True, tag="redacted_thinking"):
    """What the assistant thought, readable for the API alone."""

    data: str


Block = TextBlock | ImageBlock | DocumentBlock | ToolUseBlock | ToolResultBlock | ThinkingBlock | RedactedThinkingBlock


class Message(msgspec.Struct, frozen=True):
    """One side's words, as in the Messages API; in a conversation the sides alternate."""

    role: Literal["user", "assistant"]
    content: tuple[Block, ...]


# How Claude Code, where it is the client, begins its system prompt: with a line about itself, in a block of its own.
ATTRIBUTION = "x-anthropic-billing-header"


def without_attribution(system: str) -> str:
    """Return a system prompt without its client's line about itself.

    The CLI takes a prompt that begins with such a line for one of its own, and would send the client's line instead of
    its own. The line tells who asks, which is the CLI, and differs from conversation to conversation.
    """
    while system.startswith(ATTRIBUTION):
        system = system.partition("\n")[2].lstrip("\n")
    return system


class ToolDefinition(msgspec.Struct, frozen=True):
    """A function the client offers to the model; `input_schema` is a JSON Schema of an object."""

    name: str
    description: str
    input_schema: dict[str, Any]


class ToolChoice(msgspec.Struct, frozen=True):
    """Whether the model must call a tool: any (`required`), or the one of this `name`; or none at all (`forbidden`)."""

    required: bool = False
    name: str | None = None
    forbidden: bool = False

    @property
    def must_call(self) -> bool:
        """Whether text alone is no answer."""
        return self.required or self.name is not None


class Options(msgspec.Struct, frozen=True):
    """How the answer is to be made; every default leaves the choice to the CLI.

    `max_tokens` bounds one answer, `stop` ends it before any of these texts, `thinking` asks to see the thinking,
    `schema` is the JSON Schema that the whole answer must satisfy. `signed` says that the client gets thinking as
    signed blocks, which it hands back.
    """

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    thinking: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    parallel_tools: bool = True
    tool_choice: ToolChoice = ToolChoice()
    schema: dict[str, Any] | None = None
    signed: bool = False


# How much a client gets to see of what Claude Code's own tools do: nothing, what is called, or also what that gave.
Show = Literal["none", "names", "steps"]


class ClaudeSession(msgspec.Struct, frozen=True):
    """A session that Claude Code keeps: its id, and its transcript's path where it has begun."""

    id: str
    transcript: str | None = None


class Conversation(msgspec.Struct, frozen=True):
    """What a client asks: a system prompt, the messages so far (the last is the user's) and a model for the CLI.

    `model` is an alias or a full name as the CLI takes it, and `fallback` names those that may answer in its place, in
    order, while it is overloaded or its window of the plan closed; `tools` are the client's, and run at the client.
    `own_tools` are those of Claude Code's own that the client asks for in the place of its API's, by name. An agent's
    turn has a `workplace`: what may work on this machine. `folder` is the one that the client names for it. `kept` is
    the session in which Claude Code itself has what was said before, and keeps what is said now. `goes_on`
    is False where no other request can continue this one, and `affinity` is a hint of the client's: conversations that
    share it may be one. `owner` is the identity of the API key that asks, empty where there are no keys: nothing of one
    owner's conversations may reach another's. `show` tells how much the client gets to see of an agent's work.
    """

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolDefinition, ...] = ()
    options: Options = Options()
    own_tools: tuple[str, ...] = ()
    workplace: Workplace | None = None
    folder: str | None = None
    kept: ClaudeSession | None = None
    goes_on: bool = True
    affinity: str = ""
    owner: str = ""
    show: Show = "none"
    fallback: tuple[str, ...] = ()

    @property
    def offered(self) -> tuple[ToolDefinition, ...]:
        """Return the tools that the model gets to see: only the one it must call, if there is one."""
        name = self.options.tool_choice.name
        return self.tools if name is None else tuple(tool for tool in self.tools if tool.name == name)

    @property
    def interrupted(self) -> tuple[str, ...]:
        """Return the ids of the calls that were answered as interrupted."""
        blocks = (block for message in self.messages for block in message.content)
        results = (block for block in blocks if isinstance(block, ToolResultBlock))
        return tuple(result.tool_use_id for result in results if result == interrupted(result.tool_use_id))

    @property
    def cites(self) -> bool:
        """Whether the answer is to cite the documents in it."""
        blocks = (block for message in self.messages for block in message.content)
        inner = (
            part for block in blocks for part in (block.content if isinstance(block, ToolResultBlock) else (block,))
        )
        return any(isinstance(block, DocumentBlock) and block.citations is not None for block in inner)

    @property
    def question(self) -> Message:
        """Return the last message, the one to be answered."""
        return self.messages[-1]
