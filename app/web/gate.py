"""Where a call may come from: programs on this machine, the server's own page, and pages that the operator allowed.

A page can make its visitor's browser send requests here, under its own name (Origin) or, by rebinding a host name
to 127.0.0.1, under that name (Host). Both are checked on every route before anything else.

A server that listens beyond loopback has keys. It answers to other machines, and to its addresses besides its names:
a rebound name is never an address. Origins are checked there as well.
"""

from __future__ import annotations

import ipaddress
import urllib.parse
from http import HTTPStatus

import flask

from app.config import Settings, is_loopback
from app.errors import Forbidden

# The headers are named because a `*` does not cover Authorization; the SDKs add some of their own.
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, x-api-key, x-request-id, x-session-id, "
    # Some browsers take User-Agent, which the AI SDK sets, for one of the page's own.
    "User-Agent, x-stainless-arch, x-stainless-helper, x-stainless-helper-method, x-stainless-lang, x-stainless-os, "
    "x-stainless-package-version, x-stainless-poll-helper, x-stainless-retry-count, x-stainless-runtime, "
    "x-stainless-runtime-version, x-stainless-timeout, OpenAI-Beta, OpenAI-Organization, OpenAI-Project, "
    "anthropic-beta, anthropic-dangerous-direct-browser-access, anthropic-version",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "600",
}
EXPOSED = (
    "x-request-id, request-id, openai-processing-ms, x-session-id, x-proxy-served, x-proxy-ignored, x-should-retry, "
    "Retry-After, WWW-Authenticate"
)


class Gate:
    """Refuses strangers with 403."""

    def __init__(self, settings: Settings) -> None:
        self._hosts = frozenset(host.lower() for host in (*settings.allowed_hosts, settings.host))
        self._origins = frozenset(settings.allowed_origins)
        # Settings have seen to it that there are keys then.
        self._beyond_loopback = not is_loopback(settings.host)

    def init_app(self, app: flask.Flask) -> None:
        """Check every request of `app`, unknown routes included."""
        app.before_request(self.check)
        app.after_request(self.permit)

    def check(self) -> flask.Response | None:
        """Raise Forbidden unless peer, Host and Origin are allowed; answer the preflights of allowed pages.

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
        if origin is not None and origin.lower() not in self._origins and not _is_own(request, origin):
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
        if origin.lower() in self._origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            if _is_preflight(flask.request):
                response.headers.update(PREFLIGHT)
            else:
                response.headers["Access-Control-Expose-Headers"] = EXPOSED
        return response

    def _host_allowed(self, host: str) -> bool:
        try:
            name = urllib.parse.urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name in self._hosts or (self._beyond_loopback and _is_address(name))


def _is_own(request: flask.Request, origin: str) -> bool:
    """Tell whether the page that calls is one of this server's own.

    Its origin is then the very scheme, name and port that the request came to. A page of another program on this
    machine has another port; a page under a name rebound to this machine has had its Host refused; and no page can
    make its browser write another Origin or Host than the true ones.
    """
    host = request.environ.get("HTTP_HOST", "")
    return bool(host) and origin.lower() == f"{request.scheme}://{host}".lower()


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
