"""A conversation in, an HTTP response out: streamed or whole, for every dialect alike."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence

import flask
import msgspec

from app import openclaw
from app.agent_turns import STAND_INS, with_agent
from app.backend import Turn
from app.cancellation import Cancellation
from app.conversation import ATTRIBUTION, Conversation, Show, without_attribution
from app.dialects.dialect import Request
from app.errors import BadRequest, ClientGone
from app.events import Event, Fallback
from app.web import capturing, sse
from app.web.claude_sessions import AnySessionTurn, ClaudeSessionTurn
from app.web.keys import count_turns
from app.web.logins import check_login
from app.web.merged_turns import MergedTurns
from app.web.model_access import agent_of, fallback_of
from app.web.state import record, state

# A client may ask for fewer of Claude Code's own tools than the operator allows: `none`, or a list.
TOOLS_HEADER = "X-Proxy-Tools"
# How much a client wants to see of their work, instead of what the operator shows.
SHOW_HEADER = "X-Proxy-Show"
SHOWN: dict[str, Show] = {"none": "none", "names": "names", "steps": "steps"}
# The folder that an agent is to work in, below its own.
FOLDER_HEADER = "X-Proxy-Folder"
# OpenClaw's name for a conversation: a hint, never an identity.
AFFINITY_HEADER = "x-session-affinity"
# Of names in one header, and of characters in a name.
MAX_NAMES, MAX_NAME = 40, 64
UNFIT = re.compile(r"[^a-zA-Z0-9_.\[\]-]")


@dataclasses.dataclass(eq=False)
class Notes:
    """What the answer's headers tell of the request; all of it is known with the first event."""

    ignored: list[str]
    interrupted: tuple[str, ...] = ()


def respond(
    request: Request, session: AnySessionTurn | None = None, stream_type: str = sse.MEDIA_TYPE
) -> flask.Response:
    """Return the answer to a request: a turn for each of its conversations, side by side; or the one of a session.

    Raises ProxyError when a turn fails before there is anything to send; later failures end a stream in-band.
    """
    return _streamed(request, session, stream_type) if request.streams else _whole(request, session)


def _streamed(request: Request, session: AnySessionTurn | None, stream_type: str) -> flask.Response:
    notes = Notes([*request.ignored])
    conversations = _admitted(request.conversations, session)
    with contextlib.ExitStack() as failing:
        turn, all_batches = _begin(conversations, failing, session, notes)
        batches = iter(all_batches)
        early = sse.hold(batches, falls_back=bool(conversations[0].fallback))
        # The headers go now, which name the model that is asked instead.
        turn.stay()
        if record().instead_of is not None:
            early = [Fallback(turn.asks), *early]
        scope = failing.pop_all()
    record().streams = True
    stream = request.stream()
    body = sse.body(early, batches, stream, state().settings.heartbeat, note=turn.note, beat=record().beat)
    response = flask.Response(body, headers={**sse.HEADERS, "Content-Type": stream_type})
    # Also called when the body was never iterated, which a `finally` in a generator is not.
    response.call_on_close(scope.close)
    scope.callback(_cancel_unread, turn)
    return _marked(response, turn, notes, session)


def _whole(request: Request, session: AnySessionTurn | None) -> flask.Response:
    notes = Notes([*request.ignored])
    with contextlib.ExitStack() as scope:
        turn, batches = _begin(_admitted(request.conversations, session), scope, session, notes)
        body = request.render(batches)
    return _marked(flask.Response(body, mimetype="application/json"), turn, notes, session)


def _admitted(conversations: Sequence[Conversation], session: AnySessionTurn | None) -> Sequence[Conversation]:
    """Return the conversations for the model that may be asked now, and those that may answer in its place.

    Raises what speaks against the caller's request, or what the plan says of the model that it asks for.
    """
    parts, made, model = state(), record(), conversations[0].model
    check_login()
    parts.budgets.enter(made.id, made.caller, model)
    made.turns, made.meant = [], model
    # Once for a request, however many turns it takes: they may be the one probe of a plan that was used up.
    model, *fallback = parts.backend.admit(model, *fallback_of(made.asked or "", model))
    count_turns(len(conversations))
    # Several answers would come from several models, of which the headers name one; and Claude Code's own session has
    # the question of the first attempt in it.
    others = () if len(conversations) > 1 or isinstance(session, ClaudeSessionTurn) else tuple(fallback)
    return [msgspec.structs.replace(one, model=model, fallback=others) for one in conversations]


