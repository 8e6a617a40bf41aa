"""Credentials, taken out of whatever is kept: those that are known, and what looks like one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from app.agents.agent import McpServer

GONE = b"[credential]"
# Names of variables and of headers whose values are credentials.
NAME = re.compile(r"authorization|api-?key|token|secret|passw|cookie|credential|_key|-key", re.IGNORECASE)
# A shorter one would be found in any text.
MIN_LENGTH = 6
# Anthropic's and OpenAI's keys and this server's own; the header as it is sent.
SHAPES = re.compile(rb"sk-[A-Za-z0-9_-]{16,}|(?i:bearer) [A-Za-z0-9._~+/=-]{8,}")
# Tokens in three parts (RFC 7519). What only begins like one matches, too, without its `rest`: else it would be tried
# again from each `eyJ` in it, and a picture's base64 holds many.
TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{8,}+(?P<rest>\.[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]*)?")
# In an address: https://user:password@proxy
USER_INFO = re.compile(r"//([^/@\s]+)@")
# An argument of a program that names what it holds: --token=…, TOKEN=…, Authorization: …
NAMED = re.compile(r"([^=:\s]+)[=:]\s*(.+)", re.DOTALL)


class Redaction:
    """Takes out the credentials `known`, wherever they stand, and what has the shape of one."""

    def __init__(self, known: Iterable[str]) -> None:
        # Within JSON a character may be escaped, by some a slash, too. The longest first, since one may hold another.
        told = {form for text in known if len(text) >= MIN_LENGTH for form in (text, json.dumps(text)[1:-1])}
        forms = told | {form.replace("/", "\\/") for form in told}
        self._known = [form.encode("utf-8", "surrogatepass") for form in sorted(forms, key=len, reverse=True)]

    def clean(self, data: bytes) -> bytes:
        """Return the bytes without credentials."""
        for known in self._known:
            data = data.replace(known, GONE)
        data = TOKEN.sub(lambda found: found[0] if found["rest"] is None else GONE, data)
        return SHAPES.sub(GONE, data)


def of_environ(environ: Mapping[str, str]) -> set[str]:
    """Return the credentials among variables, as those that are handed to the CLI."""
    # Not a bound such as MAX_THINKING_TOKENS, whose digits may stand anywhere.
    found = {value for name, value in environ.items() if NAME.search(name) and not value.isdigit()}
    return found.union(*map(_in_address, environ.values())) - {""}


def of_server(server: McpServer) -> set[str]:
    """Return what an MCP server is given, and where it is, which may hold a credential as well.

    Claude Code says it again when asked how the server is; that one may say a token without the word in front of it.
    """
    headers = [value for _, value in server.headers]
    found = {value for _, value in server.env}.union(headers, map(_bare, headers))
    found |= {server.url} | _in_address(server.url) | of_arguments(server.args)
    return {value for value in found if value and not value.isdigit()}


def of_arguments(arguments: Iterable[str]) -> set[str]:
    """Return the credentials among a program's arguments, and its addresses, which may hold one."""
    found: set[str] = set()
    option = ""
    for argument in arguments:
        named = NAMED.fullmatch(argument)
        if "://" in argument:
            found.add(argument)
        if named and NAME.search(named[1]):
            found |= {named[2], _bare(named[2])}
        elif NAME.search(option) and not argument.startswith("-"):
            found.add(argument)
        found |= _in_address(argument)
        option = argument if argument.startswith("-") and not named else ""
    return {value for value in found if value and not value.isdigit()}


def _bare(value: str) -> str:
    """Return a header's token without the word in front of it, such as `Bearer`."""
    return value.partition(" ")[2].strip()


def _in_address(text: str) -> set[str]:
    match = USER_INFO.search(text)
    return {match[1], match[1].partition(":")[2]} if match else set()
