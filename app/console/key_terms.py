"""What a key may use, as options of `claude-max-api key`, and in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import click

from app import moments
from app.backend import WINDOW_WORDS
from app.config import Settings
from app.keys.key import Key
from app.keys.terms import READERS, Amount, Terms, period
from app.ledger import shares
from app.ledger.place import file_of, open_store, open_windows
from app.ledger.sqlite import SqliteReader
from app.ledger.store import Mark
from app.ledger.sums import SPAN_SECONDS, Sums
from app.ledger.windows import Place, Seen
from app.storage import open_storage

HELP = {
    "tokens_per_day": "Tokens of every kind, such as 2M.",
    "tokens_per_week": "The same for a week from Monday on.",
    "requests_per_day": "Requests.",
    "requests_per_week": "Requests.",
    "dollars_per_day": "At list price.",
    "dollars_per_week": "At list price.",
    "share": "Of the plan's five hours, such as 20%: an estimate.",
    "weekly_share": "Of the plan's week: an estimate.",
    "models": "Families, full names or agents, such as haiku,sonnet.",
    "expires": "A span such as 90d, or a date.",
    "login": "The one login that may answer: its digest, or `this` for this machine's.",
}
DOLLARS, PER_CENT = "dollars", "per cent"


def _reading(name: str) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """Return what reads the text of a term's option."""

    def read(_: click.Context, __: click.Parameter, text: str | None) -> Any:
        try:
            return None if text is None else READERS[name](text)
        except ValueError as error:
            raise click.BadParameter(f"{text!r} cannot be used: it takes {error}") from None

    return read


def terms_options(*, removing: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what gives a command an option for each term; where they are for `removing`, too, one that ends it."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        shown = "Not held back by CLAUDE_PROXY_RESERVE."
        command = click.option("--personal/--no-personal", default=None, help=shown)(command)
        for name in reversed(READERS):
            flag = name.replace("_", "-")
            if removing:
                command = click.option(f"--no-{flag}", is_flag=True, help=f"End --{flag}.")(command)
            command = click.option(f"--{flag}", callback=_reading(name), help=HELP[name])(command)
        return command

    return decorate


def changes(given: dict[str, Any]) -> dict[str, Any]:
    """Return the terms that a command's options change. Raises UsageError where two contradict."""
    changed = {name: given[name] for name in READERS if given[name] is not None}
    for name in READERS:
        if given.get(f"no_{name}"):
            if name in changed:
                raise click.UsageError(f"--{name.replace('_', '-')} is given and ended at once.")
            changed[name] = () if name == "models" else None
    if given["personal"] is not None:
        changed["personal"] = given["personal"]
    return changed


class Budget(NamedTuple):
    """What is left of an amount until a moment, in unix seconds.

    Of a share, in per cent of a window of the plan's, it is an `estimate`, None where no figures of the window's are
    known.
    """

    most: float
    left: float | None
    unit: str
    per: str
    resets_at: float | None
    estimate: bool = False


def budgets_left(settings: Settings, keys: Iterable[Key]) -> dict[str, list[Budget]]:
    """Return what is left of the amounts and shares of these keys, by their names. Raises DatabaseFailed."""
    bounded = [key for key in keys if key.terms.bounded]
    if not bounded:
        return {}
    database = open_storage(settings).database
    # Only read: what is too old in it, or wrong with it, is for the server, which may have other settings.
    store = SqliteReader(file_of(settings)) if database is None else open_store(settings, database)
    kept, mark, before = Sums(), Mark(), None
    while mark != before:
        before = mark
        news, mark = store.news(before, "", time.time() - SPAN_SECONDS)
        kept.add_all(news)
    seen = open_windows(settings, database).merge({})
    return {
        key.name: [
            *(_budget(kept, key, amount) for amount in key.terms.amounts()),
            *(_share(kept, seen, key, window, most) for window, most in key.terms.shares()),
        ]
        for key in bounded
    }


def described(terms: Terms, left: Sequence[Budget] = ()) -> list[str]:
    """Return terms in words, with what is left where that is known."""
    budgets = {(budget.unit, budget.per): budget for budget in left}
    said = []
    for amount in terms.amounts():
        text = f"{_shown(amount.most, amount.unit)} per {amount.span}"
        said.append(text + _left(budgets.get((amount.unit, amount.span))))
    for window, most in terms.shares():
        text = f"{100 * most:g}% of the plan's {WINDOW_WORDS[window]}"
        said.append(text + _left(budgets.get((PER_CENT, window))))
    if terms.models:
        said.append(f"models {', '.join(terms.models)}")
    if terms.expires is not None:
        ended = terms.expires <= time.time()
        said.append(f"{'ENDED' if ended else 'until'} {moments.local(terms.expires, '%Y-%m-%d %H:%M')}")
    if terms.personal:
        said.append("personal")
    if terms.login is not None:
        said.append(f"login {terms.login}")
    return said


def _budget(kept: Sums, key: Key, amount: Amount) -> Budget:
    begins, ends = period(amount.span, time.time())
    spent = kept.since(key.identity, begins)
    used = spent.likely_dollars(kept.since(None, begins)) if amount.unit == DOLLARS else getattr(spent, amount.unit)
    return Budget(amount.most, amount.most - used, amount.unit, amount.span, ends)


def _share(kept: Sums, seen: Mapping[Place, Seen], key: Key, window: str, most: float) -> Budget:
    share = shares.last_known(kept.since, seen, key.identity, window, time.time())
    if share is None:
        return Budget(100 * most, None, PER_CENT, window, None, estimate=True)
    left = round(100 * (most - share.used), 2)
    return Budget(100 * most, left, PER_CENT, window, share.resets_at, estimate=True)


def _left(budget: Budget | None) -> str:
    if budget is None:
        return ""
    if budget.left is None or budget.resets_at is None:
        return " (use not known now)"
    resets = moments.local(budget.resets_at, "%a %H:%M")
    about = "about " if budget.estimate else ""
    return f" ({about}{_shown(max(0.0, budget.left), budget.unit)} left until {resets})"


def _shown(number: float, unit: str) -> str:
    if unit == PER_CENT:
        return f"{number:.1f}%"
    return f"{number:.2f} dollars" if unit == DOLLARS else f"{number:,.0f} {unit}"
