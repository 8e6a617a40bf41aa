"""claude-max-api key: made once, shown once, listed by name, ended at once."""

from __future__ import annotations

import json

import pytest

from app.keys.key import digest


def test_add(key, file):
    """The key alone goes to standard output, its story to the other; on the disk is its digest."""
    result = key("add", "laptop")
    assert result.exit_code == 0
    (secret,) = result.stdout.splitlines()
    assert secret not in result.stderr
    assert "not shown again" in result.stderr
    assert "From now on every request needs a key" in result.stderr
    assert [(kept.name, kept.digest) for kept in file.read()] == [("laptop", digest(secret))]
    second = key("add", "phone")
    assert "From now on" not in second.stderr
    assert second.stdout.strip() != secret


def test_list(key):
    """The list has names and where each comes from, and no key."""
    assert "No keys: the server asks for none" in key("list").stderr
    secret = key("add", "laptop").stdout.strip()
    result = key("list", CLAUDE_PROXY_API_KEYS=f"env:{'s' * 16}")
    one, other = (line.split("\t") for line in result.stdout.splitlines())
    assert one == ["env", "from CLAUDE_PROXY_API_KEYS"]
    assert (other[0], other[1][:5]) == ("laptop", "made ")
    assert secret not in result.output
    assert "s" * 16 not in result.output


def test_list_for_programs(key, file):
    """The same as JSON, and an empty list where there are none."""
    assert json.loads(key("list", "--json").stdout) == []
    key("add", "laptop")
    one, other = json.loads(key("list", "--json", CLAUDE_PROXY_API_KEYS=f"env:{'s' * 16}").stdout)
    assert one == {"name": "env", "from": "CLAUDE_PROXY_API_KEYS"}
    assert (other["name"], other["from"]) == ("laptop", str(file.path))
    assert other["created"]


def test_revoke(key, file):
    """A revoked key is gone; that the last one opens nothing is said, with both ways out."""
    for name in ("laptop", "phone"):
        key("add", name)
    assert "lets nobody in" not in key("revoke", "laptop").stderr
    assert [kept.name for kept in file.read()] == ["phone"]
    last = key("revoke", "phone")
    assert last.exit_code == 0
    assert "lets nobody in" in last.stderr
    assert str(file.path) in last.stderr
    assert "lets nobody in" in key("list").stderr


@pytest.mark.parametrize(
    ("args", "env", "said"),
    [
        (("add", "laptop"), {}, "a key named laptop already"),
        (("add", "a b"), {}, "cannot name a key"),
        (("revoke", "phone"), {}, "no key named 'phone'"),
        (("list",), {"PORT": "http"}, "PORT=http"),
        (("add", "x"), {"CLAUDE_PROXY_STATE_DIR": "/dev/null/state"}, "CLAUDE_PROXY_STATE_DIR"),
    ],
)
def test_refusals(key, args, env, said):
    """What cannot be done is said in a sentence, and nothing but it."""
    key("add", "laptop")
    result = key(*args, **env)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert said in line


@pytest.mark.parametrize("args", [("add", "b"), ("list",), ("revoke", "laptop")])
def test_open_file(key, file, args):
    """A file that others could have written is not used before it is put right, and the sentence says how."""
    key("add", "laptop")
    file.path.chmod(0o660)
    result = key(*args)
    assert result.exit_code == 1
    assert "chmod 600" in result.stderr


def test_before_the_world_may_call(key):
    """The first key can be made where HOST waits for one."""
    assert key("add", "laptop", HOST="0.0.0.0").exit_code == 0
