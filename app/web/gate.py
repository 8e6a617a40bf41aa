"""Who may call: programs on this machine, and no web page that the operator has not allowed.

A page can make its visitor's browser send requests here, under its own name (Origin) or, by rebinding a host name
to 127.0.0.1, under that name (Host). Both are checked on every route before anything else.
"""

from __future__ import annotations

import urllib.parse

import flask

from app.config import Settings, is_loopback
from app.errors import Forbidden

# The headers are named because a `*` does not cover Authorization; the SDKs add some of their own.
ALLOW = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, x-api-key, x-request-id, x-stainless-arch, "
    "x-stainless-lang, x-stainless-os, x-stainless-package-version, x-stainless-retry-count, x-stainless-runtime, "
    "x-stainless-runtime-version, x-stainless-timeout, OpenAI-Organization, OpenAI-Project",
    "Access-Control-Expose-Headers": "x-request-id, x-proxy-served, x-proxy-ignored, x-should-retry, Retry-After",
    "Access-Control-Allow-Private-Network": "true",
    "Access-Control-Max-Age": "600",
}


class Gate:
    """Refuses strangers with 403."""

    def __init__(self, settings: Settings) -> None:
        self._hosts = frozenset(host.lower() for host in settings.allowed_hosts)
        self._origins = frozenset(settings.allowed_origins)

    def init_app(self, app: flask.Flask) -> None:
        """Check every request of `app`, unknown routes included."""
        app.before_request(self.check)
        app.after_request(self.permit)

    def check(self) -> None:
        """Raise Forbidden unless peer, Host and Origin are allowed."""
        request = flask.request
        # gunicorn may have been told to listen elsewhere than Settings.host says. A Unix socket has no address.
        if request.remote_addr and not is_loopback(request.remote_addr):
            raise Forbidden("This server answers only to programs on its own machine.", code="peer_not_allowed")
        host = request.environ.get("HTTP_HOST", "")
        if host and not self._host_allowed(host):
            raise Forbidden(
                f"Host {host!r} is not allowed; add its name to CLAUDE_PROXY_ALLOWED_HOSTS if you trust it.",
                code="host_not_allowed",
            )
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() not in self._origins:
            raise Forbidden(
                f"Origin {origin!r} is not allowed; add it to CLAUDE_PROXY_ALLOWED_ORIGINS if you trust that page.",
                code="origin_not_allowed",
            )

    def permit(self, response: flask.Response) -> flask.Response:
        """Tell the browser of an allowed page that it may call, and read the answer (CORS)."""
        origin = flask.request.headers.get("Origin", "")
        if origin.lower() in self._origins:
            response.headers.update(ALLOW, **{"Access-Control-Allow-Origin": origin})
            response.vary.add("Origin")
        return response

    def _host_allowed(self, host: str) -> bool:
        try:
            name = urllib.parse.urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name in self._hosts
