"""What an executable may be relied on for, beyond what every version that is served does."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from app.conversation import Conversation


@dataclasses.dataclass(frozen=True)
class Capabilities:
    """What may differ from one version to the next; nothing else in the program asks for a version.

    The defaults are those of an executable of which nothing has been proven yet. What is off then has another way,
    which works with every version that is served; what is on has none.
    """

    composed: bool = False  # a user line can be marked as a client's own words, else a slash gets a newline in front
    going_back: bool = False  # a process can be taken back to before a user line, else its conversation is told anew
    quick_history: bool = False  # earlier texts of the user are taken without an acknowledgement, else it is waited for
    manifests: bool = False  # it takes the tools' list in advance, else it asks for it
    models: bool = False  # it lists the login's models before it is initialized, else with the first turn
    counting: bool = False  # it counts a conversation's tokens without asking a model
    parked: bool = True  # it waits for the results of its calls, else they are told to another process
    tools: bool = True  # the model gets the client's tools as they are
    one_call: bool = True  # the model can be told to call one tool at a time
    structured: bool = True  # the answer can be bound to a JSON Schema
    max_tokens: bool = True  # the answer can be bounded
    effort: bool = True  # how much the model thinks can be chosen

    def lacking(self, conversation: Conversation) -> Iterator[str]:
        """Yield what is off and has no other way, of all that a conversation needs."""
        options = conversation.options
        needs = {
            "tools": bool(conversation.offered),
            "one_call": bool(conversation.offered) and not options.parallel_tools,
            "structured": options.schema is not None,
            "max_tokens": options.max_tokens is not None,
            "effort": options.effort is not None,
        }
        yield from (name for name, needed in needs.items() if needed and not getattr(self, name))


FIELDS = tuple(field.name for field in dataclasses.fields(Capabilities))
