"""Who calls: where there are API keys, every request but GET /health has to carry one."""

from __future__ import annotations

import base64
import binascii

import flask

from app.config import ANYONE
from app.errors import InvalidKey
from app.keys.keyring import Keyring
from app.web.key_limits import KeyLimits

# The only endpoint that needs no key: whether the server runs is no secret, and probes have no keys.
OPEN = "health.alive"


class Keys:
    """Refuses with 401 a request without a key, and holds the others to their limits.

    `flask.g.key_name` is the key's name, for the log, and `flask.g.owner` its identity: what is kept for one is never
    another's, not even under the same name. A server without keys asks for none; the name is None then, the owner "".
    `flask.g.view` is the owner whose figures the caller may see, None for those of all.
    `flask.g.client` is who has a share of the slots: the owner, or what looks like one program.
    """

    def __init__(self, keyring: Keyring, limits: KeyLimits, admins: tuple[str, ...] = ()) -> None:
        self._admins = admins
        self._keyring = keyring
        self._limits = limits

    def init_app(self, app: flask.Flask) -> None:
        """Check every request of `app`, unknown routes included; call it after the gate's."""
        app.before_request(self.check)
        # First in the list is last to run: nothing can fail any more between it and the server.
        app.after_request_funcs.setdefault(None, []).insert(0, self.hand_over)
        app.teardown_request(self.release)

    def check(self) -> None:
        """Raise InvalidKey, KeysUnusable, KeyBusy or KeyRateLimited unless the caller may go on."""
        request = flask.request
        flask.g.key_name, flask.g.owner, flask.g.client = None, "", _program(request)
        flask.g.view = None
        if (request.endpoint == OPEN and request.method in {"GET", "HEAD"}) or not self._keyring.closed:
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
        flask.g.key_name, flask.g.owner, flask.g.client = key.name, key.identity, key.identity
        flask.g.view = None if self._admins == ANYONE or key.name in self._admins else key.identity
        # Reading costs nothing; whatever is posted to a route that exists is a completion.
        if request.method == "POST" and request.url_rule is not None:
            flask.g.key_hold = self._limits.enter(key.name)

    def hand_over(self, response: flask.Response) -> flask.Response:
        """Count a request until its response is closed, which for a stream is its end."""
        hold = flask.g.pop("key_hold", None)
        if hold is not None:
            response.call_on_close(hold.release)
        return response

    def release(self, _: BaseException | None) -> None:
        """Count a request no longer that never got as far as a response."""
        hold = flask.g.pop("key_hold", None)
        if hold is not None:
            hold.release()


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
