"""Checks one thing after the other against JSON Schemas, in a process that ends itself when one takes too long.

It is run as a script, not imported: `python -I -S app/schema_child.py SITE_PACKAGES`. Each line of its input is a
JSON object with a `schema` and perhaps an `answer`; each is answered by a line with `problem` (what is wrong with the
schema) and `place` (the steps to where the answer does not satisfy it), null where there is none.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
from typing import Any

sys.path.append(sys.argv[1])

import jsonschema_rs

# For one check, in seconds; SIGALRM then ends the process, even inside native code.
MAX_SECONDS = 2.0
# What it may take of memory, in bytes; macOS does not hold to it.
MAX_MEMORY_BYTES = 2**30
# Patterns with look-around or back-references are matched by trying, so many times; all others in linear time.
PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000, size_limit=2**20, dfa_size_limit=2**20)
MAX_REASON = 200
MAX_PLACE = 20


def main() -> None:
    """Answer line by line until the input ends."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    sys.set_int_max_str_digits(0)
    os.nice(5)  # a check may take a core, and those who talk come first
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS)
        told = json.dumps(_check(json.loads(line)))
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.buffer.write(told.encode() + b"\n")
        sys.stdout.buffer.flush()


def _check(job: dict[str, Any]) -> dict[str, Any]:
    try:
        validator = jsonschema_rs.validator_for(job["schema"], pattern_options=PATTERNS, retriever=_refuse)
    except jsonschema_rs.ValidationError as error:
        return {"problem": f"{'/'.join(map(str, error.instance_path))}: {error.message}"[:MAX_REASON]}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is about the schema
        return {"problem": str(error)[:MAX_REASON]}
    if "answer" in job:
        try:
            validator.validate(job["answer"])
        except jsonschema_rs.ValidationError as error:
            return {"place": error.instance_path[:MAX_PLACE]}
    return {}


def _refuse(address: str) -> Any:
    raise ValueError(f"nothing is fetched: {address}")


if __name__ == "__main__":
    main()
