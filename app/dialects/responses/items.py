"""The input: a text, or items, which become a system prompt and messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.conversation import DocumentBlock, ImageBlock, Message
from app.dialects import attachments
from app.dialects.dialect import ResponseStore, StoredResponse
from app.dialects.fields import invalid, mapping, one_of, paced, shown, string
from app.dialects.message_list import MessageList, in_tags
from app.dialects.openai.parts import Attachments, content_blocks, plain_text, text_blocks
from app.dialects.responses.objects import response_of
from app.dialects.responses.tools import known_name
from app.dialects.tools import arguments

SYSTEM_ROLES = ("system", "developer")
ROLES = (*SYSTEM_ROLES, "user", "assistant")
# Items of tools that OpenAI runs, or that are not offered here: they have no effect.
OTHERS = frozenset(
    """
    web_search_call file_search_call code_interpreter_call image_generation_call computer_call computer_call_output
    mcp_call mcp_list_tools mcp_approval_request mcp_approval_response tool_search_call tool_search_output
    compaction program program_output
    """.split()
)
# How many stored responses one request may look up.
MAX_RESPONSES = 50
LACKING = "a function_call_output"


def _image(part: dict[str, Any], param: str) -> ImageBlock:
    if part.get("file_id") is not None:
        raise invalid(f"{param}.file_id", "is not supported: nothing is stored here; send the picture in image_url")
    return attachments.picture_of_url(string(part.get("image_url"), f"{param}.image_url"), f"{param}.image_url")


def _file(part: dict[str, Any], param: str) -> DocumentBlock:
    return attachments.document(part, param)


def _function_call(item: dict[str, Any], param: str) -> tuple[str, dict[str, Any]]:
    return known_name(item, param), arguments(item.get("arguments"))


def _custom_call(item: dict[str, Any], param: str) -> tuple[str, dict[str, Any]]:
    return known_name(item, param), {"input": string(item.get("input"), f"{param}.input")}


def _action(item: dict[str, Any], param: str) -> tuple[str, dict[str, Any]]:
    """Return a call whose tool is known by the item's type, such as `local_shell_call`."""
    given = item.get("action", item.get("operation"))
    return item["type"].removesuffix("_call"), mapping(given, f"{param}.action")


# How the calls of tools that run at the client are read: name and arguments. Those of an earlier model's tools are
# history like others.
CALLS: dict[str, Callable[[dict[str, Any], str], tuple[str, dict[str, Any]]]] = {
    "function_call": _function_call,
    "custom_tool_call": _custom_call,
    "local_shell_call": _action,
    "shell_call": _action,
    "apply_patch_call": _action,
}
RESULTS = tuple(f"{kind}_output" for kind in CALLS)
KINDS = ("message", "function_call", "function_call_output", "reasoning", "item_reference")
ATTACHMENTS: Attachments = {"input_image": _image, "input_file": _file}


class Items:
    """Reads the items of one input, which goes on after a response that was kept, if there is one.

    What is left out is added to `ignored`.
    """

    def __init__(self, before: StoredResponse | None, kept: ResponseStore, ignored: list[str]) -> None:
        self._kept = kept
        self._found: dict[str, StoredResponse | None] = {}
        self._ignored = ignored
        self._system = [] if before is None else [before.system]
        self._messages = MessageList(ignored)
        self._said: dict[str, Any] = {}  # messages of the assistant's by their ids
        if before is not None:
            self._said = {item["id"]: item["content"] for item in before.response["output"] if "content" in item}
        for message in () if before is None else before.messages:
            self._messages.resume(message)

    def read(self, given: Any) -> tuple[str, tuple[Message, ...]]:
        """Return the system prompt and the messages, the last of them the user's. Raises BadRequest naming the item.

        Leading system and developer messages form the prompt; later ones stand in their place as user text in
        `<system>` tags.
        """
        if isinstance(given, str):
            given = [{"role": "user", "content": given}]
        if not isinstance(given, list):
            raise invalid("input", "must be a string or an array of items")
        for index, item in paced(given, "input"):
            place = f"input[{index}]"
            self._take(self._resolved(mapping(item, place), place), place, last=index == len(given) - 1)
        return "\n\n".join(filter(None, self._system)), self._messages.framed("input", LACKING)

    def _resolved(self, item: dict[str, Any], param: str) -> dict[str, Any]:
        if item.get("type") != "item_reference":
            return item
        name = string(item.get("id"), f"{param}.id")
        owner = response_of(name)
        if owner is not None and owner not in self._found:
            if len(self._found) >= MAX_RESPONSES:
                raise invalid(f"{param}.id", f"is of one response more than the {MAX_RESPONSES} a request may refer to")
            self._found[owner] = self._kept.find(owner)
        response = None if owner is None else self._found[owner]
        found = None if response is None else response.item(name)
        if found is None:
            raise invalid(f"{param}.id", f"{shown(name)} is no item of a response that is kept here")
        return found

    def _take(self, item: dict[str, Any], param: str, *, last: bool) -> None:
        kind = item.get("type") or "message"
        if not isinstance(kind, str):
            raise invalid(f"{param}.type", "must be a string")
        if kind == "message":
            self._message(item, param, last=last)
        elif kind in CALLS:
            name, given = CALLS[kind](item, param)
            found = self._messages.rounds.call(item.get("call_id"), name, given, f"{param}.call_id")
            self._messages.add("assistant", found, param)
        elif kind in RESULTS:
            content = content_blocks(item.get("output"), f"{param}.output", ATTACHMENTS)
            result = self._messages.rounds.result(item.get("call_id"), content, f"{param}.call_id")
            self._messages.add("user", result, f"{param}.output")
        elif kind in OTHERS:
            self._ignored.append(f"input.{kind}")
        elif kind != "reasoning":  # without a signature the API takes no thinking back
            raise invalid(f"{param}.type", f"{shown(kind)} is not supported; the input takes {', '.join(KINDS)}")

    def _message(self, item: dict[str, Any], param: str, *, last: bool) -> None:
        role = one_of(item.get("role"), ROLES, f"{param}.role")
        content, place = item.get("content"), f"{param}.content"
        if role in SYSTEM_ROLES:
            text = plain_text(content, place)
            if self._messages.last_role is None and not last:
                self._system.append(text)
            else:
                self._messages.add("user", in_tags(text), place)
        elif role == "user":
            self._messages.add("user", content_blocks(content, place, ATTACHMENTS), place)
        elif self._is_new(item, param):
            self._messages.add("assistant", text_blocks(content, place), place)

    def _is_new(self, item: dict[str, Any], param: str) -> bool:
        """Tell whether a message of the assistant's is new, judged by its id and its words."""
        name, words = item.get("id"), item.get("content")
        if not isinstance(name, str):
            return True
        if self._said.setdefault(name, words) is words:
            return True
        if text_blocks(self._said[name], param) != text_blocks(words, f"{param}.content"):
            return True
        self._ignored.append(param)
        return False
