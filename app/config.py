"""The settings: one frozen object, each field documented where it stands; `config_reading` fills it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from app import address, config_file
from app import setting_parsers as read
from app.agents.agent import PERMISSION_MODES, Agent
from app.agents.table import AgentTable
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

    config: Path | None = _setting(
        config_file.VARIABLE,
        None,
        "The [configuration file](#the-configuration-file); by default `config.toml` in the user's own folder, such as "
        "`~/.config/claude-max-api-proxy`.",
        read.path,
    )
    host: str = _setting(
        "HOST",
        address.DEFAULT_HOST,
        "Address to listen on; `localhost` is 127.0.0.1 and ::1. Beyond loopback only with API keys.",
        address.read_host,
    )
    port: int = _setting("PORT", address.DEFAULT_PORT, "Port to listen on.", address.read_port)
    ollama_port: int | None = _setting(
        address.OLLAMA_PORT,
        None,
        "A second port, for programs that look for Ollama at its own, 11434, and ask for no address.",
        address.read_port,
    )
    claude_bin: Path | None = _setting(
        "CLAUDE_BIN", None, "The `claude` executable; by default the one on PATH, else the bundled copy.", read.path
    )
    unproven: str = _setting(
        "CLAUDE_PROXY_UNPROVEN",
        "refuse",
        "Where `claude` breaks an essential promise and no other `claude` is proven: refuse requests, or serve them "
        "all the same.",
        read.one_of("refuse", "serve"),
    )
    default_model: str = _setting(
        "CLAUDE_PROXY_DEFAULT_MODEL", "opus", "The model for the name `default`, and for names that are not Claude's."
    )
    max_concurrency: int = _setting(
        "CLAUDE_PROXY_MAX_CONCURRENCY", 8, "Turns (answers) that run at the same time.", read.integer(1, 1000)
    )
    queue_limit: int = _setting(
        "CLAUDE_PROXY_QUEUE_LIMIT",
        32,
        "Requests that may wait for their turn; further ones get a 429.",
        read.integer(0, 10000),
    )
    spares: int = _setting("CLAUDE_PROXY_SPARES", 1, "CLI processes kept started in advance.", read.integer(0, 64))
    keep: int = _setting(
        "CLAUDE_PROXY_KEEP",
        4,
        "CLI processes that stay after an answer and can go on with its conversation, or go back in it; with 0 each "
        "process answers one request.",
        read.integer(0, 64),
    )
    keep_seconds: float = _setting(
        "CLAUDE_PROXY_KEEP_SECONDS", 600.0, "How long such a process waits, in seconds.", read.seconds
    )
    tools: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_TOOLS",
        (),
        "Claude Code's own tools, which run on this machine as you: none (the default), all, or a list such as "
        "Read,Grep,WebSearch. `CLAUDE_PROXY_TOOLS_FOR` says who may use them.",
        read.tools,
    )
    tools_for: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_TOOLS_FOR",
        (),
        "Who may use these tools: names of API keys, separated by commas, or anyone for everybody who may call.",
        read.names,
    )
    permission_mode: str = _setting(
        "CLAUDE_PROXY_PERMISSION_MODE",
        "bypassPermissions",
        f"What these tools may do unasked: {', '.join(PERMISSION_MODES)}.",
        read.one_of(*PERMISSION_MODES),
    )
    workspace: Path | None = _setting(
        "CLAUDE_PROXY_WORKSPACE",
        None,
        "The folder that these tools work in; by default OpenClaw's `~/.openclaw/workspace` if there is one, else one "
        "in the state folder.",
        read.path,
    )
    setting_sources: tuple[str, ...] = _setting(
        "CLAUDE_PROXY_SETTING_SOURCES",
        (),
        f"Claude Code's settings that count where these tools are on, with their CLAUDE.md, hooks and MCP servers: "
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
        "CLAUDE_PROXY_TIMEOUT", 900.0, "How long a turn may take, waiting included, in seconds.", read.seconds
    )
    idle_timeout: float = _setting(
        "CLAUDE_PROXY_IDLE_TIMEOUT",
        300.0,
        "How long the CLI may be silent, or a client may stop sending or reading, in seconds.",
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
    extra_usage: str = _setting(
        "CLAUDE_PROXY_EXTRA_USAGE",
        "refuse",
        "Once an answer was billed beyond the plan: refuse further requests until the plan's reset, warn (answer, and "
        "mark them), or allow.",
        read.one_of("refuse", "warn", "allow"),
    )
    max_body: int = _setting(
        "CLAUDE_PROXY_MAX_BODY", 32 * 2**20, "Largest request body, in bytes or such as 32MiB.", read.size
    )
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
        "where there are any, every request but `GET /health` and those for the page's script and style needs one.",
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
    usage_days: int = _setting(
        "CLAUDE_PROXY_USAGE_DAYS",
        30,
        "How long the ledger keeps each turn (who asked which model, and what it took; never what was said), in days; "
        "eight at least, since what a key has used of its week is read from them.",
        read.integer(1, 3650),
    )
    usage_sum_days: int = _setting(
        "CLAUDE_PROXY_USAGE_SUM_DAYS",
        730,
        "How long the ledger keeps the sums of each day, in days.",
        read.integer(1, 36500),
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
    reserve: float = _setting(
        "CLAUDE_PROXY_RESERVE",
        0.0,
        "The last share of each of the plan's windows, such as 20%, which only keys marked `--personal`, and those of "
        "CLAUDE_PROXY_ADMIN_KEYS, may use.",
        read.reserve,
    )
    ready_when_limited: bool = _setting(
        "CLAUDE_PROXY_READY_WHEN_LIMITED",
        default=True,
        doc="0 has `/ready` say 503 while the plan is used up for all models, so that a load balancer sends new "
        "requests to other hosts.",
        parse=read.flag,
    )
    state_dir: Path = _setting(
        "CLAUDE_PROXY_STATE_DIR",
        None,
        "Folder for sessions, API keys, the list of running processes and the CLI's empty working folder; "
        "by default the user's own, such as `~/.local/state/claude-max-api-proxy`.",
        read.path,
    )
    captures: int = _setting(
        "CLAUDE_PROXY_RECORD",
        0,
        "For bug reports: how many of the last requests are kept in the state folder with everything that is said in "
        "them; `claude-max-api report` packs one.",
        read.integer(0, 1000),
    )
    database: str | None = _setting(
        "CLAUDE_PROXY_DATABASE",
        None,
        "Where sessions, responses, API keys and the ledger are, for several hosts together: "
        "`postgresql://USER:PASSWORD@HOST/NAME`; by default in files of the state folder.",
        read.database,
        secret=True,
    )
    log_level: str = _setting("LOG_LEVEL", "INFO", f"One of {', '.join(read.LOG_LEVELS)}.", read.log_level)
    log_format: str = _setting(
        "LOG_FORMAT",
        "auto",
        "text, json (an object a line), or auto: text on a terminal, else json.",
        read.log_format,
    )
    log_file: Path | None = _setting(
        "LOG_FILE",
        None,
        "The file that standard error goes to, if it goes to one. At 5 MiB what is in it moves to FILE.1.",
        read.path,
    )
    demo: bool = _setting(
        "CLAUDE_PROXY_DEMO",
        default=False,
        doc="1 answers with canned text, without a login or network.",
        parse=read.flag,
    )
    cli_environ: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    agents: AgentTable = AgentTable()
    # Whether OpenTelemetry's own variables ask for traces.
    traces: bool = False

    def __post_init__(self) -> None:
        """Fill in the state folder."""
        if self.state_dir is None:
            object.__setattr__(self, "state_dir", platformdirs.user_state_path("claude-max-api-proxy"))

    def paths(self) -> dict[str, Path]:
        """Return the settings that are paths, each whole, by their variables."""
        found = ((field.metadata["env"], getattr(self, field.name)) for field in fields())
        return {variable: value for variable, value in found if isinstance(value, Path)}

    @property
    def own_row(self) -> Agent:
        """The row of the table of agents that these settings make, for every model."""
        return Agent(
            name="",
            tools=read.ALL_TOOLS if self.tools == ("all",) else self.tools,
            keys=self.tools_for,
            workspace=None if self.workspace is None else str(self.workspace),
            permission_mode=self.permission_mode,
            setting_sources=self.setting_sources,
            openclaw=self.openclaw,
        )

    def key_names(self) -> set[str] | None:
        """Return the names of all API keys, None where a database has them.

        Raises ConfigError where their file is not to be trusted.
        """
        if self.database:
            return None
        return {key.name for key in (*self.api_keys, *(KeyFile(self.state_dir).read() or ()))}

    def unfit(self) -> dict[str, str]:
        """Return what is wrong with settings that do not do together, or not on this machine, by the field's name."""
        found = {}
        if not address.is_loopback(self.host):
            try:
                # A database is asked when the server starts; until it has keys, one beyond loopback lets nobody in.
                if not (self.api_keys or self.database or KeyFile(self.state_dir).read()):
                    found["host"] = (
                        " would let other machines use your login without a key; make one with `claude-max-api key add "
                        "NAME`, or use HOST=127.0.0.1 and a tunnel such as ssh -L"
                    )
            except ConfigError as error:
                found["host"] = f": {error}"
        if self.tools and not self.tools_for:
            found["tools"] = (
                " needs CLAUDE_PROXY_TOOLS_FOR, the names of the API keys that may use your machine through these "
                "tools (`claude-max-api key add NAME` makes one), or anyone"
            )
        if self.workspace is not None and not self.workspace.is_dir():
            found["workspace"] = " is no folder; correct it, or make the folder"
        return found


def fields() -> list[dataclasses.Field[Any]]:
    """Return the fields that are settings: each with its variable (`env`), its `doc`, `parse` and `secret`."""
    return [field for field in dataclasses.fields(Settings) if "env" in field.metadata]


def given(settings: Settings) -> dict[str, str]:
    """Return which settings are not at their defaults: their values where these are numbers or words, never texts."""
    told = {}
    for field in dataclasses.fields(Settings):
        value = getattr(settings, field.name)
        if "env" in field.metadata and value != field.default:
            told[field.metadata["env"]] = str(value) if isinstance(value, int | float) else "set"
    return told


def setting_names() -> list[str]:
    """Return the environment variables that are settings of the server."""
    return [field.metadata["env"] for field in fields()]


def table() -> str:
    """Return the settings as a Markdown table, made from the code that reads them."""
    rows = ["| variable | default | what it does |", "|---|---|---|"]
    for field in fields():
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        shown = "" if default in (None, "") else f"`{int(default) if isinstance(default, float | bool) else default}`"
        rows.append(f"| `{field.metadata['env']}` | {shown} | {field.metadata['doc']} |")
    return "\n".join(rows) + "\n"
