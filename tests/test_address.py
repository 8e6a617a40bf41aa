"""What HOST and PORT mean, in gunicorn's settings and in the application's alike."""

from __future__ import annotations

import pytest

from app import address
from app.config_reading import read_settings
from app.errors import ConfigError


@pytest.mark.parametrize(
    ("have", "listened"),
    [
        (("127.0.0.1", "::1"), ("127.0.0.1", "::1")),
        (("127.0.0.1",), ("127.0.0.1",)),
        (("::1",), ("::1",)),
        ((), ("127.0.0.1",)),
    ],
)
@pytest.mark.parametrize("host", ["localhost", "LocalHost."])
def test_localhost(
    monkeypatch: pytest.MonkeyPatch, host: str, have: tuple[str, ...], listened: tuple[str, ...]
) -> None:
    """`localhost` is both addresses of loopback, as far as the system has them; its programs reach the first."""
    monkeypatch.setattr(address, "_exists", lambda one: one in have)
    assert address.listened(host) == listened
    assert address.reachable(host) == listened[0]


@pytest.mark.parametrize(
    ("host", "reached"), [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1")]
)
def test_one_address(host: str, reached: str) -> None:
    """Any other host is listened on as it stands."""
    assert address.listened(host) == (host,)
    assert address.reachable(host) == reached


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"HOST": " "},
        {"HOST": " [::1] ", "PORT": " 80 "},
        {"HOST": "127.0.0.1", "PORT": "65535"},
        {"CLAUDE_PROXY_OLLAMA_PORT": "11434"},
        {"PORT": "11434", "CLAUDE_PROXY_OLLAMA_PORT": " 11434 "},
    ],
)
def test_one_reading(env: dict[str, str]) -> None:
    """gunicorn and the application read the same."""
    settings = read_settings(env)
    ports = [port for port in (settings.port, settings.ollama_port) if port is not None]
    assert address.read(env) == (settings.host, tuple(dict.fromkeys(ports)))


@pytest.mark.parametrize("name", ["PORT", "CLAUDE_PROXY_OLLAMA_PORT"])
@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "\u0663", "9" * 5000])
def test_one_refusal(name: str, port: str) -> None:
    """What is no port is refused in the same words."""
    with pytest.raises(ConfigError) as theirs:
        read_settings({name: port})
    with pytest.raises(ValueError, match="whole number from 1 to 65535") as ours:
        address.read({name: port})
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("Localhost.", True),
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("128.0.0.1", False),
        ("127.1", False),
        ("::ffff:10.0.0.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1:80", False),
        ("127.0.0.1 ", False),
    ],
)
def test_is_loopback(host: str, loopback: bool) -> None:
    """Only what cannot mean another machine counts as this one."""
    assert address.is_loopback(host) is loopback
