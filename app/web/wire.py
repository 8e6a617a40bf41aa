"""Which of the two wire formats a request speaks: OpenAI's, or Anthropic's."""

from __future__ import annotations

import flask

PREFIX = "/v1"
# The SDKs of Anthropic send it with every request.
VERSION = "anthropic-version"


def is_anthropic() -> bool:
    """Tell whether the current request speaks Anthropic's format: by its route, or, where none says, its header."""
    path = flask.request.path.removeprefix(PREFIX)
    if _under(path, "/messages"):
        return True
    return VERSION in flask.request.headers and (flask.request.url_rule is None or _under(path, "/models"))


def _under(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")
