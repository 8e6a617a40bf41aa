"""Trying an executable with all probes, and writing down what became of each promise."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from app.claude.cli.binary import Binary
from app.claude.cli.proofs import Capabilities, Outcome, Proof, edition
from app.claude.cli.registry import Registry
from app.errors import ProxyError, TurnTimeout
from app.proof.answers import answers
from app.proof.broken import Broken, Refused, Unprovable
from app.proof.chat import chat
from app.proof.dialogue import MAX_SHOWN, Dialogue, said
from app.proof.promise import Probe, Promise, Scene
from app.proof.tool_calls import tool_calls
from app.proof.trial import Trial

log = logging.getLogger(__name__)

SCENES = (chat, tool_calls, answers)
# Checked at the end, since these are about everything that happened.
ALONE = Promise("alone", "no request is sent but a turn's own", essential=True)
DISK = Promise("disk", "no word of a conversation is left on disk", essential=True)
PROMISES = (*(promise for scene in SCENES for promise, _ in scene.probes), ALONE, DISK)

# Where this is broken no other promise can be tried.
STARTS = "starts"
NOTHING = Capabilities()

Told = Callable[[Outcome], None]


def prove(
    binary: Binary,
    registry: Registry,
    path: str,
    *,
    scenes: Sequence[Scene] = SCENES,
    told: Told = lambda _: None,
    give_way: Callable[[], None] = lambda: None,
) -> Proof:
    """Try every promise with an executable, or those of some `scenes`.

    `told` hears of each outcome, and `give_way` may hold a probe up.

    Raises Unprovable where it cannot be found out here and now.
    """
    began = time.monotonic()
    outcomes: list[Outcome] = []
    with Trial(binary.path, registry, path) as trial:
        for outcome in _outcomes(trial, scenes, give_way):
            outcomes.append(outcome)
            told(outcome)
    mtime_ns, size, _ = binary.stamp
    return Proof(
        path=str(binary.path),
        size=size,
        mtime_ns=mtime_ns,
        version=binary.version_text,
        edition=edition(),
        at=time.time(),
        seconds=round(time.monotonic() - began, 2),
        cpu_seconds=round(trial.cpu_seconds, 2),
        outcomes=tuple(outcomes),
    )


def _outcomes(trial: Trial, scenes: Sequence[Scene], give_way: Callable[[], None]) -> Iterator[Outcome]:
    on: set[str] = set()
    off: dict[str, str] = {}
    for scene in scenes:
        performance = _Performance(trial, scene)
        try:
            for promise, probe in scene.probes:
                give_way()
                if STARTS in off:
                    detail = "not tried, since it does not start"
                elif promise.switches in off:
                    detail = f"not tried, since {off[promise.switches]} is not kept"
                else:
                    able = {name: True for name in (*on, promise.switches) if name is not None}
                    detail = performance.detail(promise, probe, dataclasses.replace(NOTHING, **able))
                if detail and promise.name == STARTS:
                    off[STARTS] = STARTS
                elif promise.switches is not None and detail:
                    off.setdefault(promise.switches, promise.name)
                elif promise.switches is not None:
                    on.add(promise.switches)
                yield _outcome(promise, detail)
        finally:
            performance.end()
    not_asked_for = trial.not_asked_for()
    yield _outcome(ALONE, f"{len(not_asked_for)} more, such as for {_asked(not_asked_for[0])}" if not_asked_for else "")
    written = trial.written()
    yield _outcome(DISK, "" if not written else f"there are words in {', '.join(map(str, written))[:200]}")


class _Performance:
    """One scene with the executable: its process, and another where a probe has spoiled that one."""

    def __init__(self, trial: Trial, scene: Scene) -> None:
        self._trial = trial
        self._scene = scene
        self._dialogue: Dialogue | None = None

    def detail(self, promise: Promise, probe: Probe, capabilities: Capabilities) -> str:
        """Try a promise, and once more where it seems not to be kept; return what was seen, "" where it is kept.

        Raises Unprovable.
        """
        detail = ""
        # The machine may have been slow, and a broken promise stays broken until the executable changes.
        for last in (False, True):
            try:
                self._try(probe, capabilities)
            except Refused as refused:
                return str(refused)
            except Broken as broken:
                detail = str(broken)
            except ProxyError as error:
                detail = error.message
                slow = isinstance(error, TurnTimeout) or isinstance(error.__cause__, OSError)
                if last and slow and promise.essential:
                    raise Unprovable(f"`{promise.name}` could not be tried: {detail}") from error
            else:
                return ""
            log.debug("probe failed promise=%s detail=%s", promise.name, detail)
            self.end(spoiled=True)
        return detail

    def end(self, *, spoiled: bool = False) -> None:
        """End the process, if there is one; the requests of a `spoiled` one are not counted."""
        dialogue, self._dialogue = self._dialogue, None
        if dialogue is not None:
            dialogue.close()
            if spoiled:
                self._trial.claim(0)

    def _try(self, probe: Probe, capabilities: Capabilities) -> None:
        if self._dialogue is None:
            self._dialogue = Dialogue(self._trial, self._scene.opening, capabilities)
        self._dialogue.capabilities = capabilities
        self._dialogue.give_time()
        probe(self._dialogue)


def _outcome(promise: Promise, detail: str) -> Outcome:
    return Outcome(promise.name, promise.sentence, not detail, promise.essential, promise.switches, detail)


def _asked(body: dict[str, Any]) -> str:
    """Return what a request asks for, in a few words."""
    text = json.dumps(said(body)[-1:], ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"...{text[-MAX_SHOWN:]}"
