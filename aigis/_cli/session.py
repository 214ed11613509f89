"""What a verb needs to begin: the settings of this place, Redis, and who is in charge here."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aigis._base.errors import AigisError, BusUnavailable, NotRunning, SettingsError
from aigis._base.home import find_home
from aigis._base.messages import HostStatus
from aigis._base.settings import Settings, read_settings
from aigis._cli.exits import UsageError


def settings_here() -> Settings:
    """Return the settings of the home this process stands in; raises HomeNotFound and SettingsError."""
    return read_settings(os.environ, Path.cwd())


def settings_or_problem() -> tuple[Settings, str]:
    """Return the settings, and '' or what is wrong with them: a typing error must not hide what runs."""
    try:
        return settings_here(), ""
    except SettingsError as error:
        host = os.environ.get("AIGIS_HOST") or socket.gethostname().split(".", maxsplit=1)[0] or "localhost"
        return Settings(home=find_home(os.environ, Path.cwd()), host=host), str(error)


def bus(settings: Settings, *, timeout: float | None = 5.0) -> Any:
    """Return a connection to this home's Redis.

    Raises NotRunning when the home has none, BusUnavailable when the file that should tell is damaged.
    """
    from aigis._wire.bus import connect, read_url

    try:
        return connect(read_url(settings.home), timeout=timeout)
    except AigisError:
        raise
    except (OSError, ValueError) as error:
        raise BusUnavailable(
            f"{str(settings.home.bus_file)!r} holds no Redis URL ({error}): `invoke down` and `invoke up` write it anew"
        ) from error


def host_name(settings: Settings, statuses: Sequence[HostStatus]) -> str:
    """Return the name of the host whose supervisor runs in this home: that of its settings, unless it says otherwise.

    A shell may have another AIGIS_HOST than the one `up` was typed in.
    """
    from aigis._host.lock import holder

    running = holder(settings.home)
    if running is None:
        return settings.host
    return next((status.name for status in statuses if status.pid == running.pid), settings.host)


def require_running(settings: Settings) -> None:
    """Raise NotRunning when no supervisor runs in this home."""
    from aigis._host.lock import holder

    if holder(settings.home) is None:
        raise NotRunning(f"AIGIS is not running in {str(settings.home.root)!r}; start it with `invoke up` there")


def one_word(words: Sequence[str], verb: str, what: str) -> str:
    """Return the only word of a verb that needs exactly one."""
    if len(words) == 1 and words[0]:
        return words[0]
    got = " and ".join(map(repr, words)) or "nothing"
    raise UsageError(f"`{verb}` takes one {what}, and got {got}: write `{verb} {what}`")


def optional_word(words: Sequence[str], verb: str, what: str) -> str | None:
    """Return the only word of a verb that may have one."""
    return one_word(words, verb, what) if words else None
