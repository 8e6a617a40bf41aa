"""A capture, packed for whom it is sent to: without its texts, unless these are wanted."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from app.captures.capture import Head, Part
from app.captures.lengths import MODEL, Lengths
from app.records.record import RequestSummary

ABOUT = "about.txt"
# Of the CLI's answers: who is logged in.
PERSONAL = frozenset({"account"})
# What is told of a request without its texts. A path and a key's name are made up by people.
TOLD = frozenset(RequestSummary.__struct_fields__) - {"path", "key", "owner", "asked", "trace", "trace_state"}


def pack(head: Head, parts: Iterable[Part], *, contents: bool) -> tuple[bytes, dict[str, str]]:
    """Return a zip file, and for each file in it a sentence on what it has."""
    parts, lengths = list(parts), None if contents else Lengths()
    files = {
        "request.json": (_request(head, lengths), "when, which route, how it ended, timings, headers, versions"),
        "body.json": (_body(parts, lengths), "what the client sent"),
        "lines.jsonl": (_lines(parts, lengths), "the lines to and from claude"),
        "sent.jsonl": (_sent(parts, lengths), "what the client was sent"),
    }
    sentences = {name: sentence for name, (_, sentence) in files.items()}
    about = "\n".join((said_of(contents=contents), "", *(f"{name}: {said}" for name, said in sentences.items()), ""))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ABOUT, about)
        for name, (data, _) in files.items():
            archive.writestr(name, data)
    return packed.getvalue(), sentences


def said_of(*, contents: bool) -> str:
    """Return the sentence on what a report holds of the conversation."""
    if contents:
        return (
            "This report has everything that was said in the request. Credentials that were sent as such are taken "
            "out; read the rest before you hand it on."
        )
    return (
        "This report has no text of the conversation: each is replaced by its length and a number, the same for equal "
        "texts; names of tools and fields that a client made up are texts, too."
    )


def _request(head: Head, lengths: Lengths | None) -> bytes:
    told: dict[str, Any] = msgspec.to_builtins(head)
    summary: dict[str, Any] = told["summary"]
    if lengths is not None:
        asked = str(summary["asked"])
        known = {"asked": asked} if MODEL.fullmatch(asked) else {}
        told["summary"] = {name: value for name, value in summary.items() if name in TOLD} | known
    return msgspec.json.format(msgspec.json.encode(told)) + b"\n"


def _body(parts: Iterable[Part], lengths: Lengths | None) -> bytes:
    text = "".join(part.text for part in parts if part.kind == "body")
    if lengths is None:
        return text.encode()
    return msgspec.json.format(msgspec.json.encode(lengths.line(text))) + b"\n" if text else b""


def _lines(parts: Iterable[Part], lengths: Lengths | None) -> bytes:
    def told() -> Iterator[dict[str, Any]]:
        for part in parts:
            if part.kind in {"outgoing", "incoming"}:
                line = _impersonal(part.text)
                line = line if lengths is None else lengths.text(line) if isinstance(line, str) else lengths.value(line)
                yield {"ms": part.ms, "process": part.process, part.kind: line}

    return b"".join(msgspec.json.encode(line) + b"\n" for line in told())


def _sent(parts: Iterable[Part], lengths: Lengths | None) -> bytes:
    def told() -> Iterator[dict[str, Any]]:
        for part in parts:
            if part.kind == "sent":
                yield {"ms": part.ms, "sent": part.text if lengths is None else lengths.sent(part.text)}

    return b"".join(msgspec.json.encode(line) + b"\n" for line in told())


def _impersonal(text: str) -> Any:
    """Return a line of the CLI's decoded, without who is logged in; as it is where it is no JSON."""
    try:
        line = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    match line:
        case {"response": {"response": dict(answer)}}:
            for name in PERSONAL & answer.keys():
                answer[name] = "[left out]"
    return line
