"""What HOST and PORT mean, in gunicorn's settings and in the application's alike."""

from __future__ import annotations

import pytest

from app import address
from app.config import Settings
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
    "env", [{}, {"HOST": " "}, {"HOST": " [::1] ", "PORT": " 80 "}, {"HOST": "127.0.0.1", "PORT": "65535"}]
)
def test_one_reading(env: dict[str, str]) -> None:
    """gunicorn and the application read the same."""
    settings = Settings.from_environ(env)
    assert address.read(env) == (settings.host, settings.port)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "x", "\u0663", "9" * 5000])
def test_one_refusal(port: str) -> None:
    """What is no port is refused in the same words."""
    with pytest.raises(ConfigError) as theirs:
        Settings.from_environ({"PORT": port})
    with pytest.raises(ValueError, match="whole number from 1 to 65535") as ours:
        address.read({"PORT": port})
    assert str(ours.value) == str(theirs.value)
