"""The Dockerfile's lines, carried out one by one in a fresh Debian, as there is not always an engine to build it with.

Some minutes; `pytest --container` as root, where debootstrap and Debian's mirror are.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from server import free_port, until

from app.deployments import DOCKERFILE

pytestmark = pytest.mark.timeout(900)
CODENAME = "bookworm"
MIRROR = re.compile(r"https?://\S+/debian/?(?=\s|$)", re.MULTILINE)


class Container:
    """A root in a folder, with the state that a Dockerfile's lines leave."""

    def __init__(self, root: Path, context: Path) -> None:
        self.root, self.context = root, context
        self.user, self.folder = "root", "/"
        self.env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        self.command: list[str] = []
        self.check: list[str] = []

    def build(self, dockerfile: str) -> None:
        for line in dockerfile.splitlines():
            word, _, rest = line.partition(" ")
            if not line.startswith("#"):
                self.carry_out(word, rest)

    def carry_out(self, word: str, rest: str) -> None:
        match word:
            case "RUN":
                self.run(rest)
            case "USER":
                self.user = rest
            case "WORKDIR":
                self.folder = rest
            case "ENV":
                name, _, value = rest.partition("=")
                self.env[name] = value
            case "COPY":
                pattern, target = rest.split()[-2:]
                for path in self.context.glob(pattern):
                    shutil.copy(path, self.root / target.lstrip("/"))
            case "CMD":
                self.command = json.loads(rest)
            case "HEALTHCHECK":
                self.check = json.loads(rest.partition("CMD ")[2])
            case _:
                # FROM is the root; VOLUME and EXPOSE say what an engine may know.
                assert word in {"FROM", "VOLUME", "EXPOSE"}, word

    def argv(self, argv: list[str], **more: str) -> list[str]:
        """Return the command line by which a command runs in the root, as its user."""
        env = [f"{name}={value}" for name, value in {**self.env, "HOME": f"/home/{self.user}", **more}.items()]
        inside = ["cd", self.folder, "&&", "exec", "env", "-i", *map(shlex.quote, env), shlex.join(argv)]
        words = ["chroot", "--userspec", self.user, str(self.root), "/bin/sh", "-c", " ".join(inside)]
        return ["nice", "-n", "19", *words]

    def run(self, text: str) -> None:
        done = subprocess.run(self.argv(["/bin/sh", "-c", text]), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{text}: {done.stdout[-500:]}{done.stderr[-1500:]}"


@pytest.fixture
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A fresh Debian with Python, as the image that the Dockerfile begins with."""
    if not request.config.getoption("--container"):
        pytest.skip("it takes minutes: pytest --container")
    if os.getuid() != 0 or shutil.which("debootstrap") is None:
        pytest.skip("it needs root, and debootstrap")
    sources = "".join(path.read_text() for path in Path("/etc/apt").rglob("*") if path.suffix in {".list", ".sources"})
    mirror = MIRROR.search(sources)
    made = tmp_path / "root"
    argv = ["nice", "-n", "19", "debootstrap", "--variant=minbase", "--include=python3-venv,ca-certificates", CODENAME]
    done = subprocess.run([*argv, str(made), *([mirror[0]] if mirror else [])], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"debootstrap could not make a Debian: {done.stdout[-300:]!r}")
    # What this machine needs to reach the package index is the machine's, as a proxy of an engine would be.
    for path in (Path("/etc/resolv.conf"), Path("/etc/hosts"), Path("/etc/ssl/certs/ca-certificates.crt")):
        shutil.copy(path, made / path.relative_to("/"))
    return made


@pytest.fixture
def container(root: Path, wheel: Path) -> Iterator[Container]:
    made = Container(root, wheel.parent)
    with contextlib.ExitStack() as mounts:
        for kind in ("proc", "sysfs"):
            target = root / {"proc": "proc", "sysfs": "sys"}[kind]
            subprocess.run(["mount", "-t", kind, kind, str(target)], check=True)
            mounts.callback(subprocess.run, ["umount", "-l", str(target)], check=False)
        subprocess.run(["mount", "--bind", "/dev", str(root / "dev")], check=True)
        mounts.callback(subprocess.run, ["umount", "-l", str(root / "dev")], check=False)
        made.build(DOCKERFILE)
        yield made


def test_it_serves(container: Container) -> None:
    """It starts with a key alone, is healthy, answers who has the key, and keeps what it must in its volume."""
    port = str(free_port())
    told = subprocess.run(container.argv(container.command, PORT=port), capture_output=True, text=True, check=False)
    assert (told.returncode, "claude-max-api key add" in told.stderr) == (1, True), told.stderr
    added = subprocess.run(container.argv(["claude-max-api", "key", "add", "laptop"]), capture_output=True, check=True)
    key = added.stdout.decode().strip()
    began = time.monotonic()
    log = (container.root / "tmp/log").open("wb")
    server = subprocess.Popen(
        container.argv(container.command, PORT=port, CLAUDE_PROXY_DEMO="1"), stdout=log, stderr=log
    )
    check = [part.replace("3456", port) for part in container.check]
    try:
        until(lambda: subprocess.run(container.argv(check), capture_output=True, check=False).returncode == 0, 60)
        body = {"model": "sonnet", "messages": [{"role": "user", "content": "Hello there"}]}
        assert ask(port, body, {}) == (401, None)
        status, text = ask(port, body, {"Authorization": f"Bearer {key}"})
        assert (status, "demo: it needs no login" in (text or "")) == (200, True)
    finally:
        server.terminate()
        server.wait(40)
        log.close()
    print(f"answered {time.monotonic() - began:.1f} s after its start")
    assert (container.root / "data/state/keys.json").is_file()
    assert (container.root / "data/state").stat().st_uid == 1000


def ask(port: str, body: object, headers: dict[str, str]) -> tuple[int, str | None]:
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    sent = {"Content-Type": "application/json", **headers}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, json.dumps(body).encode(), sent), timeout=60
        ) as response:
            return response.status, json.load(response)["choices"][0]["message"]["content"]
    except urllib.error.HTTPError as error:
        error.close()
        return error.code, None
