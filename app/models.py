"""Model names: what clients ask for, what the CLI is given, what this login may use."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

PREFIXES = ("claude-code-cli/", "claude-max/", "anthropic/")
FAMILIES = ("opus", "sonnet", "haiku")
ALIASES = {
    **{family: family for family in FAMILIES},
    "opus-max": "opus",
    "sonnet-max": "sonnet",
}
STABLE_IDS = tuple(f"claude-{family}-4" for family in FAMILIES)
# A full name as the API writes it; up to Claude 3 the version comes before the family.
VERSIONED = re.compile(
    r"claude-(?:(?P<early>[0-9](?:-[0-9]{1,2})?)-(?P<of>[a-z]+)|(?P<family>[a-z]+)-(?P<version>[0-9]{1,2}(?:-[0-9]{1,2})?))"
    r"(?:-[0-9]{8})?"
)
FAMILY_MAJOR = re.compile(r"claude-([a-z]+)(?:-[0-9]{1,2})?")
FAMILY = re.compile(r"(?:claude-)?(?:[0-9]+-)*([a-z]+)")
FULL_NAME = re.compile(r"claude-[a-z0-9][a-z0-9.@-]*")
LONG_CONTEXT = "[1m]"
# Characters; no model has a longer name, and such a name is not looked at closely.
MAX_NAME = 200
FAMILY_NAMES = "|".join(FAMILIES)
# How others write Claude's names, in the order in which it is undone: a pattern of a name in lower case, and what takes
# its place. Any other name stays as it is, and gets the API's 404.
SPELLINGS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        # A provider's path: openrouter/anthropic/claude-..., bedrock/us.anthropic.claude-..., vertex_ai/claude-...
        (r"^(?:[^/]*/)+(?=(?:[a-z0-9-]+\.)?(?:anthropic\.)?claude-)", ""),
        # Bedrock's regions and versions: us.anthropic.claude-sonnet-4-5-20250929-v1:0
        (r"^(?:[a-z0-9-]+\.)?anthropic\.(?=claude-)", ""),
        (r"^(claude-.*[0-9])-v[0-9]+(?::[0-9]+k?)*$", r"\1"),
        # Vertex AI's: claude-opus-4-1@20250805
        (r"^(claude-.*)@(?:latest|default)$", r"\1"),
        (r"^(claude-.*)@(?=[0-9]{8}$)", r"\1-"),
        # A name for people: Claude Sonnet 4.5
        (r"^claude[ _].*$", lambda name: re.sub(r"[ _]+", "-", name[0])),
        # The long context, as OpenRouter's variants and others write it: ...:1m, ...-1m
        (r"^(claude-.*)[:-]1m$", rf"\1{LONG_CONTEXT}"),
        # OpenRouter's other variants (:thinking, :beta), and Cursor's: how much to think is not said by a model here.
        (r"^(claude-[^:]*):[a-z]+$", r"\1"),
        (r"^(claude-.*)-thinking$", r"\1"),
        # sonnet-4.5 is claude-sonnet-4.5
        (rf"^(?=(?:{FAMILY_NAMES})-[0-9])", "claude-"),
        # claude-sonnet-4.5 is claude-sonnet-4-5, and claude-3.7-sonnet claude-3-7-sonnet
        (
            r"^claude-(?=[^/]*[a-z])[^/]*$",
            lambda name: re.sub(r"(?<=[a-z]-)([0-9]{1,2})\.([0-9]{1,2})(?![0-9])", r"\1-\2", name[0]),
        ),
        # From Claude 4 on the family comes first: claude-4-5-sonnet is claude-sonnet-4-5
        (r"^claude-([4-9]|[1-9][0-9])(-[0-9]{1,2})?-([a-z]+)(?![a-z])", r"claude-\3-\1\2"),
        # The API knows ...-latest of Claude 3 alone: claude-3-7-sonnet-latest
        (r"^((?:claude-)?[a-z]+(?:-[0-9]{1,2})*)-latest$", r"\1"),
    )
)


class Limits(msgspec.Struct, frozen=True, rename="camel"):
    """How many tokens a model takes, and how many it gives at most, as the CLI tells at the end of a turn."""

    context_window: int | None = None
    max_output_tokens: int | None = None


class CliModel(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of the CLI's own list: an alias and the model it stands for today."""

    value: str
    resolved_model: str | None = None
    display_name: str | None = None
    description: str | None = None


def bare_name(name: str) -> str:
    """Return a name in lower case, without this server's own prefixes: that of an agent, however a client writes it."""
    bare = name.strip().lower()
    for prefix in PREFIXES:
        bare = bare.removeprefix(prefix)
    return bare


def plain_name(name: str) -> str:
    """Return a name as the API writes it, however the client does; one that is not Claude's in lower case."""
    plain = bare_name(name)
    base = plain.removesuffix(LONG_CONTEXT)
    suffix = plain[len(base) :]
    for pattern, replacement in SPELLINGS if len(base) <= MAX_NAME else ():
        base = pattern.sub(replacement, base)
    return base if base.endswith(LONG_CONTEXT) else base + suffix


def version_of(full: str) -> tuple[str, tuple[int, ...]] | None:
    """Return the family and the version, such as `opus` and (5, 5), that a full name tells; None of another name."""
    found = VERSIONED.fullmatch(full.removesuffix(LONG_CONTEXT))
    if found is None:
        return None
    return found["family"] or found["of"], tuple(map(int, (found["version"] or found["early"]).split("-")))


