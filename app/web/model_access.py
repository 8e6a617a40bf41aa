"""Which models and agents the caller's API key may use, and which model a name means."""

from __future__ import annotations

import contextlib
from typing import Any

from app.agents.agent import Agent
from app.errors import Forbidden, NotFound, PlanReserved
from app.models import bare_name, plain_name
from app.web.state import record, state


def agent_of(name: str) -> Agent | None:
    """Return the agent that a model's name means, None where it means a model.

    Raises NotFound where the caller of the current request may not call it, as if there were no such name.
    """
    # As it is written: what is undone in models' names may be all that tells two agents apart.
    agent = state().settings.agents.find(bare_name(name))
    if agent is not None and not agent.serves(record().caller.key):
        raise unknown(name)
    return agent


def resolve(name: str) -> str:
    """Return the model that the CLI is given where the caller asks for `name`.

    Raises NotFound for an agent that is not the caller's, Forbidden for a model that is not.
    """
    model, caller = _model(name, agent_of(name)), record().caller
    if not _may_use(name, model):
        raise Forbidden(
            f"The API key {caller.key} may not use the model {model!r}, only {', '.join(caller.terms.models)}.",
            param="model",
            code="model_not_allowed",
        )
    return model


def fallback_of(name: str, model: str) -> tuple[str, ...]:
    """Return the models that may answer in the place of the one that `name` means, and that the caller may use itself.

    An agent's row comes before its model's, and the row of a model before its family's.
    """
    parts, caller, agent = state(), record().caller, agent_of(name)
    catalogue, table = parts.catalogue, parts.settings.agents
    rows = {catalogue.resolve(row, row): row for row in table.fallbacks}
    row = rows.get(model) or rows.get(catalogue.family(model))
    named = table.fallbacks[row] if row is not None else ()
    if agent is not None and agent.fallback is not None:
        named = agent.fallback
    found = []
    for other in dict.fromkeys(catalogue.resolve(one, one) for one in named):
        with contextlib.suppress(PlanReserved):
            parts.budgets.check_reserve(caller, other)
            if other != model and caller.terms.allow(other, catalogue.family(other)):
                found.append(other)
    return tuple(found)


def unknown(name: str) -> NotFound:
    """Return the error for a name that means nothing to the caller."""
    return NotFound(f"The model {name!r} is not in this login's list.", code="model_not_found", param="model")


def find(name: str) -> dict[str, Any]:
    """Return the model or agent of this name, as `listed` has it. Raises NotFound where the caller may not use it."""
    agent = agent_of(name)
    entry = state().catalogue.find(name) if agent is None else _entry(agent)
    if entry is None or not _may_use(entry["id"], entry["id"] if agent is None else _model(name, agent)):
        raise unknown(name)
    return entry


def listed() -> list[dict[str, Any]]:
    """Return the models of the catalogue, and the agents, that the caller of the current request may use."""
    parts, key = state(), record().caller.key
    models = [entry for entry in parts.catalogue.entries() if _may_use(entry["id"], entry["id"])]
    agents = [agent for agent in parts.settings.agents.of(key) if _may_use(agent.name, _model(agent.name, agent))]
    return [*models, *map(_entry, agents)]


def agent_entry(agent: Agent, model: dict[str, Any] | None) -> dict[str, Any]:
    """Return an agent as an OpenAI model object; `model` is that of what answers for it."""
    known = model or {}
    does = [*agent.tools, *(f"mcp:{server.name}" for server in agent.servers)]
    told = {
        "id": agent.name,
        "object": "model",
        "created": 0,
        "owned_by": "claude-max-api-proxy",
        "name": agent.name,
        "description": f"{known.get('name', agent.model)}, " + (f"with {', '.join(does)}" if does else "without tools"),
    }
    return {**{name: value for name, value in known.items() if name not in told}, **told}


def _entry(agent: Agent) -> dict[str, Any]:
    return agent_entry(agent, state().catalogue.find(_model(agent.name, agent)))


def _model(name: str, agent: Agent | None) -> str:
    """Return the CLI's name for what a client means, where it names an agent or not."""
    catalogue, default = state().catalogue, state().settings.default_model
    if agent is None or agent.model in {None, "default"}:
        return catalogue.resolve(name if agent is None else "default", default)
    # A client's unknown name gets the default model; an agent is answered by the model that its row names, or a 404.
    return catalogue.resolve(str(agent.model), str(agent.model))


def _may_use(asked: str, model: str) -> bool:
    parts, terms = state(), record().caller.terms
    if terms.allow(model, parts.catalogue.family(model)):
        return True
    if parts.settings.agents.find(bare_name(asked)) is not None:
        return bare_name(asked) in terms.models
    # A name that means nothing, as that of an agent that is gone, has the default model in its place.
    name = plain_name(asked)
    return name in terms.models and bool(name == "default" or parts.catalogue.resolve(name, ""))
