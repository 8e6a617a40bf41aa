"""The input: a text, or items, which become a system prompt and alternating turns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.conversation import Block, DocumentBlock, ImageBlock, Turn
from app.dialects import files, images
from app.dialects.fields import function_name, invalid, mapping, one_of, shown, string
from app.dialects.openai.arguments import arguments
from app.dialects.openai.parts import Attachments, content_blocks, plain_text, text_blocks
from app.dialects.responses.ids import response_of
from app.dialects.stored_response import StoredResponse
from app.dialects.tool_rounds import ToolRounds
from app.dialects.turns import Turns, in_tags

SYSTEM_ROLES = ("system", "developer")
ROLES = (*SYSTEM_ROLES, "user", "assistant")
KINDS = ("message", "function_call", "function_call_output", "reasoning", "item_reference")
LACKING = "a function_call_output"
# Returns a response that was kept, by its id.
Find = Callable[[str], StoredResponse | None]


def _image(part: dict[str, Any], param: str) -> ImageBlock:
    if part.get("file_id") is not None:
        raise invalid(f"{param}.file_id", "is not supported: nothing is stored here; send the picture in image_url")
    return images.of_url(string(part.get("image_url"), f"{param}.image_url"), f"{param}.image_url")


def _file(part: dict[str, Any], param: str) -> DocumentBlock:
    return files.document(part, param)


ATTACHMENTS: Attachments = {"input_image": _image, "input_file": _file}


class Items:
    """Reads the items of one input, which goes on after a response that was kept, if there is one."""

    def __init__(self, before: StoredResponse | None, find: Find) -> None:
        self._find = find
        self._system = [] if before is None else [before.system]
        self._turns = Turns()
        self._rounds = ToolRounds()
        for turn in () if before is None else before.turns:
            self._turns.add(turn.role, turn.content, "input")
            self._rounds.resume(turn)

    def read(self, given: Any) -> tuple[str, tuple[Turn, ...]]:
        """Return the system prompt and the turns, the last of them the user's. Raises BadRequest naming the item.

        Leading system and developer messages form the prompt; later ones stand in their place as user text in
        `<system>` tags.
        """
        if isinstance(given, str):
            given = [{"role": "user", "content": given}]
        if not isinstance(given, list):
            raise invalid("input", "must be a string or an array of items")
        for index, item in enumerate(given):
            place = f"input[{index}]"
            self._take(*self._resolved(mapping(item, place), place), last=index == len(given) - 1)
        self._rounds.expect_none("input", LACKING)
        return "\n\n".join(filter(None, self._system)), self._turns.framed("input")

    def _resolved(self, item: dict[str, Any], param: str) -> tuple[dict[str, Any], str]:
        if item.get("type") != "item_reference":
            return item, param
        name = string(item.get("id"), f"{param}.id")
        owner = response_of(name)
        response = None if owner is None else self._find(owner)
        found = None if response is None else response.item(name)
        if found is None:
            raise invalid(f"{param}.id", f"{shown(name)} is no item of a response that is kept here")
        return found, param

    def _take(self, item: dict[str, Any], param: str, *, last: bool) -> None:
        kind = item.get("type") or "message"
        match kind:
            case "message":
                self._message(item, param, last=last)
            case "function_call":
                name = function_name(item.get("name"), f"{param}.name")
                call = self._rounds.call(
                    item.get("call_id"), name, arguments(item.get("arguments")), f"{param}.call_id"
                )
                self._turns.add("assistant", [call], param)
            case "function_call_output":
                content = content_blocks(item.get("output"), f"{param}.output", ATTACHMENTS)
                result = self._rounds.result(item.get("call_id"), content, f"{param}.call_id")
                self._turns.add("user", [result], f"{param}.output")
            case "reasoning":
                pass  # without a signature the API takes no thinking back
            case _:
                raise invalid(f"{param}.type", f"{shown(kind)} is not supported; the input takes {', '.join(KINDS)}")

    def _message(self, item: dict[str, Any], param: str, *, last: bool) -> None:
        role = one_of(item.get("role"), ROLES, f"{param}.role")
        content, place = item.get("content"), f"{param}.content"
        self._rounds.expect_none(param, LACKING)
        if role in SYSTEM_ROLES:
            text = plain_text(content, place)
            if self._turns.last_role is None and not last:
                self._system.append(text)
            else:
                self._turns.add("user", in_tags(text), place)
            return
        said: list[Block] = [*text_blocks(content, place)] if role == "assistant" else []
        asked: list[Block] = [*content_blocks(content, place, ATTACHMENTS)] if role == "user" else []
        self._turns.add("assistant" if role == "assistant" else "user", said or asked, place)
