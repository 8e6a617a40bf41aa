"""What decides the next answer, as digests: two conversations go on alike only where these are equal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from app import paced_json
from app.claude.cli.tool_ids import plain
from app.conversation import Block, Conversation, ToolResultBlock, ToolUseBlock, Turn
from app.event_loop import pause, pieces

_encoder = msgspec.json.Encoder()


def steps(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Return the turns as a process is told them, a line for each: words behind results are a step of their own.

    The API gets both as one turn; but one can go back to before the words, and not to before the results. These are in
    the order of their calls, as the CLI itself has them.
    """
    found: list[Turn] = []
    order: dict[str, int] = {}
    for turn in turns:
        pause()
        results = [block for block in turn.content if isinstance(block, ToolResultBlock)]
        if results:
            results.sort(key=lambda result: order.get(plain(result.tool_use_id), len(order)))
            found.append(Turn(turn.role, tuple(results)))
        if len(results) < len(turn.content):
            found.append(Turn(turn.role, tuple(b for b in turn.content if not isinstance(b, ToolResultBlock))))
        calls = [plain(block.id) for block in turn.content if isinstance(block, ToolUseBlock)]
        order = {call: place for place, call in enumerate(calls)}
    return tuple(found)


def lineage(conversation: Conversation, told: Sequence[Turn]) -> list[bytes]:
    """Return digests of the conversation, `told` in these steps, cut after 0, 1, 2, ... of them.

    Each covers the owner, model, system prompt, options and all tools.
    """
    start = (
        conversation.owner,
        conversation.model,
        conversation.system,
        conversation.tools,
        conversation.options,
        conversation.own_tools,
    )
    digests = [hashlib.sha256(_encoder.encode(start)).digest()]
    for step in told:
        digests.append(extended(digests[-1], step))
    return digests


def extended(digest: bytes, step: Turn) -> bytes:
    """Return the digest of a conversation that goes on with `step`."""
    sha = hashlib.sha256(digest + step.role.encode())
    for piece in pieces(paced_json.encoded(_comparable(step.content))):
        sha.update(piece)
    return sha.digest()


def _comparable(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with plain ids, since clients may hand them back so."""
    same: list[Block] = []
    for block in blocks:
        if isinstance(block, ToolUseBlock):
            same.append(msgspec.structs.replace(block, id=plain(block.id)))
        elif isinstance(block, ToolResultBlock):
            same.append(msgspec.structs.replace(block, tool_use_id=plain(block.tool_use_id)))
        else:
            same.append(block)
    return same
