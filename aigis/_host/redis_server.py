"""The embedded Redis: its files, its private socket, its launch spec, and the wait for its first answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from aigis._base.errors import BusUnavailable, SettingsError
from aigis._base.home import PRIVATE_FOLDER, Home, write_private
from aigis._host.child import LaunchSpec
from aigis._host.ledger import home_id
from aigis._host.redis_binary import Server, refusal
from aigis._wire.bus import connect_async, translated

OWN_NAME = "aigis.redis"
SOCKET = "redis.sock"
LONGEST_SOCKET_PATH = 100
"""Characters; the system's own limit is 104 to 108."""
_PASSWORD = re.compile(r"[0-9a-f]{32,}")
_LOGGER = logging.getLogger("aigis.supervisor")
SCHEMES = ("redis", "rediss", "unix")


@dataclass(frozen=True)
class Embedded:
    """What is needed to start the embedded server and to reach it."""

    spec: LaunchSpec
    url: str


def prepare_embedded(home: Home, server: Server, environ: Mapping[str, str]) -> Embedded:
    """Write the server's files and return how to start it.

    Raises SettingsError when this server must not read the home's data, or the private directory is not ours.
    """
    home.redis.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    _check_version(home, server)
    folder = make_runtime_folder(home, environ)
    password = _password(home.redis / "password")
    socket = folder / SOCKET
    config = home.redis / "redis.conf"
    write_private(config, configuration(home.redis, socket, password).encode("utf-8", "surrogateescape"))
    write_private(home.redis / "version", f"{server}\n".encode())
    spec = LaunchSpec(
        name=OWN_NAME,
        argv=(str(server.program), str(config)),
        env={key: value for key, value in environ.items() if not key.startswith("AIGIS_")},
        cwd=home.redis,
    )
    return Embedded(spec, f"unix://:{password}@{quote(str(socket))}")


def configuration(data: Path, socket: Path, password: str) -> str:
    """Return the text of redis.conf."""
    lines = (
        "# Written by AIGIS at every start; changes are lost.",
        "port 0",
        f"unixsocket {quoted(str(socket))}",
        "unixsocketperm 600",
        f"requirepass {password}",
        f"dir {quoted(str(data))}",
        "daemonize no",
        'logfile ""',
        # Its banner at every start would be the longest text in the log.
        "loglevel warning",
        "always-show-logo no",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        # Nothing the bus holds may vanish to make room: a full server refuses, which callers are told.
        "maxmemory-policy noeviction",
        "stop-writes-on-bgsave-error yes",
    )
    return "\n".join(lines) + "\n"


def quoted(value: str) -> str:
    """Quote one argument of redis.conf."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " else f"\\x{ord(c):02x}" for c in escaped) + '"'


def check_url(url: str) -> str:
    """Return the URL of a given Redis as `.aigis/bus` holds it; raises SettingsError when it is none."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not (parts.hostname or parts.path):
        raise SettingsError(
            f"the Redis URL {url!r} cannot be read: write redis://[:password@]host:port/0, rediss://… or unix://path "
            "in AIGIS_REDIS or `[aigis] redis`"
        )
    return url


def write_bus(home: Home, url: str) -> None:
    """Tell every process of this home where Redis is."""
    write_private(home.bus_file, f"{url}\n".encode())


async def wait_until_answers(
    url: str, *, limit: float, alive: Callable[[], bool] = lambda: True, clock: Callable[[], float] = time.monotonic
) -> str:
    """Wait until Redis answers, and return what it says it is, such as 'redis 7.2.4'.

    Raises BusUnavailable with the last reason after `limit` seconds, or as soon as `alive` says that nothing will come.
    A server that is still reading its data is waited for in the same way.
    """
    deadline = clock() + limit
    pause = 0.01
    while True:
        try:
            return await ask_version(url)
        except BusUnavailable:
            if clock() > deadline or not alive():
                raise
        await asyncio.sleep(pause)
        pause = min(0.25, pause * 1.6)


async def ask_version(url: str) -> str:
    """Return product and version of the Redis at `url`; raises BusUnavailable."""
    client = connect_async(url)
    try:
        with translated(url):
            info = await client.info("server")
            await client.ping()
    finally:
        await client.aclose()
    product = info.get("server_name", "redis")
    return f"{product} {info.get(f'{product}_version', info['redis_version'])}"


def make_runtime_folder(home: Home, environ: Mapping[str, str]) -> Path:
    """Return a short directory that only we can enter, for sockets; noted in the home for those who clean up.

    Raises SettingsError when somebody else has put something in its place.
    """
    folder = _choose_folder(home, environ)
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise SettingsError(f"{str(folder)!r} is in the way: it is not a directory of this user; remove it")
    folder.chmod(PRIVATE_FOLDER)
    home.state.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    write_private(home.state / "runtime", os.fsencode(folder))
    return folder


def remove_runtime_folder(home: Home) -> None:
    """Remove the directory of sockets, if one was noted."""
    note = home.state / "runtime"
    with contextlib.suppress(OSError):
        folder = Path(os.fsdecode(note.read_bytes()))
        (folder / SOCKET).unlink(missing_ok=True)
        folder.rmdir()
    with contextlib.suppress(OSError):
        note.unlink(missing_ok=True)


def _choose_folder(home: Home, environ: Mapping[str, str]) -> Path:
    session = environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(session) / f"aigis-{home_id(home)}"
    if session and _is_private(Path(session)) and len(str(folder / SOCKET)) <= LONGEST_SOCKET_PATH:
        return folder
    return Path(f"/tmp/aigis-{os.getuid()}-{home_id(home)}")  # noqa: S108 ownership and mode are checked


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == PRIVATE_FOLDER


def _password(file: Path) -> str:
    """Return the server's password; one that is damaged is replaced, since the server is told it at every start."""
    try:
        password = file.read_bytes().decode(errors="replace").strip()
        if _PASSWORD.fullmatch(password):
            return password
        _LOGGER.warning("%r held no password of ours and was written anew", str(file))
    except FileNotFoundError:
        pass
    password = secrets.token_hex(24)
    write_private(file, password.encode())
    return password


def _check_version(home: Home, server: Server) -> None:
    file = home.redis / "version"
    try:
        written_by = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except UnicodeDecodeError:
        _LOGGER.warning("%r cannot be read and is written anew", str(file))
        return
    problem = refusal(written_by, server)
    if problem:
        raise SettingsError(problem)
