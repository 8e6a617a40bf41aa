"""How each client is told to use this server: texts to paste, one function a client.

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

PREFERRED = "claude-sonnet-4"
SMALL = "claude-haiku-4"
# Tokens: what every Claude model takes and gives at least, where a client must know it and the server does not yet.
CONTEXT, OUTPUT = 200_000, 32_000


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


def openclaw(access: Access) -> str:
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
    return _text(
        "// ~/.openclaw/openclaw.json",
        "// OpenClaw runs its own tools. To let Claude Code's tools do the work instead, on the server's machine and",
        '// without OpenClaw\'s approvals, add: "tools": { "deny": ["*"] }',
        "// and start the server with CLAUDE_PROXY_TOOLS=all and CLAUDE_PROXY_TOOLS_FOR=NAME, the name of the API key",
        "// below (`claude-max-api key add NAME`). Whoever has that key can then do what the server's user can do.",
        json.dumps(config, indent=2, ensure_ascii=False),
    )


def continue_dev(access: Access) -> str:
    """Return YAML for ~/.continue/config.yaml, after the schema in @continuedev/config-yaml 1.42."""
    lines = ["# ~/.continue/config.yaml", "name: Claude", "version: 1.0.0", "schema: v1", "models:"]
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
    return _text(*lines)


def openai(access: Access) -> str:
    """Return the environment variables that openai-python and openai-node read."""
    return _text(
        f"# For openai-python, openai-node and what is built on them. Models: {_ids(access)}",
        f"export OPENAI_BASE_URL={shlex.quote(access.base_url)}",
        f"export OPENAI_API_KEY={shlex.quote(access.key)}",
    )


def aider(access: Access) -> str:
    """Return YAML for ~/.aider.conf.yml: aider's options by their long names."""
    return _text(
        "# ~/.aider.conf.yml, or .aider.conf.yml in a repository",
        f"# For `model`, behind openai/: {_ids(access)}",
        f"openai-api-base: {_quoted(access.base_url)}",
        f"openai-api-key: {_quoted(access.key)}",
        f"model: {_quoted('openai/' + access.preferred)}",
        f"weak-model: {_quoted('openai/' + access.small)}",
        "edit-format: diff",
        "# aider's table of prices and limits has no entry for these names, and it would ask about it",
        "show-model-warnings: false",
    )


def open_webui(access: Access) -> str:
    """Return a file for `docker run --env-file`, which takes values as they are, without quotes."""
    return _text(
        "# For `open-webui serve`, or `docker run --network host --env-file FILE`; read at the first start only, later",
        "# it is Admin Settings > Connections. The models are asked of the server.",
        f"OPENAI_API_BASE_URL={access.base_url}",
        f"OPENAI_API_KEY={access.key}",
        "ENABLE_OLLAMA_API=false",
        "# titles, tags and the like",
        f"TASK_MODEL_EXTERNAL={access.small}",
    )


def librechat(access: Access) -> str:
    """Return YAML for librechat.yaml, after the schema in librechat-data-provider 0.8.524."""
    return _text(
        "# librechat.yaml",
        "version: 1.3.0",
        "cache: true",
        "endpoints:",
        *_allowed(access.base_url),
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
    return [
        "  # an older LibreChat that does not know this does not need it",
        f"  allowedAddresses: {_quoted([f'{_bracketed(host)}:{port}'])}",
    ]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def cline(access: Access) -> str:
    """Return the command that configures Cline's command line, and what its editor extension asks for."""
    words = ["cline", "auth", "--provider", "openai-compatible", "--apikey", access.key]
    words += ["--modelid", access.preferred, "--baseurl", access.base_url]
    return _text(
        "# In the extension's settings: API Provider: OpenAI Compatible",
        f"#   Base URL: {access.base_url}",
        f"#   API Key: {access.key}",
        f"#   Model ID: one of {_ids(access)}",
        "# On the command line:",
        shlex.join(words),
    )


def llm(access: Access) -> str:
    """Return YAML for llm's extra-openai-models.yaml: https://llm.datasette.io/en/stable/other-models.html ."""
    lines = ['# extra-openai-models.yaml in the folder that this prints: dirname "$(llm logs path)"']
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
    return _text(*lines)


CLIENTS: dict[str, Callable[[Access], str]] = {
    "openclaw": openclaw,
    "continue": continue_dev,
    "openai": openai,
    "aider": aider,
    "open-webui": open_webui,
    "librechat": librechat,
    "cline": cline,
    "llm": llm,
}


def _ids(access: Access) -> str:
    return ", ".join(model.id for model in access.models)


def _quoted(value: str | Sequence[str]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _text(*lines: str) -> str:
    return "\n".join(lines) + "\n"
