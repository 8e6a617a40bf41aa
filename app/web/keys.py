"""Who calls: where there are API keys, every request has to carry one, but for GET /health and the page's own files."""

from __future__ import annotations

import base64
import binascii
import datetime as dt

import flask

from app.config import ANYONE
from app.errors import InvalidKey, KeyExpired
from app.keys.keyring import Keyring
from app.records.record import Caller
from app.web import OPEN
from app.web.key_limits import Hold, KeyLimits
from app.web.state import record


class Keys:
    """Refuses with 401 a request without a key, and holds the others to their limits.

    The caller goes into the request's record. A server without keys lets everybody in.
    """

    def __init__(self, keyring: Keyring, limits: KeyLimits, admins: tuple[str, ...] = ()) -> None:
        self._admins = admins
        self._keyring = keyring
        self._limits = limits

    def check(self) -> None:
        """Raise InvalidKey, KeyExpired, KeysUnusable, KeyBusy or KeyRateLimited unless the caller may go on."""
        request = flask.request
        if not self._keyring.closed:
            record().caller = Caller(client=_program(request))
            return
        if request.endpoint in OPEN and request.method in {"GET", "HEAD"}:
            return  # a stranger still, who sees no figures, and whose errors are no news
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        # Continue sends both headers, and either may hold the key. `api-key` is Azure's name for it.
        other = (request.headers.get("x-api-key") or request.headers.get("api-key", "")).strip()
        basic = _password(token) if scheme.lower() == "basic" else ""
        key = self._keyring.find(bearer, other, basic)
        if key is None:
            raise InvalidKey(
                "Incorrect API key provided; `claude-max-api key list` tells the names of the right ones."
                if token or other
                else "This server needs an API key, as `Authorization: Bearer KEY` or `x-api-key: KEY`."
            )
        if key.terms.expires is not None and key.terms.expired:
            ended = dt.datetime.fromtimestamp(key.terms.expires).astimezone().isoformat(timespec="minutes")
            raise KeyExpired(
                f"The API key {key.name} ended at {ended}; whoever runs the server can give it more time with "
                f"`claude-max-api key set {key.name} --expires 90d`."
            )
        sees_all = self._admins == ANYONE or key.name in self._admins
        view = None if sees_all else key.identity
        record().caller = Caller(key=key.name, owner=key.identity, client=key.identity, view=view, terms=key.terms)
        # Reading costs nothing. Counted before the body is read: a key's limit bounds that work, too.
        if request.method == "POST" and request.url_rule is not None:
            flask.g.key_hold = hold = self._limits.enter(key.name)
            record().on_end(hold.release)


def count_turns(turns: int) -> None:
    """Count the turns of the current request against its key's limit. Raises KeyBusy."""
    hold: Hold | None = flask.g.get("key_hold")
    if hold is not None:
        hold.take(turns)


def _program(request: flask.Request) -> str:
    """Return what tells apart the programs that call without a key: address, program, and any made-up key.

    A connection does not tell them apart: each carries one request, and clients open as many as they like. A program
    that lies gets one more share of the slots, but no further right.
    """
    sent = request.headers
    return "\n".join(
        (
            request.remote_addr or "",
            sent.get("User-Agent", ""),
            sent.get("Authorization", "") or sent.get("x-api-key", "") or sent.get("api-key", ""),
        )
    )


def _password(token: str) -> str:
    """Return the password that a browser sends for the status page: one of the keys, whatever the user's name.

    It is no cookie: a browser would send that to every other port of this machine too. Like a cookie, the password also
    comes with requests that foreign pages cause; the gate has refused those by now. A header that is not base64 gives
    an empty password.
    """
    try:
        # Latin-1 takes every byte; a key is ASCII in either.
        sent = base64.b64decode(token.strip().encode("latin-1"), validate=True).decode("latin-1")
    except (binascii.Error, UnicodeError):
        return ""
    return sent.partition(":")[2]
