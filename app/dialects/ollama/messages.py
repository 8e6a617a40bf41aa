"""The system prompt and the messages of a request, with pictures and calls.

Calls have no ids here, or are handed back without them: a result belongs to the first call of its tool that has none
yet.
"""

from __future__ import annotations

from typing import Any

from app.conversation import Block, ImageBlock, Message, TextBlock
from app.dialects.attachments import is_data_url, picture_of_data, picture_of_url
from app.dialects.fields import array, function_name, invalid, mapping, one_of, paced, string
from app.dialects.message_list import MessageList, in_tags
from app.dialects.tools import arguments

ROLES = ("system", "user", "assistant", "tool")


class Reader:
    """Reads one list of messages; what is left out is added to `ignored`."""

    def __init__(self, ignored: list[str]) -> None:
        self._list = MessageList(ignored)
        self._open: list[tuple[str, str]] = []  # calls without a result so far: name and id
        self._calls = 0

    def read(self, messages: list[Any]) -> tuple[str, tuple[Message, ...]]:
        """Return the system prompt and the messages, the last of them the user's.

        Leading system messages form the prompt; later ones stand in their place as user text in `<system>` tags.
        Raises BadRequest naming the message.
        """
        system: list[str] = []
        leading = True
        for index, given in paced(messages, "messages"):
            param = f"messages[{index}]"
            message = mapping(given, param)
            role = one_of(message.get("role"), ROLES, f"{param}.role")
            text = _text(message, param)
            leading = leading and role == "system" and index < len(messages) - 1
            if leading:
                system.append(text)
            elif role == "system":
                self._list.add("user", in_tags(text), param)
            elif role == "tool":
                self._list.add("user", self._result(message, text, param), param)
            elif role == "user":
                self._list.add("user", [*_texts(text), *pictures(message.get("images"), f"{param}.images")], param)
            else:
                self._list.add("assistant", [*_texts(text), *self._called(message, param)], param)
        prompt = "\n\n".join(filter(None, system))
        return prompt, self._list.framed("messages", "a tool message")

    def _called(self, message: dict[str, Any], param: str) -> list[Block]:
        found: list[Block] = []
        self._open = []  # what was not answered until now is not going to be
        for index, given in enumerate(array(message.get("tool_calls"), f"{param}.tool_calls")):
            place = f"{param}.tool_calls[{index}]"
            call = mapping(given, place)
            function = mapping(call.get("function"), f"{place}.function")
            name = function_name(function.get("name"), f"{place}.function.name")
            self._calls += 1
            call_id = call.get("id") or f"call-{self._calls}"
            self._open.append((name, call_id))
            found += self._list.rounds.call(call_id, name, arguments(function.get("arguments")), f"{place}.id")
        return found

    def _result(self, message: dict[str, Any], text: str, param: str) -> list[Block]:
        call_id = message.get("tool_call_id") or self._first_open(message.get("tool_name") or message.get("name"))
        if call_id is None:
            raise invalid(param, "answers no tool call of the message before it")
        self._open = [call for call in self._open if call[1] != call_id]
        content: list[TextBlock | ImageBlock] = [*_texts(text), *pictures(message.get("images"), f"{param}.images")]
        return [*self._list.rounds.result(call_id, content, f"{param}.tool_call_id")]

    def _first_open(self, name: Any) -> str | None:
        named = [call_id for tool, call_id in self._open if tool == name]
        return next(iter(named or [call_id for _, call_id in self._open if name is None]), None)


def pictures(given: Any, param: str) -> list[ImageBlock]:
    """Return the pictures of a list of base64 texts, whatever kind they are. Raises BadRequest naming the picture."""
    return [_picture(text, f"{param}[{index}]") for index, text in paced(array(given, param), param)]


def _picture(given: Any, param: str) -> ImageBlock:
    text = string(given, param)
    return picture_of_url(text, param) if is_data_url(text) else picture_of_data("image/png", text, param)


def _text(message: dict[str, Any], param: str) -> str:
    content = message.get("content")
    return "" if content is None else string(content, f"{param}.content")


def _texts(text: str) -> list[TextBlock]:
    return [TextBlock(text)] if text.strip() else []
