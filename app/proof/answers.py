"""What is promised of answers: the form that was asked for, and failures told as what they are."""

from __future__ import annotations

import json
import time

from app.conversation import Conversation, Options
from app.errors import NotLoggedIn, Overloaded, PlanLimit, ProxyError
from app.proof.broken import Broken
from app.proof.dialogue import Dialogue, difference
from app.proof.promise import Scene
from app.proof.trial import MODEL
from app.standin import Failure, Reply, Text, ToolUse

# In the form in which libraries write them: a draft named at the top, definitions, and words that only say something.
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "The name of the thing, größer"},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
    },
    "required": ["name", "parts"],
    "additionalProperties": False,
    "$defs": {"part": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
}
VALUE = {"name": "größe", "parts": [{"n": 1}]}
FORM = "StructuredOutput"

answers = Scene(Conversation(MODEL, "You answer in a form.", (), options=Options(schema=SCHEMA)))


@answers.promise("an answer can be bound to a JSON Schema", switches="structured")
def structured(dialogue: Dialogue) -> None:
    word = dialogue.trial.marker
    filled = Reply((ToolUse(FORM, VALUE, "toolu_01f"),))
    before = len(dialogue.trial.requests())
    heard = dialogue.ask(f"Fill in the form. {word}", reply=filled, again=Reply((Text("Done."),)))
    # 2.1.120 asks the model again when the form is filled in.
    dialogue.trial.claim(before)
    forms = {tool["name"]: tool["input_schema"] for tool in heard.body.get("tools") or []}
    if list(forms) != [FORM]:
        raise Broken(f"the model is offered {sorted(forms)} for a form")
    if forms[FORM].get("properties") != SCHEMA["properties"]:
        raise Broken(difference(SCHEMA["properties"], forms[FORM].get("properties")))
    if json.loads(heard.text or "null") != VALUE:
        raise Broken(f"the client got {heard.text!r}")


@answers.promise("a used-up plan is told as that, with its reset")
def plan_limit(dialogue: Dialogue) -> None:
    error = _failure(dialogue, Failure.plan_limit(int(time.time()) + 3600), PlanLimit)
    if "resets at" not in error.message:
        raise Broken(f"without its reset: {error.message}")


@answers.promise("an overload is told as that")
def overload(dialogue: Dialogue) -> None:
    _failure(dialogue, Failure.overloaded(), Overloaded)


@answers.promise("a missing login is told as that")
def login(dialogue: Dialogue) -> None:
    before = len(dialogue.trial.requests())
    _failure(dialogue, Failure.unauthorized(), NotLoggedIn)
    # The CLI would go on asking, so the process is ended, as the server does.
    dialogue.close()
    dialogue.trial.claim(before)


def _failure(dialogue: Dialogue, failure: Failure, kind: type[ProxyError]) -> ProxyError:
    error = dialogue.ask(f"Hello? {dialogue.trial.marker}", reply=failure).error
    if not isinstance(error, kind):
        told = "an answer" if error is None else f"{error.status}: {error.message}"
        raise Broken(f"the API's {failure.status} came as {told}")
    return error
