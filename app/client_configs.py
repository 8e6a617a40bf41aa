"""How each client is told to use this server: a text to paste, and what to know of it, one function a client.

What each client reads is written at its function. Every value comes quoted as its format wants it: a JSON string is a
YAML scalar too.
"""

from __future__ import annotations

import ipaddress
import json
import shlex
import urllib.parse
from collections.abc import Callable, Sequence

import msgspec

from app import address

PREFERRED = "claude-sonnet-4"
SMALL = "claude-haiku-4"
# Tokens: what every Claude model takes and gives at least, where a client must know it and the server does not yet.
CONTEXT, OUTPUT = 200_000, 32_000

OPENCLAW_TOOLS = (
    "OpenClaw runs its own tools. To let Claude Code's tools do the work instead, on the server's machine and without "
    'OpenClaw\'s approvals, add "tools": { "deny": ["*"] } and start the server with CLAUDE_PROXY_TOOLS=all and '
    "CLAUDE_PROXY_TOOLS_FOR=NAME, the name of the API key in the file (`claude-max-api key add NAME`). Whoever has "
    "that key can then do what the server's user can do."
)


class Model(msgspec.Struct, frozen=True):
    """One entry of the catalogue; `name` is for people, the rest in tokens."""

    id: str
    name: str | None = None
    context_length: int = CONTEXT
    max_completion_tokens: int = OUTPUT


class Access(msgspec.Struct, frozen=True):
    """Where the server is (its base URL ends in /v1), the API key to send it, and its models, at least one."""

    base_url: str
    key: str
    models: tuple[Model, ...]

    @property
    def preferred(self) -> str:
        """Return the model to begin with."""
        return self._one(PREFERRED, self.models[0].id)

    @property
    def small(self) -> str:
        """Return the model for titles and the like."""
        return self._one(SMALL, self.preferred)

    def _one(self, wanted: str, other: str) -> str:
        return wanted if any(model.id == wanted for model in self.models) else other


class ClientConfig(msgspec.Struct, frozen=True):
    """What a client needs: the `file` or place that the `text` goes to, and `notes`, which are no part of it."""

    file: str
    text: str
    notes: tuple[str, ...] = ()


def openclaw(access: Access) -> ClientConfig:
    """Return JSON5 for ~/.openclaw/openclaw.json, as `openclaw config validate` of 2026.9.6 takes it."""
    compat = ("UsageInStreaming", "PromptCacheKey", "ReasoningEffort", "DeveloperRole")
    models = [
        {
            "id": model.id,
            "name": model.name or model.id,
            "reasoning": True,
            "input": ["text", "image"],
            "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
            "contextWindow": model.context_length,
            "maxTokens": model.max_completion_tokens,
            "compat": {"sendSessionAffinityHeaders": True, **{f"supports{name}": True for name in compat}},
        }
        for model in access.models
    ]
    provider = {
        "baseUrl": access.base_url,
        "apiKey": access.key,
        "api": "openai-completions",
        "timeoutSeconds": 900,
        "models": models,
    }
    config = {
        "models": {"mode": "merge", "providers": {"claude-max": provider}},
        "agents": {"defaults": {"model": {"primary": f"claude-max/{access.preferred}"}}},
    }
    return ClientConfig(
        "~/.openclaw/openclaw.json",
        _lines(json.dumps(config, indent=2, ensure_ascii=False)),
        (OPENCLAW_TOOLS,),
    )


def continue_dev(access: Access) -> ClientConfig:
    """Return YAML for ~/.continue/config.yaml, after the schema in @continuedev/config-yaml 1.42."""
    lines = ["name: Claude", "version: 1.0.0", "schema: v1", "models:"]
    for model in sorted(access.models, key=lambda model: model.id != access.preferred):
        lines += [
            f"  - name: {_quoted(model.name or model.id)}",
            "    provider: openai",
            f"    model: {_quoted(model.id)}",
            f"    apiBase: {_quoted(access.base_url)}",
            f"    apiKey: {_quoted(access.key)}",
            "    roles: [chat, edit, apply]",
            "    capabilities: [tool_use, image_input]",
            "    defaultCompletionOptions:",
            f"      contextLength: {model.context_length}",
            f"      maxTokens: {model.max_completion_tokens}",
        ]
    return ClientConfig("~/.continue/config.yaml", _lines(*lines))


def openai(access: Access) -> ClientConfig:
    """Return the environment variables that openai-python and openai-node read."""
    return ClientConfig(
        "the shell, or its ~/.profile",
        _lines(
            f"export OPENAI_BASE_URL={shlex.quote(access.base_url)}",
            f"export OPENAI_API_KEY={shlex.quote(access.key)}",
        ),
        ("For openai-python, openai-node and what is built on them.", f"Models: {_ids(access)}"),
    )


def aider(access: Access) -> ClientConfig:
    """Return YAML for ~/.aider.conf.yml: aider's options by their long names."""
    return ClientConfig(
        "~/.aider.conf.yml, or .aider.conf.yml in a repository",
        _lines(
            f"openai-api-base: {_quoted(access.base_url)}",
            f"openai-api-key: {_quoted(access.key)}",
            f"model: {_quoted('openai/' + access.preferred)}",
            f"weak-model: {_quoted('openai/' + access.small)}",
            "edit-format: diff",
            "show-model-warnings: false",
        ),
        (
            f"For `model`, behind openai/: {_ids(access)}",
            "The warnings are off because aider's table of prices and limits has no entry for these names.",
        ),
    )


