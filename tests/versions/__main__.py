"""`python -m tests.versions [--versions 2.1.120,...]`: what each version of `claude` keeps of what is promised.

Each version is installed from npm, proven, and serves the end-to-end tests that depend on it; versions already unpacked
in `--cache` are taken from there. Prints the table that `app/docs/proof.md` shows. The exit status is 1 when a version
breaks an essential promise or fails a test.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import npm
import proven

from app.claude.cli.binary import MINIMUM
from app.claude.cli.proofs import Proof
from app.proof import report

ROOT = Path(__file__).parent.parent.parent
PACKAGE = "@anthropic-ai/claude-code"
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
SMALLEST, NEWEST = "smallest", "newest"
DEFAULT = (SMALLEST, "2.1.197", "2.1.260", "2.1.300", NEWEST)
INSTALL_TIMEOUT = 600
# Chats, tools, forms and failures by HTTP, with a server and the real CLI.
TESTS = ("tests/e2e/test_any_version.py",)


def main() -> None:
    """Try the versions, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__)
    parser.add_argument("--versions", default=",".join(DEFAULT), help=f"separated by commas; by default {DEFAULT}")
    parser.add_argument("--cache", type=Path, help="a folder for the unpacked versions; by default they are not kept")
    parser.add_argument("--only-proof", action="store_true", help="leave the end-to-end tests out")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="claude-max-versions-") as folder:
        cache = given.cache or Path(folder) / "versions"
        rows, good = [], True
        for wanted in given.versions.split(","):
            version = named(wanted, Path(folder))
            claude = installed(version, cache, Path(folder))
            work = Path(folder) / f"proof-{version}"
            work.mkdir()
            proof = proven.real(claude, work)
            told, passed = ("not run", True) if given.only_proof else tested(claude)
            good = good and proof.holds and passed
            rows.append(row(proof, told))
            print(f"{report.summary(proof)}; tests: {told}", flush=True)
            for outcome in proof.broken:
                print(f"  {report.line(outcome)}", flush=True)
    print(f"\n{table(rows)}")
    sys.exit(0 if good else 1)


def named(wanted: str, home: Path) -> str:
    """Return the version that a word stands for: the smallest one served, or the newest on the registry."""
    if wanted != NEWEST:
        return ".".join(map(str, MINIMUM)) if wanted == SMALLEST else wanted
    return run(["npm", "view", PACKAGE, "version"], home, home).strip()


def installed(version: str, cache: Path, home: Path) -> Path:
    """Return the executable of a version, fetched from npm where it is not in `cache`."""
    folder = cache / version
    claude = folder / "package" / "claude"
    if not claude.exists():
        folder.mkdir(parents=True, exist_ok=True)
        system = f"{sys.platform}-{MACHINES[platform.machine().lower()]}"
        run(["npm", "pack", f"{PACKAGE}-{system}@{version}", "--pack-destination", str(folder)], folder, home)
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        archive.unlink()
        claude.chmod(0o755)
    return claude


def run(argv: list[str], folder: Path, home: Path) -> str:
    """Return what npm says, with this machine's settings for downloads and nothing else of its environment."""
    env = npm.environment(home, **npm.settings())
    done = subprocess.run(
        argv, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT
    )
    if done.returncode:
        sys.exit(f"{' '.join(argv)} failed: {done.stderr[-500:]}")
    return done.stdout


def tested(claude: Path) -> tuple[str, bool]:
    """Run the end-to-end tests with this executable; return the sum pytest gives, and whether all passed."""
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", f"--claude={claude}", *TESTS]
    done = subprocess.run(argv, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-200:]
    if done.returncode:
        print(done.stdout[-5000:], file=sys.stderr)
    return re.sub(r" in [0-9.]+s.*", "", last), done.returncode == 0


def row(proof: Proof, told: str) -> str:
    """Return a version's row."""
    off = ", ".join(f"`{outcome.promise}`" for outcome in proof.broken) or "none"
    kept, number = len(proof.outcomes) - len(proof.broken), len(proof.outcomes)
    holds = "yes" if proof.holds else "**no**"
    took = f"{proof.seconds:.1f} s, {proof.cpu_seconds:.1f} s of CPU"
    return f"| {proof.version} | {holds} | {kept} of {number} | {off} | {took} | {told} |"


def table(rows: list[str]) -> str:
    """Return the whole table with its date."""
    machine = f"{platform.system()} on {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    head = (
        "| claude | may serve | promises kept | not kept | the proof took | end-to-end tests |",
        "|---|---|---|---|---|---|",
    )
    return "\n".join([f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {machine}:", "", *head, *rows])


if __name__ == "__main__":
    main()
