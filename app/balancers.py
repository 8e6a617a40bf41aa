"""Configurations of what stands in front of several hosts: HAProxy, and nginx. `app/docs/hosts.md` is the guide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from app.keys.key import Key

# The longest that a turn may last by default, and more: what the server ends itself comes with a reason.
MAX_SILENCE_SECONDS = 960


class Front(NamedTuple):
    """Where the balancer listens (`ADDRESS:PORT`), with which file of a certificate and its key, if any, for whom.

    `logins` are the digests of the hosts' logins, as far as they are known, by host; `keys` are API keys that are each
    for one of them.
    """

    listen: str
    certificate: str | None
    hosts: Sequence[str]
    logins: Mapping[str, str] = {}
    keys: Sequence[Key] = ()


def haproxy(front: Front) -> str:
    """Return a configuration for HAProxy 2.6 or newer."""
    tls = f" ssl crt {front.certificate} alpn h2,http/1.1" if front.certificate else ""
    scheme = "https" if front.certificate else "http"
    servers = "\n".join(f"    server {_name(number)} {host}" for number, host in enumerate(front.hosts, 1))
    return HAPROXY.format(
        bind=f"{front.listen}{tls}",
        scheme=scheme,
        servers=servers,
        silence=f"{MAX_SILENCE_SECONDS}s",
        rules=_rules(front),
        backends="".join(_backend(front, login) for login in _logins(front)),
    )


def nginx(front: Front) -> str:
    """Return a configuration for nginx 1.18 or newer, to be included in its `http` part."""
    tls = (
        f"    ssl_certificate {front.certificate};\n    ssl_certificate_key {front.certificate};\n"
        if front.certificate
        else ""
    )
    servers = "\n".join(f"    server {host} max_fails=1 fail_timeout=2s;" for host in front.hosts)
    listen = front.listen.removeprefix("*:") + (" ssl" if front.certificate else "")
    return NGINX.format(listen=listen, tls=tls, servers=servers, silence=f"{MAX_SILENCE_SECONDS}s")


def _logins(front: Front) -> list[str]:
    """Return the logins of hosts that keys are bound to."""
    wanted = {key.terms.login for key in front.keys}
    return [login for login in dict.fromkeys(front.logins.values()) if login in wanted]


def _rules(front: Front) -> str:
    """Return what sends each key that is for one login to the hosts that have it; a key is known by its digest."""
    there = _logins(front)
    lines = [
        f"    # {key.name}\n    use_backend login_{key.terms.login}"
        f" if {{ var(txn.key) -m str {key.digest.hex()} }} || {{ var(txn.other) -m str {key.digest.hex()} }}\n"
        for key in front.keys
        if key.terms.login in there
    ]
    return RULES + "".join(lines) if lines else ""


def _backend(front: Front, login: str) -> str:
    """Return the hosts of one login; that they are there is looked at once, for all."""
    servers = "".join(
        f"    server {_name(number)} {host} track hosts/{_name(number)}\n"
        for number, host in enumerate(front.hosts, 1)
        if front.logins.get(host) == login
    )
    return BACKEND.format(login=login, servers=servers)


def _name(number: int) -> str:
    return f"host{number}"


HAPROXY = """\
global
    maxconn 8000

defaults
    mode http
    # Longer than the server's own CLAUDE_PROXY_TIMEOUT, which ends a turn with a reason.
    timeout client {silence}
    timeout server {silence}
    timeout http-request 10s
    timeout connect 1s
    timeout queue 10s
    # A host that takes no connection: the request, of which nothing was sent yet, goes to another at once.
    retries 3
    option redispatch 1
    # A client that leaves is told to the host, which ends its turn.
    option abortonclose
    option http-server-close

