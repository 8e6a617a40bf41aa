"""The settings: one frozen object, read once from the environment, documented where it is read."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from app import logs
from app.errors import ConfigError
from app.keys.file import KeyFile
from app.keys.key import Key
from app.keys.key import parse as parse_keys

# What the CLI may see of our environment. Everything else stays out: a stray ANTHROPIC_API_KEY or
# ANTHROPIC_BASE_URL would silently bill the API instead of the plan, and CLAUDECODE stops older versions.
CLI_ENVIRONMENT = frozenset(
    """
    HOME PATH USER LOGNAME SHELL TMPDIR TZ LANG LANGUAGE CLAUDE_CONFIG_DIR CLAUDE_CODE_OAUTH_TOKEN
    HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy
    SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS
    """.split()
)
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
PERMISSION_MODES = ("bypassPermissions", "dontAsk", "acceptEdits", "plan")
SETTING_SOURCES = ("user", "project", "local")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or float(text) <= 0:
        raise ValueError("a number of seconds above 0")
    return float(text)


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,12})\s*([KMG]?)(?:iB|B)?", text, re.IGNORECASE)
    if match is None or int(match[1]) == 0:
        raise ValueError("a size in bytes, such as 33554432 or 32MiB")
    return int(match[1]) * UNITS[match[2].upper()]


def _names(text: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[,\s]+", text) if part)


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(origin.rstrip("/").lower() for origin in _names(text))
    if any(not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/*]+", origin) for origin in origins):
        raise ValueError("origins such as https://chat.example.org, separated by commas, without * or a path")
    return origins


def _tools(text: str) -> tuple[str, ...]:
    names = _names(text)
    words = {"openclaw", "none", "all"}.intersection(name.lower() for name in names)
    if (words and len(names) > 1) or not all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) for name in names):
        raise ValueError("openclaw, none, all, or names of Claude Code's tools separated by commas")
    return tuple(words) or names


def _sources(text: str) -> tuple[str, ...]:
    names = tuple(name.lower() for name in _names(text))
    if names == ("none",):
        return ()
    if not set(names) <= set(SETTING_SOURCES):
        raise ValueError(f"none, or some of {', '.join(SETTING_SOURCES)}, separated by commas")
    return names


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for word in words:
            if word.lower() == text.lower():
                return word
        raise ValueError(f"one of {', '.join(words)}")

    return parse


def _log_level(text: str) -> str:
    if text.upper() not in LOG_LEVELS:
        raise ValueError(f"one of {', '.join(LOG_LEVELS)}")
    return text.upper()


def _log_format(text: str) -> str:
    if text.lower() not in logs.FORMATS:
        raise ValueError(f"one of {', '.join(logs.FORMATS)}")
    return text.lower()


def _host(text: str) -> str:
    return text.strip("[]")  # an IPv6 address is written either way


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _flag(text: str) -> bool:
    if text.lower() not in {"0", "1", "false", "true", "no", "yes"}:
        raise ValueError("0 or 1")
    return text.lower() in {"1", "true", "yes"}


def _setting(env: str, default: Any, doc: str, parse: Callable[[str], Any] = str, *, secret: bool = False) -> Any:
    metadata = {"env": env, "doc": doc, "parse": parse, "secret": secret}
    return dataclasses.field(default=default, repr=not secret, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set; each field names its variable and says what it does.

    Times are in seconds, sizes in bytes.
    """

    host: str = _setting("HOST", "127.0.0.1", "Address to listen on; beyond loopback only with API keys.", _host)
    port: int = _setting("PORT", 3456, "Port to listen on.", _integer(1, 65535))
    claude_bin: Path | None = _setting(
        "CLAUDE_BIN", None, "The `claude` executable; without it PATH, then the bundled one.", _path
    )
    default_model: str = _setting(
        "CLAUDE_PROXY_DEFAULT_MODEL", "opus", "Model for `default` and for names that are not Claude's."
    )
    max_concurrency: int = _setting("CLAUDE_PROXY_MAX_CONCURRENCY", 8, "Turns at the same time.", _integer(1, 1000))
    queue_limit: int = _setting(
        "CLAUDE_PROXY_QUEUE_LIMIT", 32, "Requests that may wait for a turn; beyond it 429.", _integer(0, 10000)
    )
    spares: int = _setting("CLAUDE_PROXY_SPARES", 1, "CLI processes kept started in advance.", _integer(0, 64))
    keep: int = _setting(
        "CLAUDE_PROXY_KEEP", 4, "CLI processes kept for the next turn of their conversation.", _integer(0, 64)
    )
    keep_seconds: float = _setting(
        "CLAUDE_PROXY_KEEP_SECONDS", 600.0, "How long each of them is kept, in seconds.", _seconds
    )
    primed: int = _setting(
        "CLAUDE_PROXY_PRIMED",
        1,
        "System prompts (with tools and options) that recur and are told to a CLI process in advance.",
        _integer(0, 16),
    )
    tools: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_TOOLS",
        ("openclaw",),
        "Claude Code's own tools, which run on this machine: openclaw (only where they stand in for OpenClaw's), none, "
        "all (in every chat that brings no tools), or a list such as Read,Grep,WebSearch.",
        _tools,
    )
    permission_mode: str = _setting(
        "CLAUDE_PROXY_PERMISSION_MODE",
        "bypassPermissions",
        f"What those tools may do unasked: {', '.join(PERMISSION_MODES)}.",
        _one_of(*PERMISSION_MODES),
    )
    workspace: Path | None = _setting(
        "CLAUDE_PROXY_WORKSPACE",
        None,
        "Folder they work in; by default OpenClaw's `~/.openclaw/workspace` if there is one, else one in the state "
        "folder.",
        _path,
    )
    setting_sources: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_SETTING_SOURCES",
        (),
        f"Claude Code's settings that count in such turns, with their CLAUDE.md, hooks and MCP servers: "
        f"{', '.join(SETTING_SOURCES)}.",
        _sources,
    )
    openclaw: str = _setting(
        "CLAUDE_PROXY_OPENCLAW",
        "auto",
        "auto lets Claude Code's tools stand in where OpenClaw's prompt comes without tools, map always, off never.",
        _one_of("auto", "map", "off"),
    )
    session_seconds: float = _setting(
        "CLAUDE_PROXY_SESSION_SECONDS", 86400.0, "How long a session lives after its last use, in seconds.", _seconds
    )
    timeout: float = _setting("CLAUDE_PROXY_TIMEOUT", 900.0, "Longest turn, waiting included, in seconds.", _seconds)
    idle_timeout: float = _setting(
        "CLAUDE_PROXY_IDLE_TIMEOUT",
        300.0,
        "Longest silence of the CLI or of a client that reads, in seconds.",
        _seconds,
    )
    heartbeat: float = _setting(
        "CLAUDE_PROXY_HEARTBEAT", 10.0, "Seconds of silence in a stream before an empty chunk is sent.", _seconds
    )
    limit_probe: float = _setting(
        "CLAUDE_PROXY_LIMIT_PROBE",
        600.0,
        "While the plan is used up, seconds between the requests that are let through to see whether it still is.",
        _seconds,
    )
    max_body: int = _setting("CLAUDE_PROXY_MAX_BODY", 32 * 2**20, "Largest request body: bytes, or 32MiB.", _size)
    pass_env: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_PASS_ENV", (), "Names of further variables to hand to the CLI, separated by commas.", _names
    )
    allowed_hosts: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_ALLOWED_HOSTS", (), "Host names to answer to besides loopback, separated by commas.", _names
    )
    allowed_origins: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_ALLOWED_ORIGINS", (), "Origins of web pages that may call, separated by commas.", _origins
    )
    api_keys: tuple[Key, ...] = _setting(
        "CLAUDE_PROXY_API_KEYS",
        (),
        "API keys as `name:key`, separated by commas, besides those of `claude-max-api key add`; "
        "where there are any, every request but `GET /health` needs one.",
        parse_keys,
        secret=True,
    )
    key_concurrency: int = _setting(
        "CLAUDE_PROXY_KEY_CONCURRENCY",
        0,
        "Requests that one API key may have running; 0 is no limit.",
        _integer(0, 10000),
    )
    key_rpm: int = _setting(
        "CLAUDE_PROXY_KEY_RPM",
        0,
        "Requests that one API key may make in a minute; 0 is no limit.",
        _integer(0, 100_000),
    )
    state_dir: Path = _setting(
        "CLAUDE_PROXY_STATE_DIR",
        None,
        "Folder for sessions, API keys, the list of running processes and the CLI's empty working folder; "
        "by default the user's own, such as `~/.local/state/claude-max-api-proxy`.",
        _path,
    )
    log_level: str = _setting("LOG_LEVEL", "INFO", f"One of {', '.join(LOG_LEVELS)}.", _log_level)
    log_format: str = _setting(
        "LOG_FORMAT", "auto", "text, json (an object a line), or auto: text on a terminal, else json.", _log_format
    )
    demo: bool = _setting("CLAUDE_PROXY_DEMO", 0, "1 answers with canned text, without a login or network.", _flag)
    cli_environ: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Fill in the state folder and refuse to listen to the world."""
        if self.state_dir is None:
            object.__setattr__(self, "state_dir", platformdirs.user_state_path("claude-max-api-proxy"))
        if not is_loopback(self.host) and not (self.api_keys or KeyFile(self.state_dir).read()):
            raise ConfigError(
                f"HOST={self.host} would let other machines use your login without a key; make one with "
                "`claude-max-api key add NAME`, or use HOST=127.0.0.1 and a tunnel such as ssh -L"
            )

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from `environ`, by default the process's own.

        Raises ConfigError naming the variable whose value cannot be used. An empty value counts as unset.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            text = environ.get(field.metadata.get("env", ""), "").strip()
            if text:
                try:
                    values[field.name] = field.metadata["parse"](text)
                except ValueError as error:
                    shown = field.metadata["env"] + ("" if field.metadata["secret"] else f"={text}")
                    raise ConfigError(f"{shown} cannot be used: it takes {error}") from None
        names = CLI_ENVIRONMENT | set(values.get("pass_env", ()))
        values["cli_environ"] = {k: v for k, v in environ.items() if k in names or k.startswith("LC_")}
        return cls(**values)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address, without a port, can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    # A dual-stack socket reports IPv4 peers as ::ffff:127.0.0.1.
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def table() -> str:
    """Return the settings as a Markdown table, made from the code that reads them."""
    rows = ["| variable | default | what it does |", "|---|---|---|"]
    for field in dataclasses.fields(Settings):
        if "env" not in field.metadata:
            continue
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        shown = "" if default in (None, "") else f"`{int(default) if isinstance(default, float | bool) else default}`"
        rows.append(f"| `{field.metadata['env']}` | {shown} | {field.metadata['doc']} |")
    return "\n".join(rows) + "\n"
