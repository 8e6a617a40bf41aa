"""What the tests of both stores keep: a message of each kind."""

from __future__ import annotations

from app.conversation import (
    Base64Source,
    DocumentBlock,
    ImageBlock,
    Message,
    TextBlock,
    TextSource,
    ToolResultBlock,
    ToolUseBlock,
)
from app.sessions.store import SessionName

KEY = SessionName("", "a session")
USER = Message("user", (TextBlock("größe 🙂"), ImageBlock(Base64Source("image/png", "aGk="))))
CALL = Message("assistant", (TextBlock("Let me look."), ToolUseBlock("toolu01", "look", {"at": [1, {"b": None}]})))
RESULT = Message("user", (ToolResultBlock("toolu01", (TextBlock("seen"), DocumentBlock(TextSource("x"), "t"))),))
DONE = Message("assistant", (TextBlock("Done."),))