def _begin(
    conversations: Sequence[Conversation],
    scope: contextlib.ExitStack,
    session: AnySessionTurn | None,
    notes: Notes,
) -> tuple[Turn, Iterable[list[Event]]]:
    """Return the first turn and the batches of them all; they end with `scope` or with their client."""
    parts, caller, tap = state(), record().caller, capturing.tap()
    record().turns = turns = list[Turn]()
    cancellations = [Cancellation() for _ in conversations]

    def gone() -> None:
        for cancellation in cancellations:
            cancellation.cancel(
                ClientGone("The client left, or closed its sending side, which must stay open until the answer's end.")
            )

    scope.enter_context(parts.disconnects.watch(flask.request.environ, gone, parts.settings.idle_timeout))
    as_asked = asking(notes, remembered=session is not None)
    if session is not None:
        scope.callback(session.close)
        preparation = session.begin(conversations[0], as_asked, parts.settings.idle_timeout)
        turn = parts.backend.run(conversations[0], cancellations[0], preparation, client=caller.client, tap=tap)
        scope.callback(turn.close)
        turns.append(turn)
        return turn, session.remembered(turn)
    if len(conversations) > 1:  # all or none: what some of them had taken from others would have been in vain
        parts.backend.check_room(caller.client, len(conversations))
    for conversation, cancellation in zip(conversations, cancellations, strict=True):
        turn = parts.backend.run(as_asked(conversation), cancellation, client=caller.client, tap=tap)
        scope.callback(turn.close)
        turns.append(turn)
    if len(turns) == 1:
        return turns[0], turns[0]
    merged = MergedTurns(turns)
    scope.callback(merged.close)
    return turns[0], merged


def asking(notes: Notes, *, remembered: bool) -> Callable[[Conversation], Conversation]:
    """Return a function that adds to a conversation what the request's headers and the settings say of it.

    A conversation that this server has `remembered` goes on as it is. What is returned may be called when the request
    is no longer the current one.
    """
    headers, settings, caller = flask.request.headers, state().settings, record().caller
    hint, tools = headers.get(AFFINITY_HEADER, ""), headers.get(TOOLS_HEADER)
    show = headers.get(SHOW_HEADER, "").strip().lower()
    if show and show not in SHOWN:
        notes.ignored.append(SHOW_HEADER.lower())
    agent, folder = agent_of(record().asked or ""), headers.get(FOLDER_HEADER)
    if folder is not None:  # WSGI hands over bytes as Latin-1
        folder = folder.encode("latin-1").decode("utf-8", "replace")
    if agent is None and folder is not None:
        notes.ignored.append(FOLDER_HEADER.lower())

    def as_asked(conversation: Conversation) -> Conversation:
        system = without_attribution(conversation.system)
        if system != conversation.system:
            notes.ignored.append(f"system.{ATTRIBUTION}")
            conversation = msgspec.structs.replace(conversation, system=system)
        if folder is not None:
            if agent is not None and conversation.folder is not None and conversation.folder.strip() != folder.strip():
                raise BadRequest(
                    f"metadata.folder and the header {FOLDER_HEADER} name two folders", param="metadata.folder"
                )
            conversation = msgspec.structs.replace(conversation, folder=folder)
        if agent is not None and conversation.folder is not None and "metadata" in notes.ignored:
            notes.ignored.remove("metadata")
        adapted = with_agent(conversation, settings, agent, tools, caller.key)
        lost = set(conversation.own_tools).difference(adapted.own_tools)
        notes.ignored += [f"tools.{name}" for name, own in STAND_INS.items() if own in lost]
        notes.interrupted = conversation.interrupted
        goes_on = adapted.goes_on and (remembered or not openclaw.is_passing(adapted.question))
        affinity = conversation.affinity or hint
        shown = SHOWN.get(show, adapted.show)
        return msgspec.structs.replace(adapted, affinity=affinity, goes_on=goes_on, owner=caller.owner, show=shown)

    return as_asked


def _marked(response: flask.Response, turn: Turn, notes: Notes, session: AnySessionTurn | None) -> flask.Response:
    if turn.served is not None:
        response.headers["x-proxy-served"] = turn.served
    if any(one.extra_usage for one in record().turns or ()):
        response.headers["x-proxy-billing"] = "extra"
    if (meant := record().instead_of) is not None:
        response.headers["x-proxy-fallback"] = f"{meant[:MAX_NAME]} -> {turn.asks}"
    mark_names(response, notes)
    if session is not None:
        response.headers.update(session.headers)
    return response


def mark_names(response: flask.Response, notes: Notes) -> flask.Response:
    """Return the response with the names of what had no effect, and of calls answered as interrupted."""
    for header, names in (("x-proxy-ignored", notes.ignored), ("x-proxy-interrupted", notes.interrupted)):
        # A header has bounds, and a client may send any key.
        fit = filter(None, (UNFIT.sub("?", name[:MAX_NAME]) for name in names))
        if told := [*dict.fromkeys(fit)][:MAX_NAMES]:
            response.headers[header] = ", ".join(told)
    return response


def _cancel_unread(turn: Turn) -> None:
    """Cancel a turn whose stream is closed before its end: a write failed before the watch saw that nobody reads."""
    if turn.stop_reason is None and turn.error_code is None:
        turn.cancellation.cancel(ClientGone("The client left."))