def spoken(name: str) -> str | None:
    """Return a model's name as people say it, such as `Opus 5.5`; that of a stable id says that it moves on."""
    told = version_of(name)
    if told is None:
        return None
    family, version = told
    if name in STABLE_IDS:
        return f"{family.capitalize()}, newest"
    long = " (1M context)" if name.endswith(LONG_CONTEXT) else ""
    return f"{family.capitalize()} {'.'.join(map(str, version))}{long}"


class Catalogue:
    """What this login may use, as the CLI last reported it, behind the stable ids.

    Thread-safe. Asking it never costs a model call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: tuple[CliModel, ...] = ()
        self._aliases = ALIASES
        self._limits: dict[str, Limits] = {}

    def update(self, models: tuple[CliModel, ...]) -> None:
        """Replace the CLI's list; an empty one changes nothing."""
        if models:
            with self._lock:
                self._models = models
                self._aliases = {model.value: model.value for model in models if model.value != "default"} | ALIASES

    def note(self, limits: Mapping[str, Limits]) -> None:
        """Take up what the CLI told of the models it used, by their full names."""
        with self._lock:
            self._limits = {**self._limits, **limits}

    def resolve(self, name: str, default: str) -> str:
        """Return the model the CLI is given when a client asks for `name`.

        `default` is the operator's default model; it stands in for `default` and for every name that is not Claude's,
        so that clients with a fixed OpenAI model name work. A variant with a long context keeps its `[1m]`.
        """
        plain = plain_name(name)
        base = plain.removesuffix(LONG_CONTEXT)
        suffix = plain[len(base) :]
        alias = self._alias(base)
        if alias is not None:
            return alias + suffix
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

    def _alias(self, base: str) -> str | None:
        """Return the CLI's alias that a plain name means, or None."""
        aliases = self._aliases
        if base in aliases:
            return aliases[base]
        family = FAMILY_MAJOR.fullmatch(base)
        return family[1] if family is not None and family[1] in aliases else None

    def has(self, name: str) -> bool:
        """Tell whether a name is the id of an entry."""
        return name in STABLE_IDS or any(name == (model.resolved_model or model.value) for model in self._models)

    def entries(self) -> list[dict[str, Any]]:
        """Return OpenAI model objects: the stable ids, then the full names the CLI reported."""
        models = self._models
        entries = [self._entry(model, description=self._today(model, models)) for model in STABLE_IDS]
        seen = set(STABLE_IDS)
        # The CLI's first entry, "Default (recommended)", is another one's model, and its words say nothing in a list.
        for model in sorted(models, key=lambda known: known.value == "default"):
            name = model.resolved_model or model.value
            if name not in seen and name != "default":
                seen.add(name)
                default = model.value == "default"
                entries.append(self._entry(name, *((None, None) if default else (model.display_name, _words(model)))))
        return entries

    def knows(self, full: str) -> bool:
        """Tell whether there is a model of this full name, as far as can be told from the families' newest versions."""
        told = version_of(full)
        newest = [other for model in self._models if (other := version_of(model.resolved_model or ""))]
        return not newest or (
            told is not None and any(told[0] == family and told[1] <= last for family, last in newest)
        )

    def find(self, name: str) -> dict[str, Any] | None:
        """Return the entry a name stands for, aliases and prefixes included, or None."""
        plain = plain_name(name)
        for entry in self.entries():
            if entry["id"] == plain:
                return entry
        return self._entry(plain) if plain == "default" or plain in self._aliases else None

    def _entry(self, name: str, display: str | None = None, description: str | None = None) -> dict[str, Any]:
        # `created` is required and not known: 0 is the honest value.
        entry: dict[str, Any] = {"id": name, "object": "model", "created": 0, "owned_by": "anthropic"}
        if said := spoken(name) or display:
            entry["name"] = said
        if description:
            entry["description"] = description
        return {**entry, **_told(self._limits.get(self._full_name(name), Limits()))}

    def _today(self, stable: str, models: tuple[CliModel, ...]) -> str | None:
        """Return which model a stable id stands for today, in words, once the CLI has told."""
        full = self._full_name(stable)
        return f"Today {spoken(full)}" if models and full not in {stable, self._alias(stable)} else None

    def _full_name(self, name: str) -> str:
        """Return the full name of the model that an id stands for today."""
        value = self._alias(name) or name
        return next((known.resolved_model for known in self._models if known.value == value), None) or value


def _words(model: CliModel) -> str | None:
    """Return what the CLI says of a model, without the name, and without the prices that nobody pays with a plan."""
    parts = [part.strip() for part in (model.description or "").split("·")]
    name = spoken(model.resolved_model or "")
    return " · ".join(part for part in parts if part and "$" not in part and part != name) or None


def _told(limits: Limits) -> dict[str, Any]:
    """Return what is known of a model's limits, under the names by which clients look for them."""
    context, output = limits.context_window, limits.max_output_tokens
    told = {
        "context_length": context,  # OpenRouter
        "max_model_len": context,  # vLLM
        "max_completion_tokens": output,
    }
    known = {name: value for name, value in told.items() if value}
    provider = {name: value for name, value in known.items() if name != "max_model_len"}
    return {**known, "top_provider": provider} if known else {}  # OpenRouter's second place for them
