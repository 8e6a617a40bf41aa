"""Whether the caller's API key may be answered by this host's login."""

from __future__ import annotations

from app.errors import LoginElsewhere
from app.web.state import record, state


def check_login() -> None:
    """Raise LoginElsewhere if the caller's key is for another login than this host's, or that is not known here."""
    caller = record().caller
    wanted = caller.terms.login
    if wanted is None:
        return
    backend = state().backend
    here = backend.status().login
    if here is None:
        # `claude` has not been asked yet, or names no account; it may take a second.
        backend.readiness()
        here = backend.status().login
    if here == wanted:
        return
    this = (
        f"this host's is {here}"
        if here is not None
        else "this host does not know its own: its `claude` is not logged in, or with a token that names no account"
    )
    raise LoginElsewhere(
        f"The API key {caller.key} is for the login {wanted}; {this}. `claude-max-api status --all` tells which host "
        "has which login."
    )
