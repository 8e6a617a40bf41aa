"""Where the server listens: what HOST, PORT and CLAUDE_PROXY_OLLAMA_PORT mean.

gunicorn's settings read this file by its path, before the package may be imported: it needs the standard library only.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping

DEFAULT_HOST, DEFAULT_PORT = "localhost", 3456
OLLAMA_PORT = "CLAUDE_PROXY_OLLAMA_PORT"
MAX_PORT = 65535
# Programs try either first for `localhost`: those on Node the second, many others the first.
LOOPBACK = ("127.0.0.1", "::1")
# What listens everywhere is asked at its own machine.
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def read_host(text: str) -> str:
    """Read a host name or address."""
    return text.strip("[]")  # an IPv6 address is written either way


def read_port(text: str) -> int:
    """Read a port. Raises ValueError saying what it takes."""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MAX_PORT):  # noqa: PLR2004
        raise ValueError(f"a whole number from 1 to {MAX_PORT}")
    return int(text)


def read(environ: Mapping[str, str]) -> tuple[str, tuple[int, ...]]:
    """Return the host and the ports of an environment, the one for Ollama's clients last, if there is one.

    Raises ValueError with a sentence that names the variable.
    """
    host = environ.get("HOST", "").strip()
    ports = [_port(environ, "PORT") or DEFAULT_PORT, _port(environ, OLLAMA_PORT)]
    return read_host(host) or DEFAULT_HOST, tuple(dict.fromkeys(port for port in ports if port is not None))


def _port(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "").strip()
    try:
        return read_port(text) if text else None
    except ValueError as error:
        raise ValueError(f"{name}={text} cannot be used: it takes {error}") from None


def listened(host: str) -> tuple[str, ...]:
    """Return the addresses to listen on: for `localhost` both of loopback, as far as this system has them."""
    if host.lower().rstrip(".") != "localhost":
        return (host,)
    return tuple(address for address in LOOPBACK if _exists(address)) or LOOPBACK[:1]


def reachable(host: str) -> str:
    """Return the address at which a program on this machine reaches a server that listens on `host`."""
    return WILDCARDS.get(host) or listened(host)[0]


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address, without a port, can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        parsed = ipaddress.ip_address(read_host(host))
    except ValueError:
        return False
    # A dual-stack socket reports IPv4 peers as ::ffff:127.0.0.1.
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def family(address: str) -> socket.AddressFamily:
    """Return the family of an address or host name."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def written(address: str, port: int) -> str:
    """Return address and port as one writes them in a URL."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _exists(address: str) -> bool:
    try:
        with socket.socket(family(address)) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
