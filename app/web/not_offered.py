"""What the APIs of OpenAI and Anthropic have and this server does not do, by path: the answer is 501 and says why.

The paths are those that their SDKs call. Without this a call could match a route that takes an id
where the API has a word, and the client would be told that its method is wrong.
"""

from __future__ import annotations

import re

# In place of an id, or of whatever follows.
ID, REST = "[^/]+", "(?:/.*)?"
MANAGING = "Models are not managed here: they are Claude's, and GET /api/tags lists them"
REASONS = {
    "/responses/compact": "Compacting a conversation is not offered; send it whole, or as much of it as is wanted",
    f"/responses/{ID}/cancel": "Responses in the background are not offered; close the connection to cancel one",
    f"/responses/{ID}/input_items": "The input of a response is not handed out again",
    f"/chat/completions/{ID}{REST}": "Chat completions are not stored; /v1/responses keeps what it answers",
    f"/messages/batches{REST}": "Batches are not offered: Claude Code has none; send the requests to /v1/messages",
    f"/batches{REST}": "Batches are not offered: Claude Code has none; send the requests one by one",
    "/complete": "Text completions in Anthropic's old form are not offered; use /v1/messages",
    f"/engines/{ID}/(?:chat/)?completions": "Engines are not offered; name the model in the body, without its path",
    f"/conversations{REST}": "Conversations are not offered; use previous_response_id, or X-Session-Id in chat",
    f"/(?:assistants|threads){REST}": "The Assistants API is not offered; use /v1/responses",
    "(?:/engines/[^/]+)?/embeddings": "Embeddings are not offered: Claude has none; use another server for them",
    "/api/embed(?:dings)?": "Embeddings are not offered: Claude has none; use another server for them",
    f"/api/(?:pull|push|create|copy|delete|blobs{REST})": MANAGING,
    "/moderations": "Moderation is not offered: Claude Code has none",
    f"/(?:images|videos){REST}": "Making pictures and videos is not offered: Claude makes none",
    f"/(?:audio|realtime){REST}": "Sound is not offered: Claude neither hears nor speaks",
    f"/(?:files|uploads){REST}": "Files are not kept here; send each in the message that it belongs to",
    f"/(?:vector_stores|containers|skills|fine_tuning|evals){REST}": "This part of OpenAI's API is not offered",
}
PATHS = re.compile("|".join(f"({path})" for path in REASONS))
TEXTS = tuple(REASONS.values())


def reason(path: str) -> str | None:
    """Return why a path, with or without /v1, is not served; None for one that neither API has, or that is."""
    found = PATHS.fullmatch(path.rstrip("/").removeprefix("/v1"))
    return None if found is None or found.lastindex is None else f"{TEXTS[found.lastindex - 1]}."
