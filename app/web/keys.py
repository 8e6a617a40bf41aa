"""Who calls: where there are API keys, every request but GET /health has to carry one."""

from __future__ import annotations

import base64
import binascii

import flask

from app.config import ANYONE
from app.errors import InvalidKey
from app.keys.keyring import Keyring
from app.records.record import Caller
from app.web import PROBE
from app.web.key_limits import Hold, KeyLimits
from app.web.state import record


class Keys:
    """Refuses with 401 a request without a key, and holds the others to their limits.

    Whom it lets in is the caller in the request's record. A server without keys asks for none, and lets all in.
    """

    def __init__(self, keyring: Keyring, limits: KeyLimits, admins: tuple[str, ...] = ()) -> None:
        self._admins = admins
        self._keyring = keyring
        self._limits = limits

    def check(self) -> None:
        """Raise InvalidKey, KeysUnusable, KeyBusy or KeyRateLimited unless the caller may go on."""
        request = flask.request
        if (request.endpoint == PROBE and request.method in {"GET", "HEAD"}) or not self._keyring.closed:
            record().caller = Caller(client=_program(request))
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        bearer = token.strip() if scheme.lower() == "bearer" else ""
        # Continue sends both headers, and either may hold the key.
        other = request.headers.get("x-api-key", "").strip()
        basic = _password(token) if scheme.lower() == "basic" else ""
        key = self._keyring.find(bearer, other, basic)
        if key is None:
            raise InvalidKey(
                "Incorrect API key provided; `claude-max-api key list` tells the names of the right ones."
                if token or other
                else "This server needs an API key, as `Authorization: Bearer KEY` or `x-api-key: KEY`."
            )
        sees_all = self._admins == ANYONE or key.name in self._admins
        view = None if sees_all else key.identity
        record().caller = Caller(key=key.name, owner=key.identity, client=key.identity, view=view)
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
    """Return what tells the programs apart that call without a key: address, program, and the key made up for it.

    A connection does not: each carries one request here, and clients open as many as they like. Who lies gets a share
    more, and no right.
    """
    sent = request.headers
    return "\n".join(
        (
            request.remote_addr or "",
            sent.get("User-Agent", ""),
            sent.get("Authorization", "") or sent.get("x-api-key", ""),
        )
    )


def _password(token: str) -> str:
    """Return the password that a browser sends for the status page: one of the keys, whatever the user's name.

    Not a cookie, which the browser would hand to every other port of this machine's name as well. Like one it comes
    with requests that foreign pages make; the gate has refused those. What is not in base64 holds none.
    """
    try:
        # Latin-1 takes every byte; a key is ASCII in either.
        sent = base64.b64decode(token.strip().encode("latin-1"), validate=True).decode("latin-1")
    except (binascii.Error, UnicodeError):
        return ""
    return sent.partition(":")[2]
