"""Reads the settings from the environment and the configuration file, and names each mistake with its place."""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app import config_file
from app.agents import table as agent_table
from app.config import CLI_ENVIRONMENT, Settings, fields, setting_names
from app.config_file import ConfigFile
from app.errors import ConfigError

# What a setting may be in the file besides a text, which is read as a variable's is; by the field's type.
FITS: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (int, float), "tuple": (list,)}


def read_settings(environ: Mapping[str, str] | None = None, *, fit: bool = True) -> Settings:
    """Return the settings of `environ`, by default the process's own, and of the file that it means.

    With `fit` False those that do not do together, or not on this machine as it is, have their defaults: a command
    that makes a key must run before a server that waits for this key. Raises ConfigError naming the setting that
    cannot be used, and where it is. An empty value counts as unset.
    """
    found = Reading.of(os.environ if environ is None else environ)
    return found.sound(found.mistakes + (found.unfit if fit else []))


@dataclasses.dataclass(frozen=True)
class Reading:
    """The settings of an environment and its file, and a sentence for each that cannot be used: it has its default.

    `mistakes` are of how a setting is written, `unfit` are those that do not do together, or on this machine as it is.
    `origins` tells where each setting that is given has its value from, by its field's name.
    """

    settings: Settings
    mistakes: list[str]
    unfit: list[str]
    origins: dict[str, str]
    file: ConfigFile

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Reading:
        """Read them; the environment wins."""
        mistakes: list[str] = []
        try:
            file = config_file.load(environ)
        except ValueError as error:
            file = ConfigFile(config_file.where(environ))
            mistakes.append(str(error))
        mistakes += _unknown(file)
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        shown: dict[str, str] = {}
        for field in fields():
            variable, name = field.metadata["env"], config_file.name_of(field.metadata["env"])
            if text := environ.get(variable, "").strip():
                origins[field.name], told = variable, f"{variable}={text}"
                hidden = variable
            elif name in file.tables and field.name != "config":
                origins[field.name] = place = file.place(name)
                told, hidden = f"{place}: {name} = {_spelt(file.tables[name])}", f"{place}: {name}"
            else:
                continue
            shown[field.name] = hidden if field.metadata["secret"] else told
            try:
                given = field.metadata["parse"](text) if text else _from_file(field, file, name)
            except ValueError as error:
                mistakes.append(f"{shown[field.name]} cannot be used: it takes {error}")
                del origins[field.name]
            else:
                values |= {} if given is None else {field.name: given}
        values["config"] = file.path if file.exists else None
        names = CLI_ENVIRONMENT | set(values.get("pass_env", ()))
        values["cli_environ"] = {k: v for k, v in environ.items() if k in names or k.startswith("LC_")}
        values["traces"] = _asks_for_traces(environ)
        settings = Settings(**values)
        try:
            known_keys = settings.key_names()
        except ConfigError:  # who needs them says so
            known_keys = set()
        agents = agent_table.parse(file, environ, settings.openclaw, known_keys, mistakes)
        settings = dataclasses.replace(settings, agents=agents)
        unfit = settings.unfit()
        defaults: dict[str, Any] = {field.name: field.default for field in fields() if field.name in unfit}
        complaints = [f"{shown[name]}{wrong}" for name, wrong in unfit.items()]
        origins = {name: origin for name, origin in origins.items() if name not in unfit}
        return cls(
            dataclasses.replace(settings, **defaults),
            _in_order(file, mistakes),
            _in_order(file, complaints),
            origins,
            file,
        )

    def sound(self, mistakes: list[str]) -> Settings:
        """Return the settings. Raises ConfigError where there are such mistakes."""
        if not mistakes:
            return self.settings
        also = f" (and {len(mistakes) - 1} more: `claude-max-api config check` names all)" if len(mistakes) > 1 else ""
        raise ConfigError(mistakes[0] + also)


def _in_order(file: ConfigFile, sentences: list[str]) -> list[str]:
    """Return sentences about the file in the order of its lines, behind those about the environment."""

    def line(sentence: str) -> int:
        found = re.match(r":([0-9]+):", sentence.removeprefix(str(file.path)))
        return int(found[1]) if found else 0

    return sorted(sentences, key=line)


def _spelt(value: Any) -> str:
    """Return a value of the file much as it is written there."""
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


def _from_file(field: dataclasses.Field[Any], file: ConfigFile, name: str) -> Any:
    """Return a setting of the file, or None for an empty one. Raises ValueError."""
    value = file.tables[name]
    kind = str(re.match(r"\w+", str(field.type))[0])  # type: ignore[index]
    if isinstance(value, str) or type(value) in FITS.get(kind, ()):
        text = config_file.text_of(value)
        if text and kind == "Path":
            text = str(file.path.parent / Path(text).expanduser())
        return field.metadata["parse"](text) if text else None
    kinds = {"bool": "true or false", "int": "a whole number", "float": "a number", "tuple": "a list of texts"}
    raise ValueError(kinds.get(kind, 'a text, in quotation marks: "…"'))


def _unknown(file: ConfigFile) -> Iterator[str]:
    """Yield a sentence for each name in the file that is no setting."""
    known = [config_file.name_of(name) for name in setting_names() if name != config_file.VARIABLE]
    for name in file.tables:
        if name not in known and name not in agent_table.TABLES:
            plain = config_file.name_of(name.upper()).replace("-", "_")
            near = [plain] if plain in known else difflib.get_close_matches(plain, known, 1)
            meant = f"did you mean {near[0]}?" if near else "`claude-max-api docs settings` lists them"
            yield f"{file.place(name)}: there is no setting {name}; {meant}"


def _asks_for_traces(environ: Mapping[str, str]) -> bool:
    """Tell whether the SDK's variables name a collector, and do not switch it off.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and any(environ.get(f"OTEL_EXPORTER_OTLP_{name}ENDPOINT") for name in ("", "TRACES_"))
