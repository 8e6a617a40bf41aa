"""Pictures, documents and what else a message may hold, each as the Messages API takes it or refused by name."""

from __future__ import annotations

import base64

import pytest

from app.conversation import Base64Source, DocumentBlock, ImageBlock, TextBlock, TextSource, ToolResultBlock, UrlSource
from app.dialects import attachments
from app.dialects.chat_completions import messages
from app.dialects.chat_completions.messages import system_and_messages
from dialects.chat_completions.asking import HI, refused
from dialects.chat_completions.bodies import accepted

HEADS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff\xe0",
    "image/gif": b"GIF89a",
    "image/webp": b"RIFF\x04\x00\x00\x00WEBP",
}
PDF = base64.b64encode(b"%PDF-1.7 \xff").decode()


def coded(raw):
    return base64.b64encode(raw).decode()


def picture(raw=HEADS["image/png"], declared="image/png"):
    return {"type": "image_url", "image_url": {"url": f"data:{declared};base64,{coded(raw)}"}}


def at(url):
    return {"type": "image_url", "image_url": {"url": url}}


def file(data, **more):
    return {"type": "file", "file": {"file_data": data, **more}}


def user(*parts):
    return {"role": "user", "content": list(parts)}


def blocks_of(*messages):
    """Return the blocks of all messages, which the API would take."""
    system, listed = system_and_messages(list(messages))
    accepted(system, listed)
    return [block for message in listed for block in message.content]


@pytest.mark.parametrize("kind", HEADS)
def test_picture(kind):
    """A picture of each kind the API knows goes on as it is, also as all there is in a message."""
    [block] = blocks_of(user(picture(HEADS[kind], kind)))
    assert block == ImageBlock(Base64Source(kind, coded(HEADS[kind])))


def test_picture_of_another_kind_than_declared():
    """A picture goes on as what its data is: names of files mislead clients, and the API insists."""
    [block] = blocks_of(user(picture(HEADS["image/gif"], "image/png")))
    assert block == ImageBlock(Base64Source("image/gif", coded(HEADS["image/gif"])))


def test_order():
    """Text and pictures keep their order; blank text between them goes."""
    blocks = blocks_of(user("a", picture(), {"type": "text", "text": " "}, {"type": "text", "text": "b"}))
    assert [type(block) for block in blocks] == [TextBlock, ImageBlock, TextBlock]


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/jpg;base64,{coded(HEADS['image/jpeg'])}",
        f"DATA:image/JPEG;name=a.jpg;base64,{coded(HEADS['image/jpeg'])}",
        f"data:image/jpeg;base64,\n {coded(HEADS['image/jpeg'])}\n",
    ],
)
def test_spellings(url):
    """Clients' own ways to write a data: URL reach the API in its way."""
    assert blocks_of(user(at(url))) == [ImageBlock(Base64Source("image/jpeg", coded(HEADS["image/jpeg"])))]


@pytest.mark.parametrize(
    "url", ["https://example.org/a.png?b=c#d", "http://127.0.0.1:1/größe.png", "HTTPS://EXAMPLE.ORG/"]
)
def test_address(url):
    """An address is handed on unchanged; nothing is fetched (no test may reach the network)."""
    assert messages.image(at(url), "x") == ImageBlock(UrlSource(url))


def test_picture_extras():
    """`detail` changes nothing, and the URL may stand without the object around it."""
    whole = {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "high"}}
    bare = {"type": "image_url", "image_url": "https://example.org/a.png"}
    assert blocks_of(user(whole)) == blocks_of(user(bare)) == [ImageBlock(UrlSource("https://example.org/a.png"))]


def test_pdf():
    """A PDF becomes a document with its file name as title, from a data: URL or bare base64."""
    for data in (PDF, f"data:application/pdf;base64,{PDF}", f"data:application/octet-stream;base64,{PDF}"):
        [block] = blocks_of(user(file(data, filename="a.pdf")))
        assert block == DocumentBlock(Base64Source("application/pdf", PDF), "a.pdf")


@pytest.mark.parametrize("kind", ["text/plain", "text/markdown;charset=utf-8", "application/json"])
def test_text_file(kind):
    """A text becomes a plain text document, without its byte order mark."""
    data = f"data:{kind};base64,{coded(chr(0xFEFF).encode() + 'größe'.encode())}"
    assert blocks_of(user(file(data))) == [DocumentBlock(TextSource("größe"))]


def test_bare_text_file():
    """Base64 without a type is text when it is no PDF; a blank name is none."""
    assert blocks_of(user(file(coded(b"hello"), filename=" "))) == [DocumentBlock(TextSource("hello"))]


def test_tool_result():
    """A tool may answer with a picture and a document beside text."""
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    asked = {"role": "assistant", "tool_calls": [call]}
    answer = {"role": "tool", "tool_call_id": "a", "content": ["see", picture(), file(PDF)]}
    result = blocks_of(HI, asked, answer)[-1]
    assert isinstance(result, ToolResultBlock)
    assert [type(block) for block in result.content] == [TextBlock, ImageBlock, DocumentBlock]


