"""Bodies with anything anywhere."""

from __future__ import annotations

import contextlib
import copy

import pytest

from app.standin import validation
from app.standin.validation import Refusal

from .bodies import CACHE, assistant, document, image, request, result, text, thought, tool, use, user


def places(value, path=()):
    """Yield the path of every value inside `value`."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(inner, (*path, key))


RICH = request(
    user(text("a", **CACHE), image(), document(type="text", media_type="text/plain", data="x")),
    assistant(thought(), text("b"), use("a"), use("b")),
    user(result("a", content=[text("x"), image()]), result("b", is_error=True), text("c")),
    system=[text("s", **CACHE)],
    tools=[tool(**CACHE)],
    tool_choice={"type": "tool", "name": "weather"},
    thinking={"type": "disabled"},
    temperature=0.5,
    stop_sequences=["x"],
    stream=True,
)
JUNK = [None, 0, -1, 1.5, True, "", "x", [], [None], ["x"], {}, {"type": []}, {"type": "text"}, [{"type": "tool_use"}]]


@pytest.mark.parametrize("path", list(places(RICH)), ids=lambda path: ".".join(map(str, path)))
def test_nothing_but_refusals(path):
    """Whatever stands anywhere in a body, the answer is a refusal or acceptance, never another exception."""
    for junk in JUNK:
        body = copy.deepcopy(RICH)
        holder = body
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = junk
        with contextlib.suppress(Refusal):
            validation.check(body, 100)
