"""What has been proven of executables, and so what each may be relied on for.

Proofs are kept in the state folder, a file for each, private and whole at any time.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from app import private_file

log = logging.getLogger(__name__)

FOLDER = "proofs"
# Files of executables that are gone stay for comparison, until there are more than so many.
MAX_FILES = 20


@dataclasses.dataclass(frozen=True)
class Capabilities:
    """What may differ from one version to the next; nothing else in the program asks for a version.

    The defaults are those of an executable of which nothing has been proven yet. What is off then has another way,
    which works with every version that is served; what is on has none.
    """

    composed: bool = False  # a user line can be marked as a client's own words, else a slash gets a newline in front
    going_back: bool = False  # a process can be taken back to before a user line, else its conversation is told anew
    quick_history: bool = False  # earlier texts of the user are taken without an acknowledgement, else it is waited for
    manifests: bool = False  # it takes the tools' list in advance, else it asks for it
    models: bool = False  # it lists the login's models before it is initialized, else with the first turn
    counting: bool = False  # it counts a conversation's tokens without asking a model
    held: bool = False  # it can be kept from going on with an answer that was cut, else it is ended at once
    parked: bool = True  # it waits for the results of its calls, else they are told to another process
    tools: bool = True  # the model gets the client's tools as they are
    one_call: bool = True  # the model can be told to call one tool at a time
    structured: bool = True  # the answer can be bound to a JSON Schema
    max_tokens: bool = True  # the answer can be bounded
    effort: bool = True  # how much the model thinks can be chosen


CAPABILITIES = tuple(field.name for field in dataclasses.fields(Capabilities))


class Outcome(msgspec.Struct, frozen=True):
    """What became of one promise; `detail` says what was seen where it is broken.

    `essential` ones must hold for an executable to be used; what another one `switches` is off where it is broken.
    """

    promise: str
    sentence: str
    kept: bool
    essential: bool = False
    switches: str | None = None
    detail: str = ""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """All promises, tried with one executable: `path`, `size` (bytes) and `mtime_ns` say which.

    `edition` says by which code, `at` is in unix seconds, `seconds` is how long it took and `cpu_seconds` how much of
    a core's time the executable used.
    """

    path: str
    size: int
    mtime_ns: int
    version: str
    edition: str
    at: float
    seconds: float
    cpu_seconds: float
    outcomes: tuple[Outcome, ...]

    @property
    def holds(self) -> bool:
        """Whether every essential promise is kept."""
        return not any(outcome.essential for outcome in self.broken)

    @property
    def broken(self) -> tuple[Outcome, ...]:
        """The promises that are not kept, essential ones first."""
        broken = [outcome for outcome in self.outcomes if not outcome.kept]
        return tuple(sorted(broken, key=lambda outcome: not outcome.essential))

    @property
    def capabilities(self) -> Capabilities:
        """What the executable may be relied on for: of each capability, all promises."""
        switched = {outcome.switches for outcome in self.outcomes}
        off = {outcome.switches for outcome in self.broken}
        return Capabilities(**{name: name not in off for name in CAPABILITIES if name in switched})

    @property
    def version_numbers(self) -> tuple[int, ...]:
        """The version, as versions are compared."""
        return tuple(int(part) for part in self.version.split("."))

    def is_of(self, path: Path) -> bool:
        """Tell whether the file there is still the one that was tried."""
        try:
            status = path.stat()
        except OSError:
            return False
        return (str(path), status.st_size, status.st_mtime_ns) == (self.path, self.size, self.mtime_ns)


@dataclasses.dataclass(frozen=True)
class _Read:
    signature: tuple[int, int]
    proof: Proof | None


class Proofs:
    """The proofs in a state folder. Reading never fails: what cannot be read is not there. Thread-safe."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / FOLDER
        self.times_kept = 0  # by this program
        self._read: dict[Path, _Read] = {}
        self._own: dict[Path, Proof] = {}  # those that could not be written down

    def of(self, path: Path, size: int, mtime_ns: int) -> Proof | None:
        """Return what was proven of this file by this very code, if anything."""
        proof = self._load(self._file(path, size, mtime_ns))
        return proof if proof is not None and proof.edition == edition() else None

    def usable(self) -> list[Proof]:
        """Return the proofs that hold, of executables that are still there, newest version first."""
        found = [proof for proof in self._all() if proof.edition == edition() and proof.holds]
        there = [proof for proof in found if proof.is_of(Path(proof.path)) and os.access(proof.path, os.X_OK)]
        return sorted(there, key=lambda proof: proof.version_numbers, reverse=True)

    def before(self, proof: Proof) -> Proof | None:
        """Return the proof of the nearest earlier version, with which one compares."""
        earlier = [other for other in self._all() if other.version_numbers < proof.version_numbers]
        return max(earlier, key=lambda other: (other.version_numbers, other.at), default=None)

    def keep(self, proof: Proof) -> None:
        """Take note of a proof, and write it down. Raises OSError; then it is known here until the program ends."""
        file = self._file(Path(proof.path), proof.size, proof.mtime_ns)
        self._own[file] = proof
        self.times_kept += 1
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_file.replace(file, msgspec.json.format(msgspec.json.encode(proof)) + b"\n")
        del self._own[file]
        self._tidy()

    def _file(self, path: Path, size: int, mtime_ns: int) -> Path:
        name = hashlib.sha256(f"{path}\0{size}\0{mtime_ns}".encode()).hexdigest()[:24]
        return self.folder / f"{name}.json"

    def _all(self) -> Iterator[Proof]:
        try:
            files = sorted(self.folder.glob("*.json"))
        except OSError:
            return
        for file in files:
            if (proof := self._load(file)) is not None:
                yield proof

    def _load(self, file: Path) -> Proof | None:
        try:
            status = file.stat()
            signature = (status.st_mtime_ns, status.st_ino)
            known = self._read.get(file)
            if known is None or known.signature != signature:
                known = self._read[file] = _Read(signature, _decoded(file))
        except OSError:
            return self._own.get(file)
        return known.proof

    def _tidy(self) -> None:
        gone = [proof for proof in self._all() if not proof.is_of(Path(proof.path))]
        for proof in sorted(gone, key=lambda proof: proof.at, reverse=True)[MAX_FILES:]:
            self._file(Path(proof.path), proof.size, proof.mtime_ns).unlink(missing_ok=True)


def _decoded(file: Path) -> Proof | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Proof)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        log.warning("not a proof file=%s", file)
        return None


@functools.cache
def edition() -> str:
    """Return what changes when this server's own part in the promises does: how it asks, and how it proves.

    It is a digest of that code, so that a newer server proves again what an older one has proven.
    """
    package = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for folder in ("claude", "proof", "standin"):
        for source in sorted((package / folder).rglob("*.py")):
            digest.update(source.relative_to(package).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]
