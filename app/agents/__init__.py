"""Agents: rows of the operator's table, each a model, tools, a folder and who may call it behind one name."""
