"""A conversation in, an HTTP response out: streamed or whole, for every dialect alike."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Sequence

import flask
import msgspec

from app import openclaw
from app.agent_turns import STAND_INS, staffed
from app.backend import Turn
from app.cancellation import Cancellation
from app.conversation import ATTRIBUTION, Conversation, without_attribution
from app.dialects.dialect import Request
from app.dialects.ignored import fit
from app.errors import ClientGone
from app.events import Event
from app.web import sse
from app.web.keys import count_turns
from app.web.merged_turns import MergedTurns
from app.web.state import record, state
from app.web.stored_sessions import HEADER, SessionTurn, shown

# A client may ask for fewer of Claude Code's own tools than the operator allows: `none`, or a list.
TOOLS_HEADER = "X-Proxy-Tools"
# OpenClaw's name for a conversation: a hint, never an identity.
AFFINITY_HEADER = "x-session-affinity"


@dataclasses.dataclass(eq=False)
class _Notes:
    """What the answer's headers tell of the request; all of it is known with the first event."""

    ignored: list[str]
    interrupted: tuple[str, ...] = ()


def respond(request: Request, session: SessionTurn | None = None) -> flask.Response:
    """Return the answer to a request: a turn for each of its conversations, side by side; or the one of a session.

    Raises ProxyError when a turn fails before there is anything to send; later failures end a stream in-band.
    """
    return _streamed(request, session) if request.streams else _whole(request, session)


def _streamed(request: Request, session: SessionTurn | None) -> flask.Response:
    notes = _Notes([*request.ignored])
    with contextlib.ExitStack() as failing:
        turn, all_batches = _begin(request.conversations, failing, session, notes)
        batches = iter(all_batches)
        early = sse.hold(batches)
        scope = failing.pop_all()
    record().streams = True
    stream = request.stream()
    body = sse.body(early, batches, stream, state().settings.heartbeat, note=turn.note, beat=record().beat)
    response = flask.Response(body, headers=sse.HEADERS)
    # Also called when the body was never iterated, which a `finally` in a generator is not.
    response.call_on_close(scope.close)
    scope.callback(_cancel_unread, turn)
    return _marked(response, turn, notes, session)


def _whole(request: Request, session: SessionTurn | None) -> flask.Response:
    notes = _Notes([*request.ignored])
    with contextlib.ExitStack() as scope:
        turn, batches = _begin(request.conversations, scope, session, notes)
        body = request.render(batches)
    return _marked(flask.Response(body, mimetype="application/json"), turn, notes, session)


def _begin(
    conversations: Sequence[Conversation], scope: contextlib.ExitStack, session: SessionTurn | None, notes: _Notes
) -> tuple[Turn, Iterable[list[Event]]]:
    """Return the first turn and the batches of them all; they end with `scope` or with their client."""
    parts, caller = state(), record().caller
    record().turns = turns = list[Turn]()
    # Once for a request, however many turns it takes: they may be the one probe of a plan that was used up.
    parts.backend.admit(conversations[0].model)
    count_turns(len(conversations))
    cancellations = [Cancellation() for _ in conversations]

    def gone() -> None:
        for cancellation in cancellations:
            cancellation.cancel(
                ClientGone("The client left, or closed its sending side, which must stay open until the answer's end.")
            )

    scope.enter_context(parts.disconnects.watch(flask.request.environ, gone, parts.settings.idle_timeout))
    as_asked = _asking(notes, remembered=session is not None)
    if session is not None:
        scope.callback(session.close)
        begun = session.begin(conversations[0], parts.settings.idle_timeout)
        preparation = (whole and as_asked(whole) for whole in begun)
        turn = parts.backend.run(conversations[0], cancellations[0], preparation, client=caller.client)
        scope.callback(turn.close)
        turns.append(turn)
        return turn, session.remembered(turn)
    for conversation, cancellation in zip(conversations, cancellations, strict=True):
        turn = parts.backend.run(as_asked(conversation), cancellation, client=caller.client)
        scope.callback(turn.close)
        turns.append(turn)
    if len(turns) == 1:
        return turns[0], turns[0]
    merged = MergedTurns(turns)
    scope.callback(merged.close)
    return turns[0], merged


def _asking(notes: _Notes, *, remembered: bool) -> Callable[[Conversation], Conversation]:
    """Return what adds to a conversation what the current request's headers, and the settings, say of it.

    A conversation that this server has `remembered` goes on as it is. What is returned may be called when the request
    is no longer the current one.
    """
    headers, settings, caller = flask.request.headers, state().settings, record().caller
    hint, tools = headers.get(AFFINITY_HEADER, ""), headers.get(TOOLS_HEADER)

    def as_asked(conversation: Conversation) -> Conversation:
        system = without_attribution(conversation.system)
        if system != conversation.system:
            notes.ignored.append(f"system.{ATTRIBUTION}")
            conversation = msgspec.structs.replace(conversation, system=system)
        staff = staffed(conversation, settings, tools, caller.key)
        lost = set(conversation.own_tools).difference(staff.own_tools)
        notes.ignored += [f"tools.{name}" for name, own in STAND_INS.items() if own in lost]
        notes.interrupted = conversation.interrupted
        goes_on = staff.goes_on and (remembered or not openclaw.is_passing(staff.question))
        affinity = conversation.affinity or hint
        return msgspec.structs.replace(staff, affinity=affinity, goes_on=goes_on, owner=caller.owner)

    return as_asked


def _marked(response: flask.Response, turn: Turn, notes: _Notes, session: SessionTurn | None) -> flask.Response:
    if turn.served is not None:
        response.headers["x-proxy-served"] = turn.served
    if names := fit(notes.ignored):
        response.headers["x-proxy-ignored"] = ", ".join(names)
    if calls := fit(notes.interrupted):
        response.headers["x-proxy-interrupted"] = ", ".join(calls)
    if session is not None:
        response.headers[HEADER] = shown(session.key)
    return response


def _cancel_unread(turn: Turn) -> None:
    """Cancel a turn whose stream is closed before its end: a write failed before the watch saw that nobody reads."""
    if turn.stop_reason is None and turn.error_code is None:
        turn.cancellation.cancel(ClientGone("The client left."))
