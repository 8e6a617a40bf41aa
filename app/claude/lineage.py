"""What decides the next answer, as digests: two conversations go on alike only where these are equal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from app import paced_json
from app.claude.tool_ids import plain
from app.conversation import Block, Conversation, ToolResultBlock, ToolUseBlock, Turn
from app.event_loop import pieces

_encoder = msgspec.json.Encoder()


def lineage(conversation: Conversation) -> list[bytes]:
    """Return digests of the conversation cut after 0, 1, 2, ... turns.

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
    for turn in conversation.turns:
        digests.append(extended(digests[-1], turn))
    return digests


def extended(digest: bytes, turn: Turn) -> bytes:
    """Return the digest of a conversation that goes on with `turn`."""
    sha = hashlib.sha256(digest + turn.role.encode())
    for piece in pieces(paced_json.encoded(_comparable(turn.content))):
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
