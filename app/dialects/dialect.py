"""What a dialect is: one object by which the server knows it.

A new dialect is a folder and a line in `app.dialects`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from app.conversation import Conversation, Message
from app.errors import ProxyError
from app.events import Event


class StoredResponse(msgspec.Struct, frozen=True):
    """A response's object, and the conversation up to its end.

    `system` is what its input said as the system, without the instructions, which do not outlive their request.
    """

    response: dict[str, Any]
    system: str
    messages: tuple[Message, ...]

    def item(self, item_id: str) -> dict[str, Any] | None:
        """Return an item of the output."""
        return next((item for item in self.response["output"] if item.get("id") == item_id), None)


class Stream(Protocol):
    """Writes the bytes of a streamed answer."""

    def feed(self, batch: list[Event]) -> bytes:
        """Return what a batch of events adds, b"" for nothing. Raises ProxyError."""

    def heartbeat(self) -> bytes:
        """Return a sign of life; it may be the first that goes out."""

    def error(self, error: ProxyError) -> bytes:
        """Return the error that ends the stream."""


class Request(Protocol):
    """A body that has been read and checked: a conversation for each answer that is wanted.

    `ignored` names the parameters that have no effect, `session_id` the session that the body names.
    """

    @property
    def conversations(self) -> Sequence[Conversation]:
        """What is asked, once for each answer."""

    @property
    def streams(self) -> bool:
        """Whether the answer is wanted as a stream."""

    @property
    def ignored(self) -> Sequence[str]:
        """The parameters that were sent and have no effect."""

    @property
    def session_id(self) -> str | None:
        """The session that the body names."""

    def stream(self) -> Stream:
        """Return what writes the answer as a stream."""

    def render(self, batches: Iterable[list[Event]]) -> bytes:
        """Read the turns to their end and return the whole answer as JSON. Raises what a turn raises."""


class ResponseStore(Protocol):
    """The responses that are kept for the caller. Every method raises SessionStorageFailed."""

    def find(self, response_id: str) -> StoredResponse | None:
        """Return a response that has not expired."""

    def keep(self, response: dict[str, Any], system: str, messages: tuple[Message, ...]) -> None:
        """Keep a response with the conversation up to its end."""


@dataclasses.dataclass(frozen=True)
class Context:
    """What a dialect may need of the server to read a request.

    `resolve_model` turns a client's name for a model into the CLI's, `responses` gives what the caller has kept.
    `in_session` says that the request names a
    session outside its body, and `request_id` is what the log calls it.
    """

    resolve_model: Callable[[str], str]
    responses: Callable[[], ResponseStore]
    request_id: str
    in_session: bool = False


@dataclasses.dataclass(frozen=True)
class Envelope:
    """How an API wraps what is not the answer: an error's status and body, for a request of this id, and headers."""

    status: Callable[[ProxyError], int]
    body: Callable[[ProxyError, str | None], dict[str, Any]]
    # What the names of its responses begin with in the OpenAPI document; empty for OpenAI's.
    name: str = ""
    # Where its clients look for the request's id, beside `x-request-id`.
    id_header: str | None = None
    # Where its clients look for how long a request took, in milliseconds.
    time_header: str | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Operation:
    """What the OpenAPI document says of a dialect: the struct of its body and the schema of its answer.

    `filled` holds what the struct leaves to a closer look, by field; `stream` tells in words what a stream is made of;
    `schemas` are those that only this dialect refers to, its answer's among them, by name.
    """

    id: str
    summary: str
    request: type[msgspec.Struct]
    answer: str
    stream: str
    filled: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    schemas: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Counter:
    """A way to ask how many tokens a request has: `path` is below its dialect's, `body` is the answer.

    `id`, `summary`, `request` and `answer` are for the OpenAPI document, as an Operation's.
    """

    path: str
    read: Callable[[bytes, Context], Request]
    body: Callable[[int], dict[str, Any]]
    id: str
    summary: str
    request: type[msgspec.Struct]
    answer: str


@dataclasses.dataclass(frozen=True, eq=False)
class Dialect:
    """A way to ask: `path` is below the prefix `/v1`, `read` raises BadRequest with the field in `param`.

    A dialect whose API has paths of its own names their beginning, its `root`: it has no prefix then, and its envelope
    holds for all of them. A request without conversations is answered at once by what it renders of nothing.
    """

    name: str
    path: str
    read: Callable[[bytes, Context], Request]
    envelope: Envelope
    operation: Operation
    # Whether a request may go on with a session by the header X-Session-Id.
    sessions: bool = False
    counter: Counter | None = None
    root: str = ""
    # What a stream is made of, for its header.
    stream_type: str = "text/event-stream; charset=utf-8"
