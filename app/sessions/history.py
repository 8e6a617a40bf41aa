"""A session's transcript and a request become one conversation: pure, without I/O."""

from __future__ import annotations

import msgspec

from app.conversation import Block, Conversation, Message, ToolResultBlock, ToolUseBlock, interrupted, plain
from app.errors import BadRequest
from app.sessions.store import Session


def continued(session: Session | None, conversation: Conversation) -> Conversation:
    """Return the whole conversation.

    A request that repeats the transcript, or brings a history of its own, is taken as it is; one with new messages
    only is appended. Raises BadRequest where results of tools do not fit the calls.
    """
    asked = conversation.messages
    known = () if session is None else session.messages
    if any(message.role == "assistant" for message in asked) or not known:
        if results := _results(asked[0]):
            raise _misfit(f"{results[0].tool_use_id!r} answers no tool call of this conversation")
        return conversation
    question = _paired(known[-1], asked[0])
    system = conversation.system or (session.system if session is not None else "")
    return msgspec.structs.replace(conversation, system=system, messages=(*known, question))


def _paired(said: Message, question: Message) -> Message:
    """Return the question with the ids of the calls that its results answer; each call has its result, first of all."""
    calls = {plain(block.id): block.id for block in said.content if isinstance(block, ToolUseBlock)}
    results: list[Block] = []
    for block in _results(question):
        call_id = calls.pop(plain(block.tool_use_id), None)
        if call_id is None:
            raise _misfit(f"{block.tool_use_id!r} answers no tool call of this session's last answer")
        results.append(msgspec.structs.replace(block, tool_use_id=call_id))
    words = [block for block in question.content if not isinstance(block, ToolResultBlock)]
    if calls and not words:
        missing = ", ".join(calls.values())
        raise _misfit(f"this session's last answer has tool calls that lack a tool message: {missing}")
    return Message("user", (*results, *map(interrupted, calls.values()), *words))


def _results(message: Message) -> list[ToolResultBlock]:
    return [block for block in message.content if isinstance(block, ToolResultBlock)]


def _misfit(message: str) -> BadRequest:
    return BadRequest(f"messages: {message}", param="messages", code="invalid_value")
