"""What a request may hold, as far as it is looked at; the rest is accepted and named as ignored.

https://docs.ollama.com/api/chat and https://docs.ollama.com/api/generate
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

Name = Annotated[str, msgspec.Meta(max_length=500)]


class OllamaChat(msgspec.Struct):
    """The fields looked at; null means absent. Those of type Any are checked item by item, to name the item."""

    model: Name
    messages: list[Any] | None = None
    tools: list[Any] | None = None
    format: Any = None
    options: dict[str, Any] | None = None
    stream: bool | None = None
    think: bool | str | None = None
    keep_alive: Any = None


class OllamaGenerate(msgspec.Struct):
    """The same, for a text that is answered."""

    model: Name
    prompt: str | None = None
    system: str | None = None
    images: list[Any] | None = None
    suffix: str | None = None
    format: Any = None
    options: dict[str, Any] | None = None
    stream: bool | None = None
    think: bool | str | None = None
    keep_alive: Any = None
