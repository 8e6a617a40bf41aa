"""Where images and documents come from."""

from __future__ import annotations

import pytest

from .bodies import (
    GIF,
    JPEG,
    PDF,
    PNG,
    USER,
    WEBP,
    assistant,
    document,
    image,
    request,
    result,
    use,
    user,
)
from .verdicts import assert_accepted, assert_refused

ACCEPTED = {
    "all images": request(
        user(
            image(),
            image(JPEG, "image/jpeg"),
            image(GIF, "image/gif"),
            image(WEBP, "image/webp"),
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        )
    ),
    "all documents": request(
        user(
            {**document(type="base64", media_type="application/pdf", data=PDF), "title": "t"},
            document(type="text", media_type="text/plain", data="words"),
            document(type="url", url="https://example.com/a.pdf"),
        )
    ),
}

REFUSED = {
    "an image of an unknown kind": (
        request(user(image(media_type="image/bmp"))),
        "base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'",
    ),
    "an image of another kind": (
        request(user(image(JPEG))),
        "The image was specified using the image/png media type, but the image appears to be a image/jpeg image",
    ),
    "an image that is none": (request(user(image(PDF))), "image.source.base64: Could not process image"),
    "an image in bad base64": (request(user(image("äöü"))), "image.source.base64.data: Invalid base64 data"),
    "an image in lines": (request(user(image(PNG[:8] + "\n" + PNG[8:]))), "Invalid base64 data"),
    "an image in a data URL": (request(user(image("data:image/png;base64," + PNG))), "Invalid base64 data"),
    "an image beyond 5 MB": (
        request(user(image(PNG + "A" * 5_242_880))),
        "messages.0.content.0.image.source.base64: image exceeds 5 MB maximum:",
    ),
    "an image in a result": (
        request(USER, assistant(use()), user(result(content=[image(PDF)]))),
        "Could not process image",
    ),
    "an image from a file": (
        request(user({"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}})),
        "messages.0.content.0.image.source.url.url: Only HTTP and HTTPS URLs are supported.",
    ),
    "an image without a source": (
        request(user({"type": "image"})),
        "messages.0.content.0.image.source: Field required",
    ),
    "a PDF that is none": (
        request(user(document(type="base64", media_type="application/pdf", data=PNG))),
        "messages.0.content.0.document.source.base64: The PDF specified was not valid.",
    ),
    "a document of another kind": (
        request(user(document(type="base64", media_type="text/html", data=PNG))),
        "source.base64.media_type: Input should be 'application/pdf'",
    ),
    "HTML as text": (
        request(user(document(type="text", media_type="text/html", data="x"))),
        "source.text.media_type: Input should be 'text/plain'",
    ),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(body):
    """A request the API takes passes, and is not changed by being looked at."""
    assert_accepted(body)


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(body, message):
    """A request the API refuses is refused with 400 and in its words."""
    assert_refused(body, message)
