"""Where a call may come from: programs on this machine, the server's own page, and pages that the operator allowed.

A page can make its visitor's browser send requests here, under its own name (Origin) or, by rebinding a host name
to 127.0.0.1, under that name (Host). Both are checked on every route before anything else. For a picture, a script or
a frame the browser sends no Origin; that a page of another origin caused it is told by `Sec-Fetch-Site`
(https://www.w3.org/TR/fetch-metadata/).

A server that listens beyond loopback has keys. It answers to other machines, and to its addresses besides its names:
a rebound name is never an address. Origins are checked there as well.
"""

from __future__ import annotations

import ipaddress
import re
from http import HTTPStatus

import flask

from app.address import is_loopback
from app.config import Settings
from app.errors import Forbidden
from app.keys.terms import UNITS
from app.web import PROBE

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "600",
}
# A name or address and a port, and nothing else (RFC 9110, 7.2).
HOST = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]*)?")
# Names of headers, as a browser lists them.
HEADER_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
# `same-site` is another port or another subdomain; a tab's address, a bookmark and a program's request are `none`.
FOREIGN = frozenset({"cross-site", "same-site"})
# Pages that people may follow a link to; they keep nothing busy.
LINKED = frozenset({"page.show", "docs.index", "docs.show"})
EXPOSED = (
    "x-request-id, request-id, openai-processing-ms, x-session-id, x-proxy-served, x-proxy-fallback, x-proxy-ignored, "
    "x-proxy-interrupted, x-proxy-billing, x-proxy-count, x-proxy-demo, x-proxy-captured, x-proxy-claude-session, "
    "x-should-retry, Retry-After, WWW-Authenticate, "
) + ", ".join(f"x-ratelimit-{what}-{unit}" for unit in (*UNITS, "share") for what in ("limit", "remaining", "reset"))


class Gate:
    """Refuses requests of strangers with 403."""

    def __init__(self, settings: Settings) -> None:
        self._hosts = frozenset(host.lower() for host in (*settings.allowed_hosts, settings.host))
        self._origins = frozenset(settings.allowed_origins)
        self._schemes = tuple(origin for origin in settings.allowed_origins if origin.endswith("://"))
        # The settings require keys in that case.
        self._beyond_loopback = not is_loopback(settings.host)

    def check(self) -> flask.Response | None:
        """Raise Forbidden unless peer, Host, Origin and cause are allowed; answer the preflights of allowed pages.

        Those carry no key and tell a page nothing: they are all answered alike, whether the route exists or not.
        """
        request = flask.request
        # gunicorn may have been told to listen elsewhere than Settings.host says. A Unix socket has no address.
        if not self._beyond_loopback and request.remote_addr and not is_loopback(request.remote_addr):
            raise Forbidden("This server answers only to programs on its own machine.", code="peer_not_allowed")
        host = request.environ.get("HTTP_HOST", "")
        if host and not self._host_allowed(host):
            raise Forbidden(
                f"Host {host!r} is not allowed; add its name to CLAUDE_PROXY_ALLOWED_HOSTS if you trust it.",
                code="host_not_allowed",
            )
        origin = request.headers.get("Origin")
        if origin is None and _is_foreign(request):
            raise Forbidden(
                "A page of another origin caused this request, as a picture or a frame does; a page that you trust may "
                "call by fetch() once its origin is in CLAUDE_PROXY_ALLOWED_ORIGINS.",
                code="origin_not_allowed",
            )
        if origin is not None and not self._origin_allowed(origin) and not _is_own(request, origin):
            raise Forbidden(
                f"Origin {origin!r} is not allowed; add it to CLAUDE_PROXY_ALLOWED_ORIGINS if you trust that page.",
                code="origin_not_allowed",
            )
        return flask.Response(status=HTTPStatus.NO_CONTENT) if _is_preflight(request) else None

    def permit(self, response: flask.Response) -> flask.Response:
        """Tell the browser of an allowed page that it may call, and read the answer (CORS)."""
        if not self._origins:
            return response
        # Also where there was none: a cache may keep the answer for a page.
        response.vary.add("Origin")
        origin = flask.request.headers.get("Origin", "")
        if self._origin_allowed(origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            if _is_preflight(flask.request):
                response.headers.update(PREFLIGHT)
                asked = flask.request.headers.get("Access-Control-Request-Headers", "")
                response.vary.add("Access-Control-Request-Headers")
                # By name, since a `*` does not cover Authorization; all, since clients have headers of their own.
                if HEADER_NAMES.fullmatch(asked):
                    response.headers["Access-Control-Allow-Headers"] = asked
            else:
                response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response

    def _origin_allowed(self, origin: str) -> bool:
        return origin.lower() in self._origins or origin.lower().startswith(self._schemes)

    def _host_allowed(self, host: str) -> bool:
        found = HOST.fullmatch(host)
        if found is None:
            return False
        name = (found["address"] or found["name"]).lower()
        return is_loopback(name) or name in self._hosts or (self._beyond_loopback and _is_address(name))


def _is_own(request: flask.Request, origin: str) -> bool:
    """Tell whether the page that calls is one of this server's own.

    Its origin is then the very scheme, name and port that the request came to. A page of another program on this
    machine has another port; a page under a name rebound to this machine has had its Host refused; and no page can
    make its browser write another Origin or Host than the true ones.
    """
    host = request.environ.get("HTTP_HOST", "")
    return bool(host) and origin.lower() == f"{request.scheme}://{host}".lower()


def _is_foreign(request: flask.Request) -> bool:
    """Tell whether a page of another origin caused the request without naming itself.

    A person who follows a link from there may read our pages: the page that was left cannot see what comes, and none of
    its code runs on.
    """
    headers = request.headers
    if headers.get("Sec-Fetch-Site") not in FOREIGN or request.endpoint == PROBE:
        return False
    followed = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
    return not (followed and request.method in {"GET", "HEAD"} and request.endpoint in LINKED)


def _is_preflight(request: flask.Request) -> bool:
    # https://fetch.spec.whatwg.org/#cors-preflight-fetch
    headers = request.headers
    return request.method == "OPTIONS" and "Origin" in headers and "Access-Control-Request-Method" in headers


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
