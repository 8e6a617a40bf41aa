"""A conversation in, the number of its tokens out: no turn, and nothing spent."""

from __future__ import annotations

import flask
import msgspec

from app.cancellation import Cancellation
from app.dialects.dialect import Counter, Request
from app.dialects.message_list import is_framed
from app.errors import ClientGone
from app.web import capturing, turn_responses
from app.web.keys import count_turns
from app.web.logins import check_login
from app.web.state import record, state

# Whether the number is that of Anthropic's counter alone, or some of it was estimated.
COUNT_HEADER = "x-proxy-count"


def respond(counter: Counter, request: Request) -> flask.Response:
    """Return how many tokens a request has. Raises ProxyError."""
    parts, caller = state(), record().caller
    (asked,) = request.conversations
    check_login()
    count_turns(1)
    cancellation = Cancellation()
    notes = turn_responses.Notes([*request.ignored])
    conversation = turn_responses.asking(notes, remembered=False)(asked)

    def gone() -> None:
        cancellation.cancel(ClientGone("The client left before its count."))

    with parts.disconnects.watch(flask.request.environ, gone, parts.settings.idle_timeout):
        count = parts.backend.count(conversation, cancellation, client=caller.client, tap=capturing.tap())
    # What was left out, or put in, is not what the client asked about.
    as_sent = not is_framed(conversation.messages) and not conversation.interrupted
    whole = not any(name.startswith("tools") for name in notes.ignored)
    response = flask.Response(msgspec.json.encode(counter.body(count.tokens)), mimetype="application/json")
    response.headers[COUNT_HEADER] = "exact" if count.exact and as_sent and whole else "estimate"
    return turn_responses.mark_names(response, notes)
