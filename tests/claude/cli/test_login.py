"""What is known of the login: what the CLI says, corrected by what real requests showed."""

from __future__ import annotations

import json

import hermetic
import pytest

from app.claude.cli import login
from app.claude.cli.login import Login
from app.errors import CliFailed

YES = json.dumps({"loggedIn": True, "authMethod": "claude.ai", "email": "me@example.org", "subscriptionType": "max"})
NO = json.dumps({"loggedIn": False, "authMethod": "none"})


@pytest.fixture
def environ(tmp_path):
    return hermetic.environment(tmp_path)


@pytest.fixture
def says(script, tmp_path):
    """Give a function that makes a `claude` answer `auth status` so, and counts how often it is asked."""

    def write(answer, status=0):
        (tmp_path / "answer").write_bytes(answer if isinstance(answer, bytes) else answer.encode())
        return script(
            f'[ "$*" = "auth status" ] || exit 9\necho x >> {tmp_path}/asked\ncat {tmp_path}/answer\nexit {status}'
        )

    write.asked = lambda: (tmp_path / "asked").read_text().count("x")
    return write


@pytest.mark.parametrize(("answer", "status", "state"), [(YES, 0, "present"), (NO, 1, "absent")])
def test_state(says, environ, answer, status, state):
    """The CLI's word decides, its exit status does not matter."""
    assert Login(environ).state(says(answer, status)) == state


@pytest.mark.parametrize(
    "answer", ["", "not JSON", "[]", '{"loggedIn":"maybe"}', b"\xff\xfe", b'{"authMethod":"\xff"}']
)
def test_unintelligible(says, environ, answer):
    """An answer that cannot be read is "unknown", not a failure of whoever asks."""
    path = says(answer)
    with pytest.raises(CliFailed):
        login.ask(path, environ)
    assert Login(environ).state(path) == "unknown"


def test_hanging(script, environ, monkeypatch):
    """An answer that does not come is not waited for for ever."""
    monkeypatch.setattr(login, "STATUS_TIMEOUT_SECONDS", 0.1)
    assert Login(environ).state(script("exec sleep 60")) == "unknown"


def test_missing(environ, tmp_path):
    """An executable that is gone is "unknown"."""
    assert Login(environ).state(tmp_path / "claude") == "unknown"


def test_verified(says, environ):
    """A login that answered a request is good, and nobody asks about it."""
    known = Login(environ)
    known.verified()
    assert known.state(says(NO)) == "verified"
    known.failed()
    assert known.state(says(YES)) == "failed"


def test_asked_again_only_when_old(says, environ, monkeypatch):
    """The CLI's word is good for a while."""
    known, path = Login(environ), says(YES)
    assert [known.state(path) for _ in range(3)] == ["present"] * 3
    assert says.asked() == 1
    monkeypatch.setattr(login, "FRESH_SECONDS", -1.0)
    known.state(path)
    assert says.asked() == 2


def test_new_login_clears_the_failure(says, environ, monkeypatch):
    """After the API's refusal the state stays failed until the login changes."""
    monkeypatch.setattr(login, "FRESH_SECONDS", -1.0)
    known = Login(environ)
    known.failed()
    assert [known.state(says(YES)) for _ in range(2)] == ["failed", "failed"]
    assert known.state(says(YES.replace("me@", "you@"))) == "present"


def test_digest(says, environ, monkeypatch):
    """The login's digest is known once the CLI has told of it, and follows a login that changes."""
    monkeypatch.setattr(login, "FRESH_SECONDS", -1.0)
    changed = []
    known = Login(environ, changed=lambda: changed.append(known.digest))
    assert known.digest is None
    known.state(says(YES))
    first = known.digest
    assert first
    known.note({"email": "me@example.org", "tokenSource": "claude.ai", "apiProvider": "firstParty"})
    assert known.digest == first
    known.state(says(YES.replace("me@", "you@")))
    assert known.digest not in {None, first}
    assert changed == [known.digest]
    known.state(says(NO))
    assert known.digest is None