def open_webui(access: Access) -> ClientConfig:
    """Return a file for `docker run --env-file`, which takes values as they are, without quotes."""
    return ClientConfig(
        "the environment of `open-webui serve`, or FILE of `docker run --network host --env-file FILE`",
        _lines(
            f"OPENAI_API_BASE_URL={access.base_url}",
            f"OPENAI_API_KEY={access.key}",
            "ENABLE_OLLAMA_API=false",
            f"TASK_MODEL_EXTERNAL={access.small}",
        ),
        (
            "It is read at the first start only; later it is Admin Settings > Connections.",
            "The models are asked of the server; the last line's is for titles, tags and the like.",
            "`claude-max-api config compose` has both in containers.",
        ),
    )


def librechat(access: Access) -> ClientConfig:
    """Return YAML for librechat.yaml, after the schema in librechat-data-provider 0.8.524."""
    allowed = _allowed(access.base_url)
    lines = (
        "version: 1.3.0",
        "cache: true",
        "endpoints:",
        *allowed,
        "  custom:",
        '    - name: "Claude"',
        f"      apiKey: {_quoted(access.key)}",
        f"      baseURL: {_quoted(access.base_url)}",
        "      models:",
        f"        default: {_quoted([model.id for model in access.models])}",
        "        fetch: true",
        "      titleConvo: true",
        f"      titleModel: {_quoted(access.small)}",
        '      modelDisplayLabel: "Claude"',
    )
    notes = ("An older LibreChat that does not know `allowedAddresses` does not need it.",) if allowed else ()
    return ClientConfig("librechat.yaml", _lines(*lines), notes)


def _allowed(base_url: str) -> list[str]:
    """Return the lines that let LibreChat call an address of this machine or network; others need none."""
    parts = urllib.parse.urlsplit(base_url)
    host = parts.hostname or ""
    try:
        private = ipaddress.ip_address(host).is_private
    except ValueError:
        private = True  # a name; the list may hold any
    if not private:
        return []
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return [f"  allowedAddresses: {_quoted([address.written(host, port)])}"]


def cline(access: Access) -> ClientConfig:
    """Return the command that configures Cline's command line, and what its editor extension asks for."""
    words = ["cline", "auth", "--provider", "openai-compatible", "--apikey", access.key]
    words += ["--modelid", access.preferred, "--baseurl", access.base_url]
    return ClientConfig(
        "the command line",
        _lines(shlex.join(words)),
        (
            (
                "In the editor's extension it is: API Provider: OpenAI Compatible; "
                f"Base URL: {access.base_url}; API Key: {access.key}; Model ID: one of {_ids(access)}"
            ),
        ),
    )


def llm(access: Access) -> ClientConfig:
    """Return YAML for llm's extra-openai-models.yaml: https://llm.datasette.io/en/stable/other-models.html ."""
    lines: list[str] = []
    for model in access.models:
        lines += [
            f"- model_id: {_quoted('claude-max/' + model.id)}",
            f"  model_name: {_quoted(model.id)}",
            f"  api_base: {_quoted(access.base_url)}",
            f"  headers: {{Authorization: {_quoted('Bearer ' + access.key)}}}",
            "  supports_tools: true",
            "  supports_schema: true",
            "  vision: true",
        ]
    return ClientConfig(
        'extra-openai-models.yaml in the folder that `dirname "$(llm logs path)"` prints', _lines(*lines)
    )


def ollama(access: Access) -> ClientConfig:
    """Return the environment variables that Ollama's own clients read: https://github.com/ollama/ollama-python ."""
    return ClientConfig(
        "the shell, for Ollama's Python client; elsewhere the first is the address of the Ollama server",
        _lines(
            f"export OLLAMA_HOST={shlex.quote(access.base_url.removesuffix('/v1'))}",
            f"export OLLAMA_API_KEY={shlex.quote(access.key)}",
        ),
        (
            f"Models: {_ids(access)}",
            "For programs that ask for no address, start the server with CLAUDE_PROXY_OLLAMA_PORT=11434.",
        ),
    )


CLIENTS: dict[str, Callable[[Access], ClientConfig]] = {
    "openclaw": openclaw,
    "continue": continue_dev,
    "openai": openai,
    "aider": aider,
    "open-webui": open_webui,
    "librechat": librechat,
    "cline": cline,
    "llm": llm,
    "ollama": ollama,
}
# As people call them.
NAMES = {
    "openclaw": "OpenClaw",
    "continue": "Continue",
    "openai": "OpenAI's clients",
    "aider": "Aider",
    "open-webui": "Open WebUI",
    "librechat": "LibreChat",
    "cline": "Cline",
    "llm": "LLM",
    "ollama": "Ollama's clients",
}


def _ids(access: Access) -> str:
    return ", ".join(model.id for model in access.models)


def _quoted(value: str | Sequence[str]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
