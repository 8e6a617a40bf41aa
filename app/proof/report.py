"""What a proof says to people: in the log, on a terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from app.claude.cli.proofs import Outcome, Proof
from app.proof.promise import Promise

log = logging.getLogger(__name__)

# What is done where a promise that is not essential is broken, by what it switches.
EFFECTS = {
    "composed": "such a text gets a newline before it",
    "going_back": "what would need it is told to another process",
    "held": "such an answer's process is killed, which may be too late to keep it from asking",
    "quick_history": "each of the user's earlier texts waits for its acknowledgement",
    "manifests": "the list is asked for at the start of each process with tools",
    "parked": "the results are told to another process",
    "tools": "requests with tools get a 502",
    "one_call": "requests that want one call at a time get a 502",
    "structured": "requests with a schema get a 502",
    "max_tokens": "requests with a bound get a 502",
    "effort": "requests with an effort get a 502",
    "models": "the list of models comes with the first turn",
    "counting": "tokens are not counted: a 501",
}


def line(outcome: Outcome) -> str:
    """Return one promise and what became of it."""
    if outcome.kept:
        return f"kept    {outcome.promise}: {outcome.sentence}"
    word = "BROKEN" if outcome.essential else "off   "
    return f"{word}  {outcome.promise}: {outcome.sentence} - {outcome.detail}"


def summary(proof: Proof) -> str:
    """Return the proof in a sentence."""
    kept, number = len(proof.outcomes) - len(proof.broken), len(proof.outcomes)
    if not proof.holds:
        named = ", ".join(outcome.promise for outcome in proof.broken if outcome.essential)
        return f"claude {proof.version} is not to be used: it breaks {named}; {kept} of {number} promises are kept"
    off = f"; off: {', '.join(outcome.promise for outcome in proof.broken)}" if proof.broken else ""
    return f"claude {proof.version} is proven: {kept} of {number} promises are kept{off}"


def changes(proof: Proof, before: Proof | None) -> Iterator[str]:
    """Yield, a line each, what differs from the version before."""
    if before is None:
        return
    then = {outcome.promise: outcome for outcome in before.outcomes}
    for outcome in proof.outcomes:
        earlier = then.get(outcome.promise)
        if earlier is None or earlier.kept == outcome.kept:
            continue
        now, then_ = ("keeps", "did not") if outcome.kept else ("does not keep", "did")
        yield f"claude {proof.version} {now} `{outcome.promise}`; {before.version} {then_}"


def log_outcome(proof: Proof, before: Proof | None, remedy: str) -> None:
    """Write to the log what was found out."""
    told = summary(proof)
    if proof.holds:
        log.info("%s (%.1f s, %.1f s of CPU)", told, proof.seconds, proof.cpu_seconds)
    else:
        broken = proof.broken[0]
        log.error("%s; %s: %s. Run `%s`.", told, broken.sentence, broken.detail, remedy)
    for change in changes(proof, before):
        log.info("%s", change)


def table(promises: Iterable[Promise]) -> str:
    """Return the promises as a Markdown table."""
    rows = ["| promise | what it says | where it is broken |", "|---|---|---|"]
    for promise in promises:
        effect = (
            "the executable is put aside"
            if promise.essential
            else EFFECTS.get(promise.switches or "", "`doctor` and `/ready` say so")
        )
        rows.append(f"| `{promise.name}` | {promise.sentence} | {effect} |")
    return "\n".join(rows) + "\n"
