"""claude-max-api config haproxy, and nginx: print the configuration of what stands in front of several hosts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import click

from app.address import written
from app.balancers import BALANCERS, Front
from app.config import Settings
from app.config_reading import read_settings
from app.console.all_hosts import seen_lately
from app.errors import ConfigError, StorageUnavailable
from app.hosts import Seen
from app.keys.key import Key
from app.keys.terms import LOGIN
from app.storage import open_storage

# What is put into a configuration must not be able to break out of it.
HOST = re.compile(rf"((?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{{1,5}})(?:=({LOGIN}))?")
LISTEN = re.compile(r"(\*|[0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
FILE = re.compile(r"[A-Za-z0-9_./-]+")
PROGRAMS = {"haproxy": "HAProxy", "nginx": "nginx"}


def _fitting(pattern: re.Pattern[str], example: str) -> Callable[..., tuple[str, ...] | str | None]:
    def check(
        _: click.Context, __: click.Parameter, given: tuple[str, ...] | str | None
    ) -> tuple[str, ...] | str | None:
        for each in (given,) if isinstance(given, str) else given or ():
            if not pattern.fullmatch(each):
                raise click.BadParameter(f"{each!r} is none; it takes such as {example}")
        return given

    return check


def _command(name: str) -> click.Command:
    @click.command(name, help=f"Print {PROGRAMS[name]}'s configuration for several hosts.")
    @click.argument("hosts", metavar="HOST...", nargs=-1, required=True, callback=_fitting(HOST, "10.0.0.5:3456"))
    @click.option(
        "--listen", default="*:443", show_default=True, callback=_fitting(LISTEN, "*:443"), help="Where it listens."
    )
    @click.option(
        "--certificate",
        default=f"/etc/{name}/claude.pem",
        show_default=True,
        callback=_fitting(FILE, "/etc/ssl/claude.pem"),
        help="A file with the certificate and its key.",
    )
    @click.option("--no-tls", is_flag=True, help="Without a certificate, where something else speaks TLS.")
    def show(hosts: tuple[str, ...], listen: str, certificate: str, *, no_tls: bool) -> None:
        click.echo(f"For {PROGRAMS[name]}; `claude-max-api docs hosts` is the guide.", err=True)
        front = _with_logins(Front(listen, None if no_tls else certificate, hosts))
        for sentence in _said(name, front):
            click.echo(sentence, err=True)
        click.echo(BALANCERS[name](front), nl=False)

    return show


def _with_logins(front: Front) -> Front:
    """Return it with the keys that are for one login, and what the database, or the caller, says of the hosts' logins.

    Raises ClickException where the database is away: without what it knows such keys would go to the wrong hosts.
    """
    matches = [match for match in map(HOST.fullmatch, front.hosts) if match]
    addresses = [match[1] for match in matches]
    given = {match[1]: match[2] for match in matches if match[2]}
    try:
        settings = read_settings(fit=False)
        keys = _bound_keys(settings) if settings.database else ()
        seen = seen_lately(settings) if keys else ()
    except (ConfigError, StorageUnavailable) as error:
        raise click.ClickException(str(error)) from None
    if given and not settings.database:
        raise click.UsageError("HOST=DIGEST needs CLAUDE_PROXY_DATABASE, where the keys are that are for one login.")
    return front._replace(hosts=addresses, logins={**_logins(addresses, seen), **given}, keys=keys)


def _bound_keys(settings: Settings) -> tuple[Key, ...]:
    storage = open_storage(settings)
    try:
        return tuple(key for key in storage.keys.read() or () if key.terms.login is not None)
    finally:
        storage.close()


def _logins(addresses: Sequence[str], seen: Sequence[Seen]) -> dict[str, str]:
    """Return the login of each host that is there and goes by the name that it is given here."""
    known = {
        written(one.host.name, one.host.port).lower(): one.host.login
        for one in seen
        if one.host.login is not None and not one.gone
    }
    return {address: login for address in addresses if (login := known.get(address.lower()))}


def _said(name: str, front: Front) -> Iterator[str]:
    """Yield what there is to know of keys that are for one login."""
    if not front.keys:
        return
    if name != "haproxy":
        yield (
            f"nginx cannot tell which host a key is for: {_names(front.keys)} get a 421 elsewhere than at their own. "
            "Give them that host's address, or use HAProxy."
        )
        return
    there = set(front.logins.values())
    if unknown := [host for host in front.hosts if host not in front.logins]:
        yield (
            f"The database knows no login of {', '.join(unknown)}; write {unknown[0]}=DIGEST to say which it has "
            "(`claude-max-api status --all` shows them)."
        )
    if lost := [key for key in front.keys if key.terms.login not in there]:
        yield f"None of these hosts is known to have the login of {_names(lost)}: a 421 will say so to them."


def _names(keys: Sequence[Key]) -> str:
    return ", ".join(key.name for key in keys)


commands = [_command(name) for name in BALANCERS]