frontend claude
    bind {bind}
    # Whoever calls may say anything of where it comes from; the hosts hear it from here alone.
    http-request del-header X-Forwarded-For
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto {scheme}
    # A conversation goes where it has been, and a process may wait for it: by its session, else by its key.
    http-request set-var(txn.of) req.hdr(X-Session-Id)
    http-request set-var(txn.of) req.hdr(x-session-affinity) unless {{ var(txn.of) -m len gt 0 }}
    http-request set-var(txn.of) req.hdr(prompt-cache-key) unless {{ var(txn.of) -m len gt 0 }}
    http-request set-var(txn.of) req.hdr(Authorization) unless {{ var(txn.of) -m len gt 0 }}
    http-request set-var(txn.of) req.hdr(x-api-key) unless {{ var(txn.of) -m len gt 0 }}
    http-request set-var(txn.of) req.hdr(api-key) unless {{ var(txn.of) -m len gt 0 }}
    http-request set-var(txn.of) src unless {{ var(txn.of) -m len gt 0 }}
{rules}    default_backend hosts

backend hosts
    balance hash var(txn.of)
    # A host that goes or comes moves its own conversations only.
    hash-type consistent sdbm avalanche
    # /ready asks for a key: `claude-max-api key add balancer`, in the environment of HAProxy.
    option httpchk
    http-check send meth GET uri /ready hdr Host localhost hdr Authorization "Bearer ${{CLAUDE_PROXY_API_KEY}}"
    http-check expect status 200
    # It may ask `claude` for its login. A host that is gone is noticed by the next request or check, at once.
    timeout check 10s
    default-server check inter 1s fall 3 rise 1 observe layer4 error-limit 2 on-error mark-down
{servers}
{backends}"""

RULES = """\
    # Keys that are for one login go to the hosts that have it, and nowhere else. A key is known here by its SHA-256.
    http-request set-var(txn.key) http_auth_bearer,sha2(256),hex,lower if { http_auth_bearer -m found }
    http-request set-var(txn.key) http_auth_pass,sha2(256),hex,lower if { http_auth_pass -m found }
    http-request set-var(txn.other) req.hdr(api-key),sha2(256),hex,lower
    http-request set-var(txn.other) req.hdr(x-api-key),sha2(256),hex,lower if { req.hdr(x-api-key) -m len gt 0 }
"""

BACKEND = """
backend login_{login}
    balance hash var(txn.of)
    hash-type consistent sdbm avalanche
{servers}"""

NGINX = """\
# A conversation goes where it has been, and a process may wait for it: by its session, else by its key.
map $http_api_key $claude_by_azure {{ "" $remote_addr; default $http_api_key; }}
map $http_x_api_key $claude_by_key {{ "" $claude_by_azure; default $http_x_api_key; }}
map $http_authorization $claude_by_authorization {{ "" $claude_by_key; default $http_authorization; }}
map $http_prompt_cache_key $claude_by_prompt {{ "" $claude_by_authorization; default $http_prompt_cache_key; }}
map $http_x_session_affinity $claude_by_affinity {{ "" $claude_by_prompt; default $http_x_session_affinity; }}
map $http_x_session_id $claude_of {{ "" $claude_by_affinity; default $http_x_session_id; }}

upstream claude {{
    # A host that goes or comes moves its own conversations only.
    hash $claude_of consistent;
{servers}
}}

server {{
    listen {listen};
{tls}    client_max_body_size 64m;
    location / {{
        proxy_pass http://claude;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Connection "";
        # Whoever calls may say anything of where it comes from; the hosts hear it from here alone.
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        # Each word as it comes. A client that leaves ends its connection to the host, and with it its turn.
        proxy_buffering off;
        proxy_ignore_client_abort off;
        proxy_connect_timeout 1s;
        # Longer than the server's own CLAUDE_PROXY_TIMEOUT, which ends a turn with a reason.
        proxy_read_timeout {silence};
        proxy_send_timeout {silence};
        # A request goes to another host where nothing of it was sent yet.
        proxy_next_upstream error timeout;
    }}
}}
"""

BALANCERS: Mapping[str, Callable[[Front], str]] = {"haproxy": haproxy, "nginx": nginx}
