"""The settings: one frozen object, read once from the environment, documented where it is read."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from app import address
from app import setting_parsers as read
from app.errors import ConfigError
from app.keys.file import KeyFile
from app.keys.key import EVERYBODY, Key
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


# In a setting that names API keys: everybody who may call.
ANYONE = (EVERYBODY,)


def _setting(env: str, default: Any, doc: str, parse: Callable[[str], Any] = str, *, secret: bool = False) -> Any:
    metadata = {"env": env, "doc": doc, "parse": parse, "secret": secret}
    return dataclasses.field(default=default, repr=not secret, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set; each field names its variable and says what it does.

    Times are in seconds, sizes in bytes.
    """

    host: str = _setting(
        "HOST",
        address.DEFAULT_HOST,
        "Address to listen on; `localhost` is 127.0.0.1 and ::1. Beyond loopback only with API keys.",
        address.read_host,
    )
    port: int = _setting("PORT", address.DEFAULT_PORT, "Port to listen on.", address.read_port)
    claude_bin: Path | None = _setting(
        "CLAUDE_BIN", None, "The `claude` executable; without it PATH, then the bundled one.", read.path
    )
    unproven: str = _setting(
        "CLAUDE_PROXY_UNPROVEN",
        "refuse",
        "Where `claude` breaks an essential promise and no other one is proven: refuse requests, or serve them all the "
        "same.",
        read.one_of("refuse", "serve"),
    )
    default_model: str = _setting(
        "CLAUDE_PROXY_DEFAULT_MODEL", "opus", "Model for `default` and for names that are not Claude's."
    )
    max_concurrency: int = _setting("CLAUDE_PROXY_MAX_CONCURRENCY", 8, "Turns at the same time.", read.integer(1, 1000))
    queue_limit: int = _setting(
        "CLAUDE_PROXY_QUEUE_LIMIT", 32, "Requests that may wait for a turn; beyond it 429.", read.integer(0, 10000)
    )
    spares: int = _setting("CLAUDE_PROXY_SPARES", 1, "CLI processes kept started in advance.", read.integer(0, 64))
    keep: int = _setting(
        "CLAUDE_PROXY_KEEP",
        4,
        "CLI processes that wait for what comes next, each with a conversation that it goes on with or goes back in; "
        "with 0 each answers one request.",
        read.integer(0, 64),
    )
    keep_seconds: float = _setting(
        "CLAUDE_PROXY_KEEP_SECONDS", 600.0, "How long each of them waits, in seconds.", read.seconds
    )
    tools: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_TOOLS",
        (),
        "Claude Code's own tools, which run on this machine as you, for those whom `CLAUDE_PROXY_TOOLS_FOR` names: "
        "none (the default), all, or a list such as Read,Grep,WebSearch.",
        read.tools,
    )
    tools_for: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_TOOLS_FOR",
        (),
        "Who may use them: names of API keys, separated by commas, or anyone for everybody who may call.",
        read.names,
    )
    permission_mode: str = _setting(
        "CLAUDE_PROXY_PERMISSION_MODE",
        "bypassPermissions",
        f"What those tools may do unasked: {', '.join(read.PERMISSION_MODES)}.",
        read.one_of(*read.PERMISSION_MODES),
    )
    workspace: Path | None = _setting(
        "CLAUDE_PROXY_WORKSPACE",
        None,
        "Folder they work in; by default OpenClaw's `~/.openclaw/workspace` if there is one, else one in the state "
        "folder.",
        read.path,
    )
    setting_sources: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_SETTING_SOURCES",
        (),
        f"Claude Code's settings that count in such turns, with their CLAUDE.md, hooks and MCP servers: "
        f"{', '.join(read.SETTING_SOURCES)}.",
        read.sources,
    )
    openclaw: str = _setting(
        "CLAUDE_PROXY_OPENCLAW",
        "auto",
        "Where OpenClaw may have Claude Code's tools: auto fits its prompt to them when it comes without tools of its "
        "own, map puts them in the place of its own, off leaves its prompt alone.",
        read.one_of("auto", "map", "off"),
    )
    session_seconds: float = _setting(
        "CLAUDE_PROXY_SESSION_SECONDS",
        86400.0,
        "How long a session lives after its last use, in seconds.",
        read.seconds,
    )
    timeout: float = _setting(
        "CLAUDE_PROXY_TIMEOUT", 900.0, "Longest turn, waiting included, in seconds.", read.seconds
    )
    idle_timeout: float = _setting(
        "CLAUDE_PROXY_IDLE_TIMEOUT",
        300.0,
        "Longest silence of the CLI or of a client that reads, in seconds.",
        read.seconds,
    )
    heartbeat: float = _setting(
        "CLAUDE_PROXY_HEARTBEAT", 10.0, "Seconds of silence in a stream before an empty chunk is sent.", read.seconds
    )
    limit_probe: float = _setting(
        "CLAUDE_PROXY_LIMIT_PROBE",
        600.0,
        "While the plan is used up, seconds between the requests that are let through to see whether it still is.",
        read.seconds,
    )
    max_body: int = _setting("CLAUDE_PROXY_MAX_BODY", 32 * 2**20, "Largest request body: bytes, or 32MiB.", read.size)
    pass_env: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_PASS_ENV", (), "Names of further variables to hand to the CLI, separated by commas.", read.listed
    )
    allowed_hosts: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_ALLOWED_HOSTS", (), "Host names to answer to besides loopback, separated by commas.", read.listed
    )
    allowed_origins: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_ALLOWED_ORIGINS",
        (),
        "Origins of web pages that may call, separated by commas; a scheme alone (app://, vscode-webview://) allows "
        "all pages of that scheme.",
        read.origins,
    )
    api_keys: tuple[Key, ...] = _setting(
        "CLAUDE_PROXY_API_KEYS",
        (),
        "API keys as `name:key`, separated by commas, besides those of `claude-max-api key add`; "
        "where there are any, every request but `GET /health` needs one.",
        parse_keys,
        secret=True,
    )
    admin_keys: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_ADMIN_KEYS",
        (),
        "Names of API keys, separated by commas, that see everybody's figures in `/metrics` and on the status page, or "
        "anyone; the others see their own.",
        read.names,
    )
    key_concurrency: int = _setting(
        "CLAUDE_PROXY_KEY_CONCURRENCY",
        0,
        "Turns that one API key may have running or waiting; 0 is no limit.",
        read.integer(0, 10000),
    )
    key_rpm: int = _setting(
        "CLAUDE_PROXY_KEY_RPM",
        0,
        "Requests that one API key may make in a minute; 0 is no limit.",
        read.integer(0, 100_000),
    )
    state_dir: Path = _setting(
        "CLAUDE_PROXY_STATE_DIR",
        None,
        "Folder for sessions, API keys, the list of running processes and the CLI's empty working folder; "
        "by default the user's own, such as `~/.local/state/claude-max-api-proxy`.",
        read.path,
    )
    log_level: str = _setting("LOG_LEVEL", "INFO", f"One of {', '.join(read.LOG_LEVELS)}.", read.log_level)
    log_format: str = _setting(
        "LOG_FORMAT",
        "auto",
        "text, json (an object a line), or auto: text on a terminal, else json.",
        read.log_format,
    )
    demo: bool = _setting("CLAUDE_PROXY_DEMO", 0, "1 answers with canned text, without a login or network.", read.flag)
    cli_environ: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Fill in the state folder; refuse to listen to the world, and to hand out tools without a word to whom."""
        if self.state_dir is None:
            object.__setattr__(self, "state_dir", platformdirs.user_state_path("claude-max-api-proxy"))
        if not is_loopback(self.host) and not (self.api_keys or KeyFile(self.state_dir).read()):
            raise ConfigError(
                f"HOST={self.host} would let other machines use your login without a key; make one with "
                "`claude-max-api key add NAME`, or use HOST=127.0.0.1 and a tunnel such as ssh -L"
            )
        if self.tools and not self.tools_for:
            raise ConfigError(
                f"CLAUDE_PROXY_TOOLS={','.join(self.tools)} needs CLAUDE_PROXY_TOOLS_FOR, the names of the API keys "
                "that may use your machine through these tools (`claude-max-api key add NAME` makes one), or anyone"
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


def setting_names() -> list[str]:
    """Return the environment variables that are settings of the server."""
    return [field.metadata["env"] for field in dataclasses.fields(Settings) if "env" in field.metadata]


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
