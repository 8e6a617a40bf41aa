"""`python -m tests.walk [--route]`: how much of the code a reader has to see to follow one request.

Each kind of request is sent once to warm up and once to be counted, through the application itself, with the fake CLI.
What is counted is each function of `app` that begins to run between the request and the end of its response, in the
request's thread or one that it starts; `changes` are calls that lead from one file to another. `--route` prints the
functions in the order in which they are first met.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parent.parent))

import hermetic

from app import create_app
from app.config_reading import read_settings
from app.web.state import state

TESTS = Path(__file__).parent.parent
APP = str(TESTS.parent / "app")
QUESTION = [{"role": "user", "content": "Hello"}]
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat, stream": ("/v1/chat/completions", {"messages": QUESTION, "stream": True}),
    "chat, whole": ("/v1/chat/completions", {"messages": QUESTION}),
    "completions, stream": ("/v1/completions", {"prompt": "Hello", "stream": True}),
    "responses, stream": ("/v1/responses", {"input": "Hello", "stream": True}),
    "messages, stream": ("/v1/messages", {"messages": QUESTION, "stream": True, "max_tokens": 100}),
}


class Walk:
    """What one request goes through, from `with` to the end of it."""

    def __init__(self) -> None:
        self.functions: dict[CodeType, None] = {}  # in the order in which they are met
        self.changes = 0

    def __enter__(self) -> Self:
        threading.setprofile(self._note)
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    @property
    def files(self) -> list[str]:
        """The files met, in order."""
        return list(dict.fromkeys(code.co_filename for code in self.functions))

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(APP) or code.co_name.startswith("<"):
            return
        self.functions.setdefault(code)
        caller = frame.f_back
        if caller is not None and caller.f_code.co_filename.startswith(APP):
            self.changes += caller.f_code.co_filename != code.co_filename


def main() -> None:
    """Print a line for each kind of request."""
    parser = argparse.ArgumentParser(prog="python -m tests.walk", description=__doc__)
    parser.add_argument("--route", action="store_true", help="print the functions, too")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        env = hermetic.environment(Path(home), CLAUDE_BIN=str(TESTS / "fake_claude.py"), LOG_LEVEL="ERROR")
        app = create_app(read_settings(env))
        client = app.test_client()
        print(f"{'request':20} {'files':>6} {'functions':>10} {'changes of file':>16}")
        for kind, (path, body) in KINDS.items():
            client.post(path, json={"model": "sonnet", **body}).close()
            with Walk() as walk, client.post(path, json={"model": "sonnet", **body}) as response:
                assert response.status_code == 200, response.text
                assert response.data
            print(f"{kind:20} {len(walk.files):6} {len(walk.functions):10} {walk.changes:16}")
            for code in list(walk.functions) if wanted.route else ():
                print(f"    {Path(code.co_filename).relative_to(APP)}:{code.co_firstlineno} {code.co_qualname}")
        state(app).backend.close()


if __name__ == "__main__":
    main()
