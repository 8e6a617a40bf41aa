"""One line a request, with its id and what became of it, and never a prompt, an answer or a credential."""

from __future__ import annotations

import logging
import re

import pytest

PROMPT = "answer SECRETPROMPT"
HEADERS = {"Authorization": "Bearer SECRETKEY", "x-api-key": "SECRETKEY", "Cookie": "SECRETKEY"}


@pytest.fixture
def log(app, caplog):
    """Give the records of everything below the application, whatever their level."""
    caplog.set_level(logging.DEBUG, "app")
    return caplog


def lines(log):
    return [record.getMessage() for record in log.records if record.name == "app.request"]


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_private(ask, log, stream):
    """Neither the question, nor the answer, nor a key is in any record, of whatever level."""
    response = ask(PROMPT, HEADERS, stream=stream, user="SECRETUSER")
    assert response.status_code == 200
    assert b"Hello" in response.data
    response.close()
    assert lines(log)
    for secret in ("SECRETPROMPT", "SECRETKEY", "SECRETUSER", "Hello", "world"):
        assert secret not in log.text


@pytest.mark.parametrize("command", ["crash-before", "crash", "garbage", "broken-line"])
@pytest.mark.parametrize("stream", [False, True])
def test_nothing_private_in_failures(ask, log, command, stream):
    """A turn that fails tells its reason, and nothing of what was said."""
    response = ask(f"{command} SECRETPROMPT", HEADERS, stream=stream)
    assert response.data
    response.close()
    assert "error=" in log.text
    for secret in ("SECRETPROMPT", "SECRETKEY", "Hello"):
        assert secret not in log.text


def test_nothing_private_in_refusals(client, log):
    """A request that is refused is not quoted in the log."""
    body = b'{"model":"m","messages":[{"role":"SECRETPROMPT","content":["SECRETPROMPT"]}]}'
    assert client.post("/v1/chat/completions?key=SECRETKEY", data=body).status_code == 400
    assert "SECRET" not in log.text


def test_line(ask, log):
    """The line has method, path, status, time, what became of the turn, and the id the client was given."""
    response = ask(PROMPT)
    (line,) = lines(log)
    assert re.match(r"POST /v1/chat/completions status=200 ms=\d+ served=cold model=claude-fake-1 ", line)
    assert "stop=end_turn" in line
    assert line.endswith(f"id={response.headers['x-request-id']}")


def test_stream_end(ask, log):
    """A stream adds a line of its own when it ends, under the same id."""
    response = ask(PROMPT, stream=True)
    assert response.data.endswith(b"data: [DONE]\n\n")
    response.close()
    first, last = lines(log)
    assert last.startswith("stream end /v1/chat/completions ")
    assert "stop=end_turn" in last
    assert first.rsplit(" ", 1)[1] == last.rsplit(" ", 1)[1] == f"id={response.headers['x-request-id']}"


def test_error_code(client, log):
    """A failure's code is in the line."""
    client.get("/nowhere")
    assert " status=404 " in lines(log)[0]
    assert " error=not_found " in lines(log)[0]


@pytest.mark.parametrize(
    "path", ["/a%0AINFO%20forged", "/a%0D%0Aforged", "/v1/models/x%0Aforged", "/%1b[31mred", "/%E2%80%A8x"]
)
def test_no_forged_lines(client, log, path):
    """A path cannot break a line or colour a terminal."""
    client.get(path)
    assert lines(log)
    for record in log.records:
        assert record.getMessage().isascii()
        assert record.getMessage().isprintable()


def test_ids(client):
    """Every response has its own id, refusals too."""
    ids = [client.get(path).headers["x-request-id"] for path in ("/health", "/health", "/nowhere")]
    ids.append(client.get("/health", headers={"Host": "evil.example"}).headers["x-request-id"])
    assert len(set(ids)) == 4
    assert all(re.fullmatch(r"req_[0-9a-f]{24}", given) for given in ids)
