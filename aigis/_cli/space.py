"""Whether the disk of a home is full: then the supervisor can write down neither its status nor why it ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from aigis._base.home import Home

LEAST = 64 * 1024
"""Bytes below which a disk counts as full: Redis alone writes more in its first second."""
PATIENCE = 5.0
"""Seconds a disk may be full before a command that waits gives up."""


def shortage(home: Home, *, statvfs: Callable[[str], os.statvfs_result] = os.statvfs) -> str:
    """Return the sentence that the disk of a home is full and what to do, '' when it is not or cannot be asked."""
    try:
        found = statvfs(str(home.hidden if home.hidden.is_dir() else home.root))
    except OSError:
        return ""
    if not is_full(found, privileged=os.geteuid() == 0):
        return ""
    return (
        f"no space left on the disk of {str(home.hidden)!r}: free some (`df -h` and `df -i` tell how much there is), "
        "then `invoke up`"
    )


def is_full(found: os.statvfs_result, *, privileged: bool) -> bool:
    """Tell whether a disk has no room for files of ours; `privileged` is who may use what is kept in reserve."""
    blocks, entries = (found.f_bfree, found.f_ffree) if privileged else (found.f_bavail, found.f_favail)
    # A disk that counts no files says 0 of 0.
    return blocks * found.f_frsize < LEAST or (found.f_files > 0 and entries == 0)


class FullDisk:
    """Looks at a home's disk again and again, for those who wait for what cannot come while it is full."""

    def __init__(
        self,
        home: Home,
        *,
        look: Callable[[Home], str] = shortage,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home = home
        self._look = look
        self._clock = clock
        self._since: float | None = None

    def reason(self) -> str:
        """Return why waiting is vain, '' while there is hope."""
        found = self._look(self._home)
        if not found:
            self._since = None
            return ""
        now = self._clock()
        if self._since is None:
            self._since = now
        return found if now - self._since >= PATIENCE else ""