def test_largest_picture():
    """A picture may be as large as the API takes it, 5 MiB of base64, and not larger."""
    head = coded(HEADS["image/png"] + b"\0")
    fits = f"data:image/png;base64,{head}{'A' * (attachments.MAX_PICTURE_BYTES - len(head))}"
    [block] = blocks_of(user(at(fits)))
    assert len(block.source.data) == attachments.MAX_PICTURE_BYTES
    assert refused([user(at(f"{fits}AAAA"))]).param == "messages[0].content[0].image_url.url"


def test_most_pictures():
    """A hundred pictures pass, those in tool results counted; one more is refused at its message."""
    call = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    asked = {"role": "assistant", "tool_calls": [call]}
    answer = {"role": "tool", "tool_call_id": "a", "content": [picture()] * 60}
    assert len(blocks_of(HI, asked, answer, user(*[picture()] * 40))) == 43
    assert refused([HI, asked, answer, user(*[picture()] * 41)]).param == "messages[3].content"


def test_refusal_of_before():
    """An answer that was refused, sent back with the text in `refusal`, keeps its words."""
    said = {"role": "assistant", "content": None, "refusal": "No."}
    assert blocks_of(HI, said, HI)[1] == TextBlock("No.")


URL = "messages[0].content[0].image_url.url"
DATA = "messages[0].content[0].file.file_data"
REFUSED = {
    "no picture": (picture(b"hello"), URL, "none of"),
    "a picture of another kind": (picture(b"BM", "image/bmp"), URL, "image/bmp"),
    "broken base64": (at("data:image/png;base64,%%%"), URL, "base64"),
    "cut base64": (at("data:image/png;base64,iVBOR"), URL, "base64"),
    "letters beyond ASCII": (at("data:image/png;base64,äöü"), URL, "base64"),
    "no base64": (at("data:image/svg+xml,<svg/>"), URL, "base64"),
    "an empty data URL": (at("data:"), URL, "base64"),
    "a picture of nothing": (at("data:image/png;base64,"), URL, "no data"),
    "a file address": (at("file:///etc/passwd"), URL, "http"),
    "a script": (at("javascript:alert(1)"), URL, "http"),
    "no address": (at(""), URL, "http"),
    "an address of nobody": (at("https:///a.png"), URL, "http"),
    "half an IPv6 address": (at("http://[::1/a.png"), URL, "http"),
    "an address with a line end": (at("http://a/\r\nb"), URL, "http"),
    "an address that is a number": (at(7), URL, "string"),
    "no address at all": ({"type": "image_url"}, "messages[0].content[0].image_url", "object"),
    "an image of a list": ({"type": "image_url", "image_url": ["x"]}, "messages[0].content[0].image_url", "object"),
    "no PDF": (file(f"data:application/pdf;base64,{coded(b'hello')}"), DATA, "no PDF"),
    "bytes": (file(coded(b"\xff\xfe\x00")), DATA, "UTF-8"),
    "a blank text": (file(coded(b" \n")), DATA, "no text"),
    "an archive": (file(f"data:application/zip;base64,{coded(b'PK')}"), DATA, "application/zip"),
    "a picture as a file": (file(f"data:image/png;base64,{coded(HEADS['image/png'])}"), DATA, "image_url"),
    "a file of nothing": (file(""), DATA, "no data"),
    "a file without data": ({"type": "file", "file": {"filename": "a"}}, DATA, "string"),
    "a file that is text": ({"type": "file", "file": "a.pdf"}, "messages[0].content[0].file", "object"),
    "a stored file": ({"type": "file", "file": {"file_id": "f"}}, "messages[0].content[0].file.file_id", "file_data"),
    "a name of 7": (file(PDF, filename=7), "messages[0].content[0].file.filename", "string"),
    "audio": ({"type": "input_audio", "input_audio": {}}, "messages[0].content[0].type", "audio"),
    "a video": ({"type": "video_url"}, "messages[0].content[0].type", "image_url"),
    "a part of no type": ({"text": "a"}, "messages[0].content[0].type", "not supported"),
    "a type of a list": ({"type": ["text"]}, "messages[0].content[0].type", "not supported"),
    "a number": (7, "messages[0].content[0]", "object"),
}


@pytest.mark.parametrize(("part", "param", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(part, param, said):
    """What is not what it says, or not supported, is a 400 that names the part and the reason."""
    error = refused([user(part)])
    assert (error.status, error.param) == (400, param)
    assert said in error.message


@pytest.mark.parametrize("role", ["system", "developer", "assistant"])
def test_text_only(role):
    """Only users and tools can send pictures."""
    assert refused([HI, {"role": role, "content": [picture()]}, HI]).param == "messages[1].content[0].type"
