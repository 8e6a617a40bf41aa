"""Model names: what clients ask for, what the CLI is given, what this login may use."""

from __future__ import annotations

import re
import threading
from typing import Any

import msgspec

PREFIXES = ("claude-code-cli/", "claude-max/")
FAMILIES = ("opus", "sonnet", "haiku")
ALIASES = {
    **{family: family for family in FAMILIES},
    "opus-max": "opus",
    "sonnet-max": "sonnet",
}
STABLE_IDS = tuple(f"claude-{family}-4" for family in FAMILIES)
FAMILY_MAJOR = re.compile(r"claude-([a-z]+)-[0-9]{1,2}")
FAMILY = re.compile(r"(?:claude-)?(?:[0-9]+-)*([a-z]+)")
FULL_NAME = re.compile(r"claude-[a-z0-9][a-z0-9.@-]*")
LONG_CONTEXT = "[1m]"


class CliModel(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of the CLI's own list: an alias and the model it stands for today."""

    value: str
    resolved_model: str | None = None
    display_name: str | None = None
    description: str | None = None


def unprefixed(name: str) -> str:
    """Return a name in lower case without a provider's prefix."""
    plain = name.strip().lower()
    for prefix in PREFIXES:
        plain = plain.removeprefix(prefix)
    return plain


class Catalogue:
    """What this login may use, as the CLI last reported it, behind the stable ids.

    Thread-safe. Asking it never costs a model call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: tuple[CliModel, ...] = ()

    def update(self, models: tuple[CliModel, ...]) -> None:
        """Replace the CLI's list; an empty one changes nothing."""
        if models:
            with self._lock:
                self._models = models

    def resolve(self, name: str, default: str) -> str:
        """Return the model the CLI is given when a client asks for `name`.

        `default` is the operator's default model; it stands in for `default` and for every name that is not Claude's,
        so that clients with a fixed OpenAI model name work. A variant with a long context keeps its `[1m]`.
        """
        plain = unprefixed(name)
        base = plain.removesuffix(LONG_CONTEXT)
        suffix = plain[len(base) :]
        aliases = self._aliases()
        if base in aliases:
            return aliases[base] + suffix
        family = FAMILY_MAJOR.fullmatch(base)
        if family is not None and family[1] in aliases:
            return family[1] + suffix
        if FULL_NAME.fullmatch(base):
            return plain
        if name == default:
            return name
        return self.resolve(default, default) + (suffix if base == "default" else "")

    def family(self, model: str) -> str:
        """Return the family, such as `opus`, of a model as the CLI is given it; an alias is looked up."""
        base = model.removesuffix(LONG_CONTEXT)
        full = next((known.resolved_model for known in self._models if known.value == base), None) or base
        named = FAMILY.match(full)
        return named[1] if named else full

    def _aliases(self) -> dict[str, str]:
        reported = {model.value: model.value for model in self._models if model.value != "default"}
        return {**reported, **ALIASES}

    def entries(self) -> list[dict[str, Any]]:
        """Return OpenAI model objects: the stable ids, then the full names the CLI reported."""
        entries = [_entry(model) for model in STABLE_IDS]
        seen = set(STABLE_IDS)
        for model in self._models:
            name = model.resolved_model or model.value
            if name not in seen and name != "default":
                seen.add(name)
                entries.append(_entry(name, _without_default(model.display_name, model.value), model.description))
        return entries

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the entry a name stands for, aliases and prefixes included, or None."""
        plain = unprefixed(name)
        for entry in self.entries():
            if entry["id"] == plain:
                return entry
        return _entry(plain) if plain == "default" or plain in self._aliases() else None


def _without_default(name: str | None, value: str) -> str | None:
    # The CLI's first entry is called "Default (recommended)", which says nothing in a list of full names.
    return None if value == "default" else name


def _entry(name: str, display: str | None = None, description: str | None = None) -> dict[str, Any]:
    # `created` is required and nobody knows it: 0 is the honest value.
    entry: dict[str, Any] = {"id": name, "object": "model", "created": 0, "owned_by": "anthropic"}
    if display:
        entry["name"] = display
    if description:
        entry["description"] = description
    return entry
